/**
 * The scenarios: what guest and host do, in a few lines each, on a machine with something special
 * about it.
 *
 * The driver passes every scenario without a verdict and without a broken behaviour; each ends at
 * rest.
 */
import { type Completion, type FaultName, hasFailed } from "../../../src/device/index.ts";
import { deliver, watch } from "../../support/vm.ts";
import { FRAMES, type Testbed } from "../testbed.ts";
import { deviceScenarios } from "./devices.ts";
import { freePageScenarios } from "./free-pages.ts";
import { lifecycleScenarios } from "./lifecycle.ts";
import { mmioScenarios } from "./mmio.ts";
import { GUEST_FRAMES, late, MOST, RESERVE, restart, reversals, targets } from "./moves.ts";
import { pciScenarios } from "./pci.ts";
import { ringScenarios } from "./ring.ts";
import { untrustedScenarios } from "./untrusted.ts";

const STAT_FREE = 4;
const STAT_TOTAL = 5;
const PAGE_BYTES = 4096;

async function statistics(testbed: Testbed) {
  const vm = await testbed.vm({ settings: { reservePages: 0 } });
  const ask = () => {
    vm.machine.requestStats();
    vm.settle();
    const { sample } = vm.machine.stats;
    const counts = vm.balloon.counts();
    const free = Number(sample.get(STAT_FREE)) / PAGE_BYTES;
    const total = Number(sample.get(STAT_TOTAL)) / PAGE_BYTES;
    testbed.check("B-STATS-TRUE", free === counts.free, `${free} pages said to be free`);
    testbed.check("B-STATS-TRUE", total === counts.free + counts.used, `a total of ${total} pages`);
  };
  testbed.checkAtRest(vm, { held: 0 });
  ask();
  vm.guest.grow(GUEST_FRAMES, 1);
  ask();
  vm.machine.setTarget(FRAMES - GUEST_FRAMES);
  testbed.checkAtRest(vm, { held: FRAMES - GUEST_FRAMES });
  ask();
  vm.machine.setTarget(10);
  testbed.checkAtRest(vm, { held: 10 });
  ask();
}

/** The inflate queue takes its time, or for ever; statistics are asked for meanwhile. */
async function statisticsMeanwhile(testbed: Testbed, inflate: Completion) {
  const vm = await testbed.vm({ machine: { completion: { inflate } } });
  vm.guest.grow(GUEST_FRAMES, 2);
  vm.machine.setTarget(400);
  vm.balloon.interrupt();
  for (let asked = 0; asked < 3; asked++) {
    vm.machine.requestStats();
    vm.balloon.interrupt();
    vm.machine.advance(10);
  }
  testbed.checkAtRest(vm, { held: inflate.kind === "never" ? 0 : 400, memoryShort: true });
}

async function restartsWithoutEnd(testbed: Testbed) {
  const vm = await testbed.vm();
  let restarts = 0;
  for (; restarts < 50 && vm.balloon.status().state !== "failed"; restarts++) {
    vm.machine.inject({ name: "needs-reset" });
    vm.settle();
  }
  testbed.check("B-RESTARTS", restarts < 50, `${restarts} restarts`);
  testbed.check("B-FAILED-BIT", hasFailed(vm.machine), `status ${vm.machine.status}`);
}

async function restartsFarApart(testbed: Testbed) {
  const vm = await testbed.vm();
  vm.machine.setTarget(700);
  vm.settle();
  for (let restarts = 0; restarts < 20; restarts++) {
    vm.machine.advance(60_000);
    vm.machine.inject({ name: "needs-reset" });
    vm.settle();
  }
  const { state } = vm.balloon.status();
  testbed.check("B-RESTARTS-APART", state === "running", `a driver that is ${state}`);
  testbed.checkAtRest(vm, { held: 700 });
}

async function lie(
  testbed: Testbed,
  name: FaultName,
  { target = 1200, packed = false }: { target?: number; packed?: boolean } = {},
) {
  const machine = { completion: { kind: "late", ms: 5 }, offer: { packed } } as const;
  const vm = await testbed.vm({ machine });
  vm.guest.grow(GUEST_FRAMES, 8);
  vm.machine.setTarget(600);
  vm.settle();
  vm.machine.inject({ name });
  vm.machine.setTarget(target);
  try {
    vm.settle();
  } catch (error) {
    testbed.check("B-QUARANTINE", false, `${name}: ${error}`);
  }
  vm.machine.check({ memoryShort: true });
  const { state, lastError } = vm.balloon.status();
  testbed.check("B-QUARANTINE", state === "failed", `${name}: ${state}`);
  testbed.check("B-QUARANTINE", lastError?.code === "device-lied", `${name}: ${lastError?.code}`);
  testbed.check("B-FAILED-BIT", hasFailed(vm.machine), `${name}: status ${vm.machine.status}`);
  vm.machine.setTarget(1300);
  vm.balloon.interrupt();
  vm.guest.grow(100, 9);
  const wrong = vm.guest.verify();
  testbed.check("B-PATTERNS", wrong === 0, `${name}: ${wrong} wrong words`);
}

async function endlessReset(testbed: Testbed) {
  const vm = await testbed.vm();
  vm.machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
  vm.machine.inject({ name: "reset-never-clears" });
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 10_000);
  const { state, lastError } = vm.balloon.status();
  testbed.check("B-RESET-BOUND", state === "failed", state);
  testbed.check("B-RESET-BOUND", lastError?.code === "reset-timeout", `${lastError?.code}`);
  testbed.check("B-RESET-BOUND", vm.machine.status === 0, `status ${vm.machine.status}`);
}

async function outOfMemory(testbed: Testbed) {
  const vm = await testbed.vm();
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(MOST);
  testbed.checkAtRest(vm, { held: MOST });
  const got = vm.guest.grow(RESERVE + 500, 2);
  testbed.check("B-OOM", got === RESERVE + 500, `${got} frames for the guest`);
  const { held } = vm.balloon.counts();
  vm.guest.shrink(500);
  vm.machine.spuriousInterrupt();
  for (let second = 0; second < 5; second++) {
    vm.balloon.step();
    vm.machine.advance(1000);
  }
  const after = vm.balloon.counts().held;
  testbed.check("B-HOLD-OFF", after === held, `${held} pages, then ${after}`);
  vm.machine.setTarget(50);
  testbed.checkAtRest(vm, { held: 50 });
}

async function pace(testbed: Testbed) {
  const policy = testbed.build.gentle({ pagesPerSecond: 1000 });
  const vm = await testbed.vm({ policy });
  vm.machine.setTarget(1000);
  vm.balloon.interrupt();
  watch(vm, 500);
  const held = vm.machine.heldPages;
  testbed.check("B-PACE", held >= 400 && held <= 700, `${held} pages after half a second`);
  testbed.checkAtRest(vm, { held: 1000 });
}

const outOfReach = (testbed: Testbed) => outOfReachWith(testbed, testbed.build.follow());

/** Nobody is there whom it could ask, so it is no slower. */
const cooperates = (testbed: Testbed) => outOfReachWith(testbed, testbed.build.cooperative());

async function outOfReachWith(testbed: Testbed, inner: ReturnType<Testbed["build"]["follow"]>) {
  let decisions = 0;
  const policy: typeof inner = {
    name: inner.name,
    decide: (view) => {
      const decision = inner.decide(view);
      if (decision.short === true) decisions += 1;
      return decision;
    },
  };
  const vm = await testbed.vm({ policy });
  vm.machine.setTarget(0xffff_ffff);
  vm.balloon.interrupt();
  watch(vm, 60_000);
  testbed.check("B-BACK-OFF", decisions > 2 && decisions < 20, `tried again ${decisions} times`);
  const { free } = vm.balloon.counts();
  testbed.check("B-RESERVE", free >= RESERVE, `${free} free pages are left`);
  testbed.checkAtRest(vm, { held: FRAMES - RESERVE, memoryShort: true });
}

async function idle(testbed: Testbed) {
  const vm = await testbed.vm();
  vm.machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
  watch(vm, 100_000);
  testbed.checkAtRest(vm, { held: 300 });
}

async function burst(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { completion: { kind: "scattered", ms: 20 } } });
  const before = vm.machine.counters.interrupts;
  vm.machine.setTarget(1792);
  for (let ms = 0; ms < 40; ms++) {
    deliver(vm);
    vm.machine.advance(1);
  }
  const interrupts = vm.machine.counters.interrupts - before;
  // One for the new target, one for the burst.
  testbed.check("B-ONE-INTERRUPT", interrupts === 2, `${interrupts} interrupts for seven buffers`);
  testbed.checkAtRest(vm, { held: 1792 });
}

/** The guest program takes every frame that is left while an inflate is in flight. */
async function greed(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { completion: late } });
  vm.machine.setTarget(500);
  vm.balloon.interrupt();
  const got = vm.guest.grow(FRAMES, 1);
  testbed.check("B-SUM", got === FRAMES - 500, `${got} frames for the guest`);
  testbed.checkAtRest(vm, { held: 500 });
}

async function listener(testbed: Testbed) {
  const vm = await testbed.vm();
  vm.machine.onInterrupt = () => {};
  vm.machine.setTarget(100);
  testbed.checkAtRest(vm, { held: 100 });
}

async function stop(testbed: Testbed) {
  const vm = await testbed.vm();
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(500);
  testbed.checkAtRest(vm, { held: 500 });
  await vm.balloon.stop();
  const { held, free } = vm.balloon.counts();
  testbed.check("B-STOP", vm.machine.status === 0, `status ${vm.machine.status}`);
  testbed.check(
    "B-STOP",
    held === 0 && free === FRAMES - GUEST_FRAMES,
    `${held} held, ${free} free`,
  );
  testbed.checkAtRest(vm, { held: 0 });
}

const noTell = { offer: { mustTellHost: false } } as const;
const useFirst = { settings: { deflateMode: "use-first" } } as const;

const table = {
  "several targets": (testbed: Testbed) => targets(testbed),
  "targets, without EVENT_IDX": (testbed: Testbed) =>
    targets(testbed, { offer: { eventIdx: false } }),
  "targets, without MUST_TELL_HOST": (testbed: Testbed) => targets(testbed, noTell),
  "targets, without DEFLATE_ON_OOM": (testbed: Testbed) =>
    targets(testbed, { offer: { deflateOnOom: false } }),
  "targets, without statistics": (testbed: Testbed) =>
    targets(testbed, { offer: { statsVq: false } }),
  "targets, bits without a meaning offered": (testbed: Testbed) =>
    targets(testbed, { offer: { extra: [6, 8, 16, 37, 41, 50, 61] } }),
  "targets, INDIRECT_DESC offered": (testbed: Testbed) =>
    targets(testbed, { offer: { indirect: true } }),
  "targets, rings of two": (testbed: Testbed) => targets(testbed, { ringSize: 2 }),
  "targets, every buffer at its own time": (testbed: Testbed) =>
    targets(testbed, { completion: { kind: "scattered", ms: 30 } }),
  "targets, buffers out of order": (testbed: Testbed) =>
    targets(testbed, { completion: { kind: "shuffled", ms: 30 } }),
  "targets, buffers in batches": (testbed: Testbed) =>
    targets(testbed, { completion: { kind: "batched", count: 3, ms: 10 } }),
  "targets, used.len a page count": (testbed: Testbed) => targets(testbed, { usedLength: "pfns" }),
  "targets, used.len the total": (testbed: Testbed) => targets(testbed, { usedLength: "total" }),
  "targets, an old actual": (testbed: Testbed) =>
    targets(testbed, { profile: "qemu", staleActual: 77 }),
  "targets, a device that wants quiet while it works": (testbed: Testbed) =>
    targets(testbed, { quietWhileBusy: true, completion: late }),
  "targets, small buffers": (testbed: Testbed) =>
    targets(testbed, {}, { settings: { pfnsPerBuffer: 100 } }),
  "targets, no reserve": async (testbed: Testbed) => {
    const vm = await testbed.vm({ settings: { reservePages: 0 } });
    vm.machine.setTarget(FRAMES);
    testbed.checkAtRest(vm, { held: FRAMES });
    vm.machine.setTarget(0);
    testbed.checkAtRest(vm, { held: 0 });
  },
  "targets, registers in I/O ports": async (testbed: Testbed) => {
    await targets(testbed, { profile: "v86" });
  },
  "targets, registers in memory": async (testbed: Testbed) => {
    await targets(testbed, { profile: "firecracker" });
  },
  "targets, behind a bridge": (testbed: Testbed) =>
    targets(testbed, { pci: { bus: 1, function: 5, decoys: true } }),
  "reversals, late": (testbed: Testbed) => reversals(testbed, { completion: late }),
  "reversals, scattered": (testbed: Testbed) =>
    reversals(testbed, { completion: { kind: "scattered", ms: 25 } }),
  "reversals, use-first": (testbed: Testbed) =>
    reversals(
      testbed,
      { offer: { mustTellHost: false, deflateOnOom: false }, completion: late },
      useFirst,
    ),
  "reversals, a device that wants quiet while it works": (testbed: Testbed) =>
    reversals(testbed, { quietWhileBusy: true, completion: late }),
  "a guest that takes all while an inflate is in flight": greed,
  "targets, use-first": (testbed: Testbed) => targets(testbed, noTell, useFirst),
  statistics,
  "statistics while an inflate is slow": (testbed: Testbed) =>
    statisticsMeanwhile(testbed, { kind: "late", ms: 5000 }),
  "statistics while an inflate hangs": (testbed: Testbed) =>
    statisticsMeanwhile(testbed, { kind: "never" }),
  "a device that asks for a reset": (testbed: Testbed) => restart(testbed),
  "a slow reset": (testbed: Testbed) =>
    restart(testbed, { faults: [{ name: "reset-slow", times: 40 }] }),
  "resets without end": restartsWithoutEnd,
  "resets far apart": restartsFarApart,
  "a reset that never ends": endlessReset,
  "features refused once": (testbed: Testbed) =>
    targets(testbed, { faults: [{ name: "refuse-features", times: 1 }] }),
  "a used id out of range": (testbed: Testbed) =>
    lie(testbed, "used-id-out-of-range", { target: 800 }),
  "a used id not in flight": (testbed: Testbed) => lie(testbed, "used-id-not-in-flight"),
  "a used id twice": (testbed: Testbed) => lie(testbed, "used-id-twice"),
  "a used id twice in a packed ring, with nothing more in flight": (testbed: Testbed) =>
    lie(testbed, "used-id-twice", { target: 650, packed: true }),
  "a used idx that jumps": (testbed: Testbed) => lie(testbed, "used-idx-jump"),
  "a used idx that goes back": (testbed: Testbed) => lie(testbed, "used-idx-back", { target: 610 }),
  "a guest out of memory": outOfMemory,
  "a gentle pace": pace,
  "a cooperative guest without a program": cooperates,
  "a target out of reach": outOfReach,
  "a minute of nothing": idle,
  "a burst": burst,
  "somebody listens to the interrupt": listener,
  stop: stop,
  ...deviceScenarios,
  ...ringScenarios,
  ...pciScenarios,
  ...mmioScenarios,
  ...freePageScenarios,
  ...lifecycleScenarios,
  ...untrustedScenarios,
} as const satisfies Record<string, (testbed: Testbed) => Promise<unknown>>;

export type ScenarioName = keyof typeof table;

export const scenarios: Readonly<Record<ScenarioName, (testbed: Testbed) => Promise<unknown>>> =
  table;
