/**
 * Memory pressure in virtual time: the gentle policy's pace, and what a shortage of the guest does
 * to balloon and target.
 */
import { describe, expect, it } from "vitest";
import { follow, gentle, type Policy } from "../../../src/index.ts";
import { createTestVm, type TestVm, verdictLines, watch } from "../../support/vm.ts";

const FRAMES = 2048;
/** The settings' default. */
const RESERVE = 256;

describe("gentle", () => {
  it("inflates at its pace and deflates at once", async () => {
    const vm = await createTestVm({ frames: FRAMES, policy: gentle({ pagesPerSecond: 1000 }) });
    const start = vm.machine.nowMs;
    vm.machine.setTarget(1500);
    for (const ms of [250, 500, 750, 1000, 1250]) {
      watch(vm, start + ms - vm.machine.nowMs);
      // The first portion, of a tenth of a second, comes at once.
      expect(vm.machine.heldPages).toBeGreaterThanOrEqual(ms - 100);
      expect(vm.machine.heldPages).toBeLessThanOrEqual(ms + 100);
    }
    watch(vm, 1000);
    expect(vm.machine.heldPages).toBe(1500);
    vm.machine.setTarget(200);
    vm.balloon.interrupt();
    expect(vm.machine.heldPages).toBe(200);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });
});

/** A guest that needs more than is free, while the balloon has most of its memory. */
async function squeezed(
  policy: Policy,
  machine: NonNullable<Parameters<typeof createTestVm>[0]>["machine"] = {},
): Promise<TestVm> {
  const vm = await createTestVm({ frames: FRAMES, policy, machine });
  vm.machine.setTarget(FRAMES - RESERVE);
  watch(vm, 5000);
  expect(vm.machine.heldPages).toBe(FRAMES - RESERVE);
  return vm;
}

describe("a guest that runs out of memory", () => {
  it("gets it from the balloon when DEFLATE_ON_OOM was negotiated", async () => {
    const vm = await squeezed(follow());
    expect(vm.guest.grow(1000, 5)).toBe(1000);
    expect(vm.guest.verify()).toBe(0);
    expect(vm.machine.heldPages).toBeLessThanOrEqual(FRAMES - 1000);
    expect(vm.machine.heldPages).toBeGreaterThan(0);
    vm.machine.check({ memoryShort: true });
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("gets nothing when it was not", async () => {
    const vm = await squeezed(follow(), { offer: { deflateOnOom: false } });
    expect(vm.guest.grow(1000, 5)).toBe(RESERVE);
    expect(vm.balloon.allocate(1)).toBeUndefined();
    expect(vm.machine.heldPages).toBe(FRAMES - RESERVE);
    vm.machine.check({ memoryShort: true });
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("gets it from a slow device with a later call", async () => {
    const vm = await squeezed(follow(), { completion: { deflate: { kind: "late", ms: 20 } } });
    expect(vm.guest.grow(1000, 5)).toBe(RESERVE);
    expect(vm.balloon.counts().deflating).toBeGreaterThan(0);
    watch(vm, 50);
    expect(vm.guest.grow(200, 6)).toBe(200);
    expect(vm.guest.verify()).toBe(0);
  });

  it("is then left alone for the hold-off, though the target is unchanged", async () => {
    const vm = await squeezed(follow({ holdOffMs: 5000 }));
    vm.guest.grow(1000, 5);
    expect(vm.guest.shrink(1000)).toBe(0);
    const held = vm.machine.heldPages;
    const { notifications } = watch(vm, 4900);
    expect(vm.machine.heldPages).toBe(held);
    expect(notifications).toBe(0);
    watch(vm, 200);
    expect(vm.machine.heldPages).toBe(FRAMES - RESERVE);
  });

  it("is asked again at once when the host changes its mind", async () => {
    const vm = await squeezed(follow({ holdOffMs: 60_000 }));
    vm.guest.grow(1000, 5);
    vm.guest.shrink(1000);
    vm.machine.setTarget(FRAMES - RESERVE - 1);
    watch(vm, 100);
    expect(vm.machine.heldPages).toBe(FRAMES - RESERVE - 1);
  });

  it("has room to spare before the gentle policy asks again", async () => {
    const policy = gentle({ pagesPerSecond: 50_000, holdOffMs: 5000, hysteresisPages: 500 });
    const vm = await squeezed(policy);
    vm.guest.grow(1000, 5);
    const held = vm.machine.heldPages;
    watch(vm, 30_000);
    expect(vm.machine.heldPages).toBe(held);
    vm.guest.shrink(1000);
    watch(vm, 10_000);
    expect(vm.machine.heldPages).toBe(FRAMES - RESERVE);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });
});
