/**
 * Free page hinting, free page reporting and page poison, as a host sees them.
 */
import { describe, expect, it } from "vitest";
import { createTestVm, verdictLines, watch } from "../support/vm.ts";

const FRAMES = 16 * 512;
const GUEST_FRAMES = 900;
/** Virtual time enough for every portion of reports. */
const LONG_MS = 60_000;

describe("free page reporting", () => {
  const offers = [{ indirect: true }, { indirect: false }];
  it.each(offers)("gives free blocks back without a balloon, once: %o", async (offer) => {
    const vm = await createTestVm({
      frames: FRAMES,
      machine: { offer: { ...offer, pageReporting: true } },
    });
    expect(vm.guest.grow(GUEST_FRAMES, 1)).toBe(GUEST_FRAMES);
    vm.settle();
    vm.machine.advance(LONG_MS);
    vm.settle();
    const { totals } = vm.balloon.status();
    expect(totals.reported).toBeGreaterThanOrEqual(FRAMES - GUEST_FRAMES - 3 * 512);
    expect(totals.reported).toBeLessThanOrEqual(FRAMES);
    expect(vm.balloon.counts().reporting).toBe(0);
    expect(vm.guest.verify()).toBe(0);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);

    vm.machine.advance(LONG_MS);
    vm.settle();
    expect(vm.balloon.status().totals.reported).toBe(totals.reported);
    expect(vm.guest.grow(2000, 2)).toBe(2000);
    expect(vm.guest.verify()).toBe(0);
    expect(vm.guest.shrink(2000)).toBe(0);
    vm.machine.advance(LONG_MS);
    vm.settle();
    expect(vm.balloon.status().totals.reported).toBeGreaterThan(totals.reported);
    expect(vm.guest.verify()).toBe(0);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });
});

describe("reporting ahead of an inflate", () => {
  it("gives blocks back first, then tells of each page", async () => {
    const vm = await createTestVm({
      frames: FRAMES,
      machine: {
        offer: { pageReporting: true },
        completion: { reporting: { kind: "late", ms: 1 }, inflate: { kind: "late", ms: 1 } },
      },
    });
    expect(vm.guest.grow(GUEST_FRAMES, 1)).toBe(GUEST_FRAMES);
    vm.settle();
    vm.machine.advance(LONG_MS);
    vm.settle();
    expect(vm.guest.grow(4000, 2)).toBe(4000);
    expect(vm.guest.shrink(4000)).toBe(0);
    const before = vm.machine.reportedPages.pages;
    vm.machine.setTarget(5000);
    vm.balloon.interrupt();
    expect(vm.balloon.counts().inflating).toBe(0);
    expect(
      vm.machine.reportedPages.pages + vm.machine.reportedPages.inFlight - before,
    ).toBeGreaterThan(2000);
    vm.settle();
    expect(vm.machine.actual).toBe(5000);
    expect(vm.guest.verify()).toBe(0);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("goes on as soon as they are back", async () => {
    const vm = await createTestVm({
      frames: FRAMES,
      settings: { reportPagesPerSecond: 2048 },
      machine: {
        offer: { indirect: true, pageReporting: true },
        completion: { reporting: { kind: "late", ms: 5 } },
      },
    });
    watch(vm, 20);
    vm.machine.setTarget(5000);
    // Interrupts alone wake the driver: a step more would hide one that is missing.
    for (let ms = 0; ms < 60; ms++) {
      if (vm.machine.interruptPending) vm.balloon.interrupt();
      vm.machine.advance(1);
    }
    expect(vm.machine.actual).toBe(5000);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("does not wait for ever", async () => {
    const vm = await createTestVm({ frames: FRAMES, machine: { offer: { pageReporting: true } } });
    vm.settle();
    vm.machine.advance(LONG_MS);
    vm.settle();
    expect(vm.guest.grow(4000, 2)).toBe(4000);
    expect(vm.guest.shrink(4000)).toBe(0);
    vm.machine.inject({ name: "queue-hangs", queue: 4 });
    vm.machine.setTarget(2000);
    vm.balloon.interrupt();
    expect(vm.balloon.counts().inflating).toBe(0);
    vm.machine.advance(2000);
    vm.settle();
    expect(vm.machine.actual).toBe(2000);
  });
});

describe("free page hinting", () => {
  it("hands free pages over until the host is done, run after run", async () => {
    const vm = await createTestVm({ frames: FRAMES, machine: { offer: { freePageHint: true } } });
    expect(vm.guest.grow(GUEST_FRAMES, 1)).toBe(GUEST_FRAMES);
    for (let run = 0; run < 3; run++) {
      vm.machine.startHinting();
      vm.settle();
      const hinted = vm.balloon.counts().hinted;
      expect(hinted).toBe(FRAMES - GUEST_FRAMES - vm.balloon.status().reservePages);
      expect(vm.machine.hintedPages).toBe(hinted);
      expect(vm.guest.verify()).toBe(0);
      vm.machine.finishHinting();
      vm.settle();
      expect(vm.balloon.counts().hinted).toBe(0);
      vm.machine.check();
      expect(verdictLines(vm.machine)).toEqual([]);
    }
  });
});

describe("page poison", () => {
  it("fills what comes back and what is reported", async () => {
    const poison = 0xaaaa_aaaa;
    const vm = await createTestVm({
      frames: FRAMES,
      settings: { poison },
      machine: { offer: { pagePoison: true, pageReporting: true } },
    });
    vm.machine.setTarget(3000);
    vm.settle();
    expect(vm.machine.actual).toBe(3000);
    vm.machine.setTarget(0);
    vm.settle();
    expect(vm.machine.actual).toBe(0);
    expect(vm.balloon.status().negotiated).toContain("PAGE_POISON");
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("is declined, and reporting with it, as the settings demand", async () => {
    const declined = await createTestVm({
      frames: FRAMES,
      machine: { offer: { pagePoison: true, pageReporting: true } },
    });
    expect(declined.balloon.status().negotiated).not.toContain("PAGE_POISON");
    expect(declined.balloon.status().negotiated).toContain("PAGE_REPORTING");
    const alone = await createTestVm({
      frames: FRAMES,
      settings: { poison: 0 },
      machine: { offer: { pageReporting: true } },
    });
    expect(alone.balloon.status().negotiated).not.toContain("PAGE_REPORTING");
  });
});

describe("the queue of free page hinting", () => {
  const late = { freePage: { kind: "late", ms: 3 } } as const;
  const rows = [
    { offer: {}, vectors: 0, quietHints: true, eventIdx: false },
    { offer: {}, vectors: 0, quietHints: false, eventIdx: true },
    { offer: { packed: true }, vectors: 0, quietHints: true, eventIdx: true },
    { offer: { eventIdx: false }, vectors: 0, quietHints: true, eventIdx: false },
    { offer: {}, vectors: 8, quietHints: true, eventIdx: true },
    { offer: {}, vectors: 2, quietHints: true, eventIdx: true },
  ];
  it.each(rows)("never interrupts, and is worked on all the same: %o", async (row) => {
    const { offer, vectors, quietHints } = row;
    const vm = await createTestVm({
      frames: FRAMES,
      settings: { quietHints },
      machine: { offer: { ...offer, freePageHint: true }, vectors, ringSize: 4, completion: late },
    });
    const { negotiated, interrupts } = vm.balloon.status();
    expect(negotiated.split(" ").includes("EVENT_IDX")).toBe(row.eventIdx);
    expect(interrupts).toBe(vectors > 0 ? "msix" : "line");
    vm.settle();
    for (let run = 1; run < 4; run++) {
      const before = vm.machine.counters.interrupts;
      vm.machine.startHinting();
      vm.settle();
      expect(vm.machine.hinting.pages).toBe(run * vm.balloon.counts().hinted);
      expect(vm.machine.hintedPages).toBeGreaterThan(FRAMES - 1000);
      // The change of the configuration, and not one buffer of hundreds.
      expect(vm.machine.counters.interrupts - before).toBe(1);
      vm.machine.finishHinting();
      vm.settle();
      expect(vm.machine.counters.interrupts - before).toBe(2);
      expect(vm.balloon.counts().hinted).toBe(0);
    }
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("is looked at less and less while the host takes nothing", async () => {
    const vm = await createTestVm({
      frames: FRAMES,
      machine: { offer: { freePageHint: true }, completion: { freePage: { kind: "never" } } },
    });
    vm.settle();
    vm.machine.startHinting();
    expect(watch(vm, LONG_MS).steps).toBeLessThan(100);
  });
});
