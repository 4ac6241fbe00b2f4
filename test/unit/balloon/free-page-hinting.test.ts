/** Waits for a host in free page hinting: a word that is missed, and one that never comes. */
import { expect, it } from "vitest";
import { profiles } from "../../../src/device/index.ts";
import { createTestVm, deliver, type TestVm, verdictLines, watch } from "../../support/vm.ts";

const FRAMES = 2048;
/** More than fits in all the hints that may be in flight. */
const MANY_FRAMES = 32_768;
const GUEST_FRAMES = 300;
const MINUTES_10_MS = 600_000;
/** After this a change of the configuration cannot be a run's announcement. */
const LATER_MS = 1000;
/** An id that is announced again is a run's own after five seconds. */
const SAME_ID_MS = 6000;
/** QueueNotify (virtio 1.3, 4.2.2). */
const NOTIFY_ADDRESS = profiles.strict.mmio.base + 0x50;

/** A guest at work, on a host of this kind. */
async function guestOn(machine: Parameters<typeof createTestVm>[0] & object): Promise<TestVm> {
  const vm = await createTestVm({ frames: FRAMES, settings: { reservePages: 0 }, ...machine });
  vm.guest.grow(GUEST_FRAMES, 3);
  watch(vm, LATER_MS);
  return vm;
}

function hasAllPages(vm: TestVm): void {
  expect(vm.balloon.counts()).toMatchObject({ hinted: 0, used: GUEST_FRAMES });
  vm.machine.setTarget(FRAMES - GUEST_FRAMES);
  watch(vm, LATER_MS);
  expect(vm.machine.heldPages).toBe(FRAMES - GUEST_FRAMES);
  expect(vm.guest.verify()).toBe(0);
  vm.machine.check();
  expect(verdictLines(vm.machine)).toEqual([]);
}

const again = [
  { name: "before the guest looks at all", steps: 0, runs: 1 },
  { name: "after the guest has stopped, before it reads DONE", steps: 1, runs: 2 },
] as const;

it.each(again)("a run of the same id, $name, comes to its end", async ({ steps, runs }) => {
  const vm = await guestOn({ machine: { profile: "v86" } });
  vm.machine.startHinting();
  if (steps > 0) deliver(vm);
  expect(vm.machine.hinting.stops).toBe(steps);
  vm.machine.startHinting();
  watch(vm, SAME_ID_MS);
  const { starts, stops, pages } = vm.machine.hinting;
  const most = FRAMES - GUEST_FRAMES;
  expect({ starts, stops, pages }).toEqual({ starts: runs, stops: runs, pages: runs * most });
  hasAllPages(vm);
});

it("many runs of one id, each before DONE of the last is read, all come to their end", async () => {
  const vm = await guestOn({ machine: { profile: "v86" } });
  for (let run = 0; run < 10; run++) {
    vm.machine.startHinting();
    deliver(vm);
    vm.machine.startHinting();
    watch(vm, SAME_ID_MS);
  }
  expect(vm.machine.hinting).toMatchObject({ starts: 20, stops: 20 });
  hasAllPages(vm);
});

it("a host that never says DONE loses the pages after a minute, and no earlier", async () => {
  const vm = await guestOn({ machine: { offer: { freePageHint: true } } });
  vm.machine.startHinting();
  watch(vm, 55_000);
  expect(vm.balloon.counts().hinted).toBe(FRAMES - GUEST_FRAMES);
  watch(vm, 10_000);
  expect(vm.balloon.status().hintRun).toBe(2);
  hasAllPages(vm);
  vm.machine.finishHinting();
  vm.machine.setTarget(0);
  watch(vm, LATER_MS);
  expect(vm.balloon.status().hintRun).toBeUndefined();
  expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
});

it("an id that is announced again for a run that then ends with DONE begins no other", async () => {
  const vm = await guestOn({ machine: { offer: { freePageHint: true } } });
  vm.machine.startHinting();
  watch(vm, LATER_MS);
  vm.machine.inject({ name: "hint-id-stale" });
  vm.machine.startHinting();
  watch(vm, LATER_MS);
  vm.machine.finishHinting();
  watch(vm, SAME_ID_MS);
  expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
  hasAllPages(vm);
});

it("another target while DONE is waited for begins no run, however often", async () => {
  const vm = await guestOn({ machine: { offer: { freePageHint: true } } });
  vm.machine.startHinting();
  for (let pages = 1; pages < 9; pages++) {
    watch(vm, LATER_MS);
    vm.machine.setTarget(pages);
  }
  watch(vm, LATER_MS);
  expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
  expect(verdictLines(vm.machine)).toEqual([]);
});

it("a run that the guest found by itself is not begun again by its announcement", async () => {
  const vm = await guestOn({
    settings: { pollMs: 10, reservePages: 0 },
    machine: { offer: { freePageHint: true } },
  });
  vm.machine.startHinting();
  vm.machine.advance(20);
  vm.balloon.step();
  expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
  watch(vm, LATER_MS);
  expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
  expect(verdictLines(vm.machine)).toEqual([]);
});

/** A guest whose host misses notifications while `host.isDeaf`. */
async function guestOnDeaf() {
  const vm = await guestOn({ machine: { transport: "mmio", offer: { freePageHint: true } } });
  const { hal } = vm.machine;
  const write = hal.mmioWrite;
  const host = { isDeaf: true, missed: 0 };
  hal.mmioWrite = (address, width, value) => {
    if (address === NOTIFY_ADDRESS && host.isDeaf) host.missed += 1;
    else write(address, width, value);
  };
  return { vm, host };
}

/** All pages are back, and the device complains of no more than what it heard too late. */
function hasHeardAll(vm: TestVm, late: readonly string[]): void {
  expect(vm.balloon.counts()).toMatchObject({ hinted: 0, used: GUEST_FRAMES });
  expect(new Set(vm.machine.verdicts.map(({ rule }) => rule))).toEqual(new Set(late));
}

it("a host that has missed a notification is notified again", async () => {
  const { vm, host } = await guestOnDeaf();
  vm.machine.startHinting();
  deliver(vm);
  expect(host.missed).toBe(1);
  host.isDeaf = false;
  watch(vm, 100);
  expect(vm.machine.hinting).toMatchObject({ starts: 0, stops: 0 });
  watch(vm, 2 * LATER_MS);
  expect(vm.machine.hinting).toMatchObject({ starts: 1, stops: 1 });
  vm.machine.finishHinting();
  watch(vm, LATER_MS);
  hasHeardAll(vm, ["R-KICK-MISSING"]);
});

it("a host that has missed a run, and asks for another, is notified again", async () => {
  const { vm, host } = await guestOnDeaf();
  vm.machine.startHinting();
  deliver(vm);
  vm.machine.finishHinting();
  deliver(vm);
  vm.machine.startHinting();
  deliver(vm);
  const { hinted } = vm.balloon.counts();
  expect(hinted).toBe(FRAMES - GUEST_FRAMES);
  host.isDeaf = false;
  watch(vm, 2 * LATER_MS);
  expect(vm.machine.hinting).toMatchObject({ starts: 2, stops: 2, pages: hinted });
  vm.machine.finishHinting();
  watch(vm, LATER_MS);
  // It hears of the first run when it has asked for the second.
  hasHeardAll(vm, ["R-KICK-MISSING", "D21-ID", "D21-START"]);
});

it("a run that had no room to begin, and was stopped, keeps no pages of the run before", async () => {
  const completion = { freePage: { kind: "late", ms: LATER_MS } } as const;
  const vm = await createTestVm({
    frames: MANY_FRAMES,
    settings: { reservePages: 0 },
    machine: { offer: { freePageHint: true }, completion },
  });
  vm.machine.startHinting();
  watch(vm, LATER_MS / 2);
  const first = vm.balloon.counts().hinted;
  vm.machine.startHinting();
  deliver(vm);
  expect(vm.machine.hinting).toMatchObject({ starts: 1, pages: first });
  vm.machine.stopHinting();
  deliver(vm);
  expect(vm.balloon.status().hintRun).toBeDefined();
  vm.machine.finishHinting();
  watch(vm, 2 * LATER_MS);
  expect(vm.balloon.status().hintRun).toBeUndefined();
  expect(vm.balloon.counts()).toMatchObject({ hinted: 0, free: MANY_FRAMES });
  expect(verdictLines(vm.machine)).toEqual([]);
});

it("a queue that returns no hint keeps its pages, quietly, until a reset", async () => {
  const completion = { freePage: { kind: "never" } } as const;
  const vm = await guestOn({ machine: { offer: { freePageHint: true }, completion } });
  vm.machine.startHinting();
  watch(vm, LATER_MS);
  const { steps, notifications } = watch(vm, MINUTES_10_MS);
  expect([steps, notifications].every((count) => count < 1300)).toBe(true);
  expect(vm.balloon.counts().hinted).toBeGreaterThan(0);
  vm.balloon.suspend();
  vm.balloon.resume();
  watch(vm, LATER_MS);
  hasAllPages(vm);
});
