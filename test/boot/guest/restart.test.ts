/**
 * Machines that begin again: reset buttons, and saved states put back.
 *
 * Whatever the host believed before, afterwards its figure is what the guest really has in the
 * balloon.
 */
import { describe, expect, it } from "vitest";
import {
  allocate,
  ask,
  BOOT_MS,
  guestAt,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  PLACES,
  placeName,
  ready,
  sizeOf,
  statusOf,
  useGuests,
  v86Guest,
  verifyAll,
} from "../../support/guests.ts";

useGuests();

const memoryBytes = 64 * MIB;
const PAGES = 24 * PAGES_PER_MIB;
const SOON = { timeout: BOOT_MS, interval: 20 };

describe.each(PLACES.map((place) => ({ place, name: placeName(place) })))("$name", ({ place }) => {
  it("after a reset the driver comes up again and reaches the same target", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes });
    await allocate(vm, 256, 1);
    await inflateTo(vm, PAGES);
    for (let round = 0; round < 3; round++) {
      const from = vm.log.nextNumber;
      await vm.reset();
      await ready(vm, from);
      // The host's target outlives the guest, and the new guest follows it without being asked.
      await expect.poll(async () => (await statusOf(vm)).actualPages, SOON).toBe(PAGES);
      expect(await sizeOf(vm)).toBe(PAGES);
      const { workloadFrames, totals, uptimeMs } = await statusOf(vm);
      expect({ workloadFrames, inflated: totals.inflated }).toEqual({
        workloadFrames: 0,
        inflated: PAGES,
      });
      expect(uptimeMs).toBeLessThan(BOOT_MS);
    }
    await allocate(vm, 256, 2);
    await inflateTo(vm, 0);
    expect((await verifyAll(vm)).mismatches).toBe(0);
  });

  it("what a device remembers of the last guest's balloon is put right", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes });
    await inflateTo(vm, PAGES);
    // The new guest has nothing to inflate, so that only its first word can correct the figure.
    await vm.pause();
    await vm.balloon.setTarget({ pages: 0 });
    expect(await sizeOf(vm)).toBe(PAGES);
    const from = vm.log.nextNumber;
    await vm.reset();
    await vm.resume();
    await ready(vm, from);
    await vm.balloon.waitForActual({ pages: 0, timeoutMs: BOOT_MS });
    expect((await statusOf(vm)).totals.deflated).toBe(0);
  });
});

it("v86: a state saved with a half-inflated balloon goes on", async (context) => {
  const vm = await v86Guest(context, { memoryBytes });
  await allocate(vm, 1024, 21);
  // At this pace there is ample time between the first page and the last one.
  await ask(vm, "policy.set", { name: "gentle", options: { pagesPerSecond: 6000 } });
  await vm.balloon.setTarget({ pages: PAGES });
  await expect.poll(() => sizeOf(vm), SOON).toBeGreaterThan(0);
  const state = await vm.snapshots.save();
  await vm.balloon.waitForActual({ pages: PAGES, timeoutMs: BOOT_MS });
  await inflateTo(vm, 0);

  await vm.snapshots.restore({ state });
  const { actualPages, targetPages } = await vm.balloon.query();
  expect(actualPages).toBeGreaterThan(0);
  expect(actualPages).toBeLessThan(PAGES);
  expect(targetPages).toBe(PAGES);
  await vm.balloon.waitForActual({ pages: PAGES, timeoutMs: BOOT_MS });
  expect(await verifyAll(vm)).toEqual({ bytes: 1024 * 4096, mismatches: 0 });
  await inflateTo(vm, 7);
  expect((await statusOf(vm)).frames.held).toBe(7);

  const other = await v86Guest(context, { memoryBytes });
  await other.snapshots.restore({ state });
  await other.balloon.waitForActual({ pages: PAGES, timeoutMs: BOOT_MS });
  expect(await verifyAll(other)).toEqual({ bytes: 1024 * 4096, mismatches: 0 });
});
