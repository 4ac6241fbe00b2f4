/**
 * Live migration of the real guest between equal QEMUs: at rest, amid inflating, amid deflating,
 * and as a saved state.
 *
 * After a move the balloon goes on to its target as if nothing had happened, and every byte of the
 * workload is where it was.
 */
import { describe, expect, it } from "vitest";
import { loadState, migrate, saveState } from "../../../src/vmm/qemu/migration.ts";
import { PAGE_BYTES } from "../../../src/vmm/vmm.ts";
import {
  allocate,
  ask,
  BOOT_MS,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  qemuGuest,
  sizeOf,
  statusOf,
  useGuests,
  verifyAll,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";
import {
  destinationOf,
  expectAtWork,
  expectBalloon,
  expectPagesBack,
  type MachineOptions,
  move,
  runStateOf,
  stopAmid,
} from "../support/migrations.ts";

useGuests();

const memoryBytes = 128 * MIB;
const HALF = 64 * PAGES_PER_MIB;
const WORKLOAD_FRAMES = 16 * PAGES_PER_MIB;
const ROOM = 100 * PAGES_PER_MIB;

const PLACES = [
  { arch: "i386", machine: "pc" },
  { arch: "x86_64", machine: "pc" },
  { arch: "x86_64", machine: "q35" },
  { arch: "x86_64", machine: "microvm" },
] as const;

describe.each(PLACES)("$arch $machine", (place) => {
  it("a guest with a half-inflated balloon moves twice, and goes on", async (context) => {
    const options = { ...place, memoryBytes };
    let vm = await qemuGuest(context, options);
    await allocate(vm, WORKLOAD_FRAMES, 1);
    await expectAtWork(vm, [HALF]);
    for (let round = 0; round < 2; round++) {
      vm = await move(context, vm, options);
      await expectBalloon(vm, HALF);
      expect((await vm.balloon.query()).targetPages).toBe(HALF);
      expect(await verifyAll(vm)).toMatchObject({ mismatches: 0 });
      // It is the same guest on new channels: it does not come up again.
      expect(vm.log.lines).toEqual([]);
      await expectAtWork(vm, [ROOM, 100, HALF]);
      // Frames that came back from the balloon here are as good as any.
      await allocate(vm, PAGES_PER_MIB, 2 + round);
    }
    expect(await verifyAll(vm)).toEqual({ bytes: 18 * MIB, mismatches: 0 });
  });
});

/** Small buffers: the way is long, and has a middle that can be hit. */
const PFNS = 16;
/** Longer than any test here may take: what goes on does so for the interrupts that moved along. */
const POLL_MS = 600_000;
const SOON = { timeout: BOOT_MS, interval: 20 };
const WAYS = [
  { name: "inflating", from: 0, to: ROOM },
  { name: "deflating", from: ROOM, to: 0 },
] as const;

describe.each(["i386", "x86_64"] as const)("%s", (arch) => {
  const options: MachineOptions = {
    arch,
    machine: "pc",
    memoryBytes,
    append: `ballonet.pfns=${PFNS} ballonet.poll=${POLL_MS}`,
  };

  for (const { name, from, to } of WAYS) {
    it(`${name}, with buffers that the guest has not looked at yet`, async (context) => {
      const source = await qemuGuest(context, options);
      await allocate(source, WORKLOAD_FRAMES, 1);
      const amid = await stopAmid(source, { from, to, pagesPerBuffer: PFNS });
      const destination = await move(context, source, options);
      // A stopped guest arrives stopped, so it is still where it was.
      expect(await runStateOf(destination)).toBe("paused");
      expect(await destination.balloon.query()).toEqual({ actualPages: amid, targetPages: to });
      await destination.resume();
      await destination.balloon.waitForActual({ pages: to, timeoutMs: BOOT_MS });
      await expectAtWork(destination, [to, HALF, ROOM, 0]);
    });
  }

  it("inflating all the while that it moves", async (context) => {
    const source = await qemuGuest(context, options);
    await allocate(source, WORKLOAD_FRAMES, 1);
    // At this pace the way takes more than a minute, and the move a second or two.
    const pagesPerSecond = 300;
    await ask(source, "policy.set", { name: "gentle", options: { pagesPerSecond } });
    await source.balloon.setTarget({ pages: ROOM });
    await expect.poll(() => sizeOf(source), SOON).toBeGreaterThan(0);
    const destination = await destinationOf(context, options, { paused: true });
    const before = await sizeOf(source);
    await migrate({ source, destination });
    await source.kill();
    const arrived = await sizeOf(destination);
    expect(arrived).toBeGreaterThanOrEqual(before);
    expect(arrived).toBeLessThan(ROOM);
    await destination.resume();
    await expect.poll(() => sizeOf(destination), SOON).toBeGreaterThan(arrived);
    await ask(destination, "policy.set", { name: "follow" });
    await destination.balloon.waitForActual({ pages: ROOM, timeoutMs: BOOT_MS });
    await expectAtWork(destination, [ROOM, 0, HALF]);
  });

  it("a state saved amid inflating begins again, and its first guest goes on", async (context) => {
    const source = await qemuGuest(context, options);
    await allocate(source, WORKLOAD_FRAMES, 1);
    const amid = await stopAmid(source, { from: 0, to: ROOM, pagesPerBuffer: PFNS });
    const state = await saveState({ source });
    const destination = await destinationOf(context, options);
    await loadState({ destination, state });
    expect(await sizeOf(destination)).toBe(amid);
    for (const vm of [source, destination]) {
      await vm.resume();
      await vm.balloon.waitForActual({ pages: ROOM, timeoutMs: BOOT_MS });
      await expectAtWork(vm, [ROOM, 7]);
    }
  });
});

const EVERYTHING = [
  { name: "QEMU 10", arch: "x86_64", packed: true, isNew: true },
  { name: "QEMU 10", arch: "i386", packed: false, isNew: true },
  { name: "system's QEMU", arch: "x86_64", packed: true, isNew: false },
] as const;

describe.each(EVERYTHING)("$name, $arch, packed rings $packed", ({ arch, packed, isNew }) => {
  it("all that the balloon has goes on after each of two moves", async (context) => {
    const options: MachineOptions = {
      arch,
      machine: "q35",
      memoryBytes,
      balloon: { packed, deflateOnOom: true, freePageReporting: true, freePageHint: true },
      ...(isNew && { binary: qemu10OrSkip(context, arch) }),
    };
    let vm = await qemuGuest(context, options);
    const { negotiated, interrupts } = await statusOf(vm);
    const { accepted } = await vm.balloon.negotiated();
    for (const name of ["DEFLATE_ON_OOM", "FREE_PAGE_HINT", "PAGE_REPORTING", "EVENT_IDX"]) {
      expect(negotiated.split(" ")).toContain(name);
    }
    expect(negotiated.includes("RING_PACKED")).toBe(packed);
    expect(interrupts === "msix").toBe(vm.qmp.version.major >= 10);
    const handle = await allocate(vm, WORKLOAD_FRAMES, 1);
    for (let round = 0; round < 2; round++) {
      // Statistics are being asked for, every second, when it goes.
      expect((await vm.balloon.statistics({ timeoutMs: BOOT_MS })).tags.totalMemory).toBeDefined();
      // After a shortage, only a new target is gone for at once.
      await inflateTo(vm, 0);
      await inflateTo(vm, HALF);
      vm = await move(context, vm, options);
      await expectBalloon(vm, HALF);
      await expectPagesBack(vm);
      expect((await vm.balloon.negotiated()).accepted).toBe(accepted);
      expect((await statusOf(vm)).interrupts).toBe(interrupts);
      const { tags } = await vm.balloon.statistics({ timeoutMs: BOOT_MS });
      const { frames } = await statusOf(vm);
      expect(tags.freeMemory).toBeLessThan(BigInt(memoryBytes - HALF * PAGE_BYTES));
      expect(tags.freeMemory).toBeGreaterThan(BigInt((frames.free - PAGES_PER_MIB) * PAGE_BYTES));
      // Memory that is freed is reported.
      const { reported } = (await statusOf(vm)).totals;
      await ask(vm, "workload.free", { handle: await allocate(vm, 24 * PAGES_PER_MIB, 2) });
      await expect
        .poll(async () => (await statusOf(vm)).totals.reported, SOON)
        .toBeGreaterThan(reported + 16 * PAGES_PER_MIB);
      // A guest that lacks memory takes some from the balloon.
      const large = await allocate(vm, 80 * PAGES_PER_MIB, 3);
      expect(await sizeOf(vm)).toBeLessThan(HALF);
      expect((await verifyAll(vm)).mismatches).toBe(0);
      await ask(vm, "workload.free", { handle: large });
    }
    expect(await ask(vm, "workload.verify", { handle })).toMatchObject({ mismatches: 0 });
    await expectAtWork(vm, [0]);
  });
});
