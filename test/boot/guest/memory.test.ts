/**
 * What the balloon is worth to the host: memory that really returns, a small rest, no idle work.
 *
 * What is measured is a property of one QEMU process, so that a busy machine cannot change it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import {
  allocate,
  ask,
  guestAt,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  PLACES,
  placeName,
  QEMU_PLACES,
  qemuGuest,
  statusOf,
  useGuests,
  verifyAll,
} from "../../support/guests.ts";

useGuests();

const PAGE = 4096;
const IDLE_MS = 10_000;
const IDLE_SHARE_MAX = 0.03;
/** How far the fall of the resident set may be from what was inflated. */
const RETURNED_WITHIN = 0.05;
/** The rest that a guest of 64 MiB may keep. */
const KEPT_BYTES_MAX = 12 * MIB;
/** A balloon that has not grown for so many looks has grown as far as it will. */
const STILL_LOOKS = 10;
const LOOK_MS = 100;

async function resident(vm: QemuVmm): Promise<number> {
  const bytes = await vm.residentBytes();
  if (bytes === undefined) throw new Error("no resident set to be seen: this is not Linux");
  return bytes;
}

async function cpuSeconds(vm: QemuVmm): Promise<number> {
  const seconds = await vm.cpuSeconds();
  if (seconds === undefined) throw new Error("no processor time to be seen: this is not Linux");
  return seconds;
}

/** Waits until the balloon no longer grows; answers its size in pages. */
async function settled(vm: Vmm): Promise<number> {
  let last = -1;
  for (let still = 0; still < STILL_LOOKS; still++) {
    await sleep(LOOK_MS);
    const { actualPages } = await vm.balloon.query();
    if (actualPages !== last) still = 0;
    last = actualPages;
  }
  return last;
}

describe.each(QEMU_PLACES)("qemu $arch $machine", ({ arch, machine }) => {
  it("the host gets back what was inflated, within 5 %", async (context) => {
    const memoryBytes = 512 * MIB;
    const vm = await qemuGuest(context, { arch, machine, memoryBytes, preallocate: true });
    const frames = 8 * PAGES_PER_MIB;
    await allocate(vm, frames, 9);
    // QEMU itself grows by some MiB when a guest does something for the first time.
    await inflateTo(vm, PAGES_PER_MIB);
    await inflateTo(vm, 0);
    const full = await resident(vm);
    expect(full).toBeGreaterThan(memoryBytes - 2 * MIB);
    for (const mebibytes of [200, 400]) {
      await inflateTo(vm, mebibytes * PAGES_PER_MIB);
      const returned = full - (await resident(vm));
      expect(Math.abs(returned / (mebibytes * MIB) - 1)).toBeLessThan(RETURNED_WITHIN);
    }
    await inflateTo(vm, 0);
    expect(await verifyAll(vm)).toEqual({ bytes: frames * PAGE, mismatches: 0 });
  });
});

it("an idle guest needs no processor, with an empty balloon or a full one", async (context) => {
  const memoryBytes = 64 * MIB;
  const guests = await Promise.all(
    QEMU_PLACES.map((place) => qemuGuest(context, { ...place, memoryBytes })),
  );
  for (const [index, vm] of guests.entries()) {
    if (index % 2 === 1) await inflateTo(vm, 32 * PAGES_PER_MIB);
  }
  const before = await Promise.all(guests.map(cpuSeconds));
  const startMs = performance.now();
  await sleep(IDLE_MS);
  const after = await Promise.all(guests.map(cpuSeconds));
  const seconds = (performance.now() - startMs) / 1000;
  for (const [index, place] of QEMU_PLACES.entries()) {
    const share = ((after[index] ?? 0) - (before[index] ?? 0)) / seconds;
    expect(share, placeName(place)).toBeLessThan(IDLE_SHARE_MAX);
  }
});

describe.each(PLACES.map((place) => ({ place, name: placeName(place) })))("$name", (row) => {
  it("keeps 12 of 64 MiB at most, and still answers", async (context) => {
    const memoryBytes = 64 * MIB;
    const vm = await guestAt(context, row.place, { memoryBytes });
    await ask(vm, "reserve.set", { pages: 16 });
    await vm.balloon.setTarget({ pages: memoryBytes / PAGE - 1 });
    const heldPages = await settled(vm);
    const keptBytes = memoryBytes - heldPages * PAGE;
    const { actualPages, frames, outOfReach } = await statusOf(vm);
    expect(actualPages).toBe(heldPages);
    expect(outOfReach).toBe(true);
    expect(keptBytes).toBeLessThanOrEqual(KEPT_BYTES_MAX);
    const { tags } = await vm.balloon.statistics({ timeoutMs: 60_000 });
    expect(Number(tags.freeMemory)).toBe(frames.free * PAGE);
    // And back: what was given away is whole again.
    await inflateTo(vm, 0);
    await allocate(vm, 4 * PAGES_PER_MIB, 11);
    expect((await verifyAll(vm)).mismatches).toBe(0);
  });
});
