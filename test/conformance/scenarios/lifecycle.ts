/** The scenarios of devices that go away and come back, and of drivers that sleep. */

import { type TestVm, watch } from "../../support/vm.ts";
import { FRAMES, type Testbed } from "../testbed.ts";
import { GUEST_FRAMES, late, type Machine } from "./moves.ts";

type Gone = "gone" | "gone-zeros";

/** Longer than a driver waits for a reset, and than it goes without a look at its device. */
const PATIENCE_MS = 3000;
/**
 * Accesses from the request of a reset to the end of the inflate that follows: those that any
 * driver needs, and more than this one.
 */
const ACCESSES_LEAST = 40;
const ACCESSES_MOST = 150;

/** All that must be so once the device is gone. */
async function judgeGone(testbed: Testbed, vm: TestVm, during: string): Promise<void> {
  const check = (isGood: boolean, seen: string) =>
    testbed.check("B-GONE", isGood, `${during}: ${seen}`);
  watch(vm, PATIENCE_MS);
  const { state, lastError, targetPages, actualPages } = vm.balloon.status();
  check(state === "gone", `state ${state}`);
  check(lastError?.code === "device-gone", `error ${lastError?.message}`);
  check(targetPages <= FRAMES, `a target of ${targetPages}`);
  check(actualPages === 0, `actual ${actualPages}`);
  const { free, used } = vm.balloon.counts();
  check(free + used === FRAMES, `${free} free and ${used} used`);
  const { accesses } = vm.machine.counters;
  check(!vm.balloon.interrupt(), "an interrupt");
  vm.machine.setTarget(vm.machine.target);
  watch(vm, PATIENCE_MS);
  await vm.balloon.suspend();
  await vm.balloon.stop();
  const more = vm.machine.counters.accesses - accesses;
  check(more === 0, `${more} accesses`);
  testbed.checkAtRest(vm, { held: 0 });
}

/** How often the driver has said so since an entry of the trace. */
function timesSaid({ machine: { trace } }: TestVm, since: number): number {
  let times = 0;
  for (let n = Math.max(since, trace.lost) + 1; n <= trace.last; n++) {
    const entry = trace.at(n);
    if (entry?.kind === "log" && entry.what.includes("is gone;")) times += 1;
  }
  return times;
}

/** One device after the other is taken out, each an access later than the one before. */
async function goneAtAnyMoment(testbed: Testbed, name: Gone, machine: Machine) {
  const vm = await testbed.vm({ machine });
  vm.guest.grow(GUEST_FRAMES, 1);
  let after = 0;
  for (; after < ACCESSES_MOST; after++) {
    vm.machine.setTarget(600);
    testbed.checkAtRest(vm, { held: 600 });
    vm.machine.inject({ name: "needs-reset" });
    vm.machine.inject({ name, after });
    vm.machine.setTarget(900);
    const since = vm.machine.trace.last;
    watch(vm, PATIENCE_MS);
    // All was done before the fault came.
    if (vm.machine.status !== 0) break;
    await judgeGone(testbed, vm, `${name} after ${after} accesses`);
    const said = timesSaid(vm, since);
    testbed.check("B-GONE", said === 1, `${name} after ${after} accesses is said ${said} times`);
    if (vm.balloon.status().state !== "gone") return;
    vm.machine.plug();
    const trouble = await vm.balloon.attach().then(() => undefined, String);
    vm.settle();
    const { held } = vm.balloon.counts();
    testbed.check("B-ATTACH", held === 900, trouble ?? `${held} pages`);
    if (held !== 900) return;
  }
  testbed.check("B-GONE", after > ACCESSES_LEAST && after < ACCESSES_MOST, `${after} moments`);
}

/** With buffers of all queues on their way, the device's interrupt up and none of it served. */
async function goneMeanwhile(testbed: Testbed, name: Gone) {
  const offer = { freePageHint: true, pageReporting: true, ringReset: true };
  const vm = await testbed.vm({ machine: { offer, completion: late } });
  vm.guest.grow(GUEST_FRAMES, 2);
  vm.machine.setTarget(1000);
  testbed.checkAtRest(vm, { held: 1000 });
  vm.machine.startHinting();
  vm.machine.requestStats();
  for (const target of [300, 1100]) {
    vm.machine.setTarget(target);
    vm.balloon.interrupt();
  }
  vm.machine.inject({ name });
  await judgeGone(testbed, vm, name);
}

/** Between two looks, another device took the place of the one that the driver knew. */
async function exchanged(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { profile: "qemu" } });
  vm.guest.grow(GUEST_FRAMES, 3);
  vm.machine.setTarget(800);
  testbed.checkAtRest(vm, { held: 800 });
  vm.machine.unplug();
  vm.machine.plug();
  watch(vm, PATIENCE_MS);
  testbed.checkAtRest(vm, { held: 800 });
  const { restarts } = vm.balloon.status();
  testbed.check("B-EXCHANGED", restarts === 1, `${restarts} restarts`);
}

async function suspendAndResume(testbed: Testbed, machine: Machine = {}) {
  const vm = await testbed.vm({ machine });
  watch(vm, 100);
  vm.guest.grow(GUEST_FRAMES, 4);
  const check = (isGood: boolean, seen: string) => testbed.check("B-SUSPEND", isGood, seen);
  for (const [asleep, target] of [
    [700, 700],
    [1200, 200],
    [0, 1200],
  ] as const) {
    vm.machine.setTarget(asleep);
    testbed.checkAtRest(vm, { held: asleep });
    const { deflated } = vm.balloon.status().totals;
    await vm.balloon.suspend();
    const { free, used } = vm.balloon.counts();
    const { state, totals } = vm.balloon.status();
    check(state === "suspended" && vm.machine.status === 0, `${state}, ${vm.machine.status}`);
    check(free + used === FRAMES, `${free} free and ${used} used`);
    check(totals.deflated === deflated, `${totals.deflated - deflated} pages told`);
    const { accesses } = vm.machine.counters;
    vm.machine.setTarget(target);
    vm.balloon.interrupt();
    watch(vm, PATIENCE_MS);
    check(vm.machine.counters.accesses === accesses, "accesses while suspended");
    testbed.checkAtRest(vm, { held: 0 });
    await vm.balloon.resume();
    check(vm.balloon.status().state === "running", `${vm.balloon.status().state} after resume`);
    testbed.checkAtRest(vm, { held: target });
  }
}

const memory = { profile: "firecracker" } as const;

export const lifecycleScenarios = {
  "a device that is gone at any moment": (testbed: Testbed) => goneAtAnyMoment(testbed, "gone", {}),
  "a device that is gone at any moment, registers in memory": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone", memory),
  "a device that is gone at any moment, and reads as zeros": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone-zeros", memory),
  "a device that is gone at any moment, legacy": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone", { transport: "legacy" }),
  "a device that is gone at any moment, MSI-X": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone-zeros", { vectors: 4 }),
  "a device that is gone at any moment, MMIO": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone", { transport: "mmio" }),
  "a device that is gone at any moment, MMIO that reads as zeros": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone-zeros", { transport: "mmio" }),
  "a device that is gone at any moment, legacy MMIO that reads as zeros": (testbed: Testbed) =>
    goneAtAnyMoment(testbed, "gone-zeros", { transport: "legacy-mmio" }),
  "a device that is gone while all queues are busy": (testbed: Testbed) =>
    goneMeanwhile(testbed, "gone"),
  "a device that was exchanged": exchanged,
  "suspend and resume": (testbed: Testbed) => suspendAndResume(testbed),
  "suspend and resume, with slow resets": (testbed: Testbed) =>
    suspendAndResume(testbed, { faults: [{ name: "reset-slow", times: 30 }] }),
  "suspend and resume, with features refused": (testbed: Testbed) =>
    suspendAndResume(testbed, { faults: [{ name: "refuse-features", times: 2 }] }),
} as const;
