/**
 * What several scenarios have in common: the same moves on machines that differ.
 *
 * Each script ends at rest.
 */
import type { MachineOptions } from "../../../src/device/index.ts";
import { deliver, type TestVmOptions, watch } from "../../support/vm.ts";
import { FRAMES, type Testbed } from "../testbed.ts";

export type Machine = Omit<MachineOptions, "memory">;

export const late = { kind: "late", ms: 20 } as const;

export const GUEST_FRAMES = 300;
/** The driver's default. */
export const RESERVE = 256;
/** All that the balloon can get while the guest program holds `GUEST_FRAMES`. */
export const MOST = FRAMES - GUEST_FRAMES - RESERVE;

/** Up, down, up to all there is, and back to nothing, the guest program at work in between. */
export async function targets(testbed: Testbed, machine: Machine = {}, more: TestVmOptions = {}) {
  const vm = await testbed.vm({ ...more, machine });
  vm.guest.grow(GUEST_FRAMES, 3);
  for (const target of [1, 257, 40, 700, 100]) {
    vm.machine.setTarget(target);
    testbed.checkAtRest(vm, { held: target });
    vm.guest.shrink(50);
    vm.guest.grow(50, target);
  }
  vm.machine.setTarget(0xffff_ffff);
  testbed.checkAtRest(vm, { held: MOST, memoryShort: true });
  vm.machine.setTarget(0);
  testbed.checkAtRest(vm, { held: 0 });
  return vm;
}

/**
 * A target that is turned around while its buffers are in flight; the guest takes all it can get.
 */
export async function reversals(testbed: Testbed, machine: Machine, more: TestVmOptions = {}) {
  const vm = await testbed.vm({ ...more, machine });
  const turn = (target: number, ms: number) => {
    vm.machine.setTarget(target);
    deliver(vm);
    vm.balloon.step();
    vm.machine.advance(ms);
    deliver(vm);
    vm.balloon.step();
  };
  vm.guest.grow(GUEST_FRAMES, 5);
  turn(900, 3);
  turn(100, 3);
  turn(1100, 30);
  vm.guest.grow(FRAMES, 6);
  turn(50, 3);
  turn(600, 3);
  turn(200, 3);
  vm.guest.grow(FRAMES, 7);
  turn(0, 3);
  vm.guest.grow(FRAMES, 8);
  vm.settle();
  vm.guest.grow(FRAMES, 9);
  testbed.checkAtRest(vm, { held: 0 });
  vm.guest.shrink(FRAMES);
  vm.machine.setTarget(500);
  testbed.checkAtRest(vm, { held: 500 });
}

export async function restart(testbed: Testbed, machine: Machine = {}) {
  const vm = await testbed.vm({ machine });
  watch(vm, 100);
  vm.guest.grow(GUEST_FRAMES, 4);
  vm.machine.setTarget(900);
  testbed.checkAtRest(vm, { held: 900 });
  vm.machine.inject({ name: "needs-reset" });
  vm.machine.setTarget(400);
  watch(vm, 2000);
  testbed.checkAtRest(vm, { held: 400 });
  vm.machine.requestStats();
  vm.machine.setTarget(100);
  testbed.checkAtRest(vm, { held: 100 });
}
