/**
 * The balloon goes where the host wants it, under every profile, and nothing is lost on the way.
 */
import { describe, expect, it } from "vitest";
import { type ProfileName, profiles } from "../../src/device/index.ts";
import { createTestVm, verdictLines } from "../support/vm.ts";

const FRAMES = 4096;
const GUEST_FRAMES = 700;
/** Held back from the balloon, so that "all that is free" has a floor to find. */
const RESERVE = 256;
const TARGETS = [1, 255, 256, 257, 512 * 5 + 1, 0xffff_ffff];

for (const profile of Object.keys(profiles) as ProfileName[]) {
  for (const ringSize of [2, 256]) {
    describe(`profile ${profile}, rings of ${ringSize}`, () => {
      it.each(TARGETS)("0 -> %i -> 0", async (target) => {
        const vm = await createTestVm({ frames: FRAMES, machine: { profile, ringSize } });
        expect(vm.guest.grow(GUEST_FRAMES, 7)).toBe(GUEST_FRAMES);
        const free = FRAMES - GUEST_FRAMES;
        const answers = profile !== "libkrun";
        const reachable = answers ? Math.min(target, free - RESERVE) : 0;

        vm.machine.setTarget(target);
        vm.settle();
        const memoryShort = reachable < target;
        expect(verdictLines(vm.machine)).toEqual([]);
        expect(vm.balloon.status().actualPages).toBe(reachable);
        expect(vm.balloon.counts().held).toBe(reachable);
        if (answers) expect(vm.machine.actual).toBe(reachable);
        expect(vm.machine.heldPages).toBe(reachable);
        expect(vm.guest.verify()).toBe(0);
        vm.machine.check({ memoryShort: memoryShort || !answers });
        expect(verdictLines(vm.machine)).toEqual([]);

        vm.machine.setTarget(0);
        vm.settle();
        expect(vm.balloon.counts().held).toBe(0);
        expect(vm.machine.heldPages).toBe(0);
        if (answers) expect(vm.balloon.counts().free).toBe(free);
        const counts = vm.balloon.counts();
        const sum = Object.values(counts).reduce((total, frames) => total + frames, 0);
        expect(sum).toBe(FRAMES + 1);
        expect(vm.guest.shrink(GUEST_FRAMES)).toBe(0);
        vm.machine.check({ memoryShort: !answers });
        expect(verdictLines(vm.machine)).toEqual([]);
      });
    });
  }
}
