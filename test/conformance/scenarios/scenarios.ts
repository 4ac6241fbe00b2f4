/**
 * The scenarios: what guest and host do, in a few lines each, on a machine with something special
 * about it.
 *
 * It must not know mutants. Invariant: the driver passes every scenario without a verdict and
 * without a broken behaviour; each ends at rest.
 */
import { type Completion, type FaultName, hasFailed } from "../../../src/device/index.ts";
import { type Bench, FRAMES } from "../../support/testbed.ts";
import { deliver, watch } from "../../support/vm.ts";
import { deviceScenarios } from "./devices.ts";
import { freePageScenarios } from "./free-pages.ts";
import { lifecycleScenarios } from "./lifecycle.ts";
import { mmioScenarios } from "./mmio.ts";
import { GUEST_FRAMES, late, MOST, RESERVE, restart, reversals, targets } from "./moves.ts";
import { pciScenarios } from "./pci.ts";
import { ringScenarios } from "./ring.ts";

const STAT_FREE = 4;
const STAT_TOTAL = 5;
const PAGE_BYTES = 4096;

async function statistics(bench: Bench) {
  const vm = await bench.vm({ settings: { reservePages: 0 } });
  const ask = () => {
    vm.machine.requestStats();
    vm.settle();
    const { sample } = vm.machine.stats;
    const counts = vm.balloon.counts();
    const free = Number(sample.get(STAT_FREE)) / PAGE_BYTES;
    const total = Number(sample.get(STAT_TOTAL)) / PAGE_BYTES;
    bench.owes("B-STATS-TRUE", free === counts.free, `${free} pages said to be free`);
    bench.owes("B-STATS-TRUE", total === counts.free + counts.used, `a total of ${total} pages`);
  };
  bench.rest(vm, { held: 0 });
  ask();
  vm.guest.grow(GUEST_FRAMES, 1);
  ask();
  vm.machine.setTarget(FRAMES - GUEST_FRAMES);
  bench.rest(vm, { held: FRAMES - GUEST_FRAMES });
  ask();
  vm.machine.setTarget(10);
  bench.rest(vm, { held: 10 });
  ask();
}

/** The inflate queue takes its time, or for ever; statistics are asked for meanwhile. */
async function statisticsMeanwhile(bench: Bench, inflate: Completion) {
  const vm = await bench.vm({ machine: { completion: { inflate } } });
  vm.guest.grow(GUEST_FRAMES, 2);
  vm.machine.setTarget(400);
  vm.balloon.interrupt();
  for (let asked = 0; asked < 3; asked++) {
    vm.machine.requestStats();
    vm.balloon.interrupt();
    vm.machine.advance(10);
  }
  bench.rest(vm, { held: inflate.kind === "never" ? 0 : 400, memoryShort: true });
}

async function restartsWithoutEnd(bench: Bench) {
  const vm = await bench.vm();
  let restarts = 0;
  for (; restarts < 50 && vm.balloon.status().state !== "failed"; restarts++) {
    vm.machine.inject({ name: "needs-reset" });
    vm.settle();
  }
  bench.owes("B-RESTARTS", restarts < 50, `${restarts} restarts`);
  bench.owes("B-FAILED-BIT", hasFailed(vm.machine), `status ${vm.machine.status}`);
}

async function restartsFarApart(bench: Bench) {
  const vm = await bench.vm();
  vm.machine.setTarget(700);
  vm.settle();
  for (let restarts = 0; restarts < 20; restarts++) {
    vm.machine.advance(60_000);
    vm.machine.inject({ name: "needs-reset" });
    vm.settle();
  }
  const { state } = vm.balloon.status();
  bench.owes("B-RESTARTS-APART", state === "running", `a driver that is ${state}`);
  bench.rest(vm, { held: 700 });
}

async function lie(bench: Bench, name: FaultName, target = 1200) {
  const vm = await bench.vm({ machine: { completion: { kind: "late", ms: 5 } } });
  vm.guest.grow(GUEST_FRAMES, 8);
  vm.machine.setTarget(600);
  vm.settle();
  vm.machine.inject({ name });
  vm.machine.setTarget(target);
  vm.settle();
  vm.machine.check({ memoryShort: true });
  const { state, lastError } = vm.balloon.status();
  bench.owes("B-QUARANTINE", state === "failed", `${name}: ${state}`);
  bench.owes("B-QUARANTINE", lastError?.code === "device-lied", `${name}: ${lastError?.code}`);
  bench.owes("B-FAILED-BIT", hasFailed(vm.machine), `${name}: status ${vm.machine.status}`);
  vm.machine.setTarget(1300);
  vm.balloon.interrupt();
  vm.guest.grow(100, 9);
  const wrong = vm.guest.verify();
  bench.owes("B-PATTERNS", wrong === 0, `${name}: ${wrong} wrong words`);
}

async function endlessReset(bench: Bench) {
  const vm = await bench.vm();
  vm.machine.setTarget(300);
  bench.rest(vm, { held: 300 });
  vm.machine.inject({ name: "reset-never-clears" });
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 10_000);
  const { state, lastError } = vm.balloon.status();
  bench.owes("B-RESET-BOUND", state === "failed", state);
  bench.owes("B-RESET-BOUND", lastError?.code === "reset-timeout", `${lastError?.code}`);
  bench.owes("B-RESET-BOUND", vm.machine.status === 0, `status ${vm.machine.status}`);
}

async function outOfMemory(bench: Bench) {
  const vm = await bench.vm();
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(MOST);
  bench.rest(vm, { held: MOST });
  const got = vm.guest.grow(RESERVE + 500, 2);
  bench.owes("B-OOM", got === RESERVE + 500, `${got} frames for the guest`);
  const { held } = vm.balloon.counts();
  vm.guest.shrink(500);
  vm.machine.spuriousInterrupt();
  for (let second = 0; second < 5; second++) {
    vm.balloon.step();
    vm.machine.advance(1000);
  }
  const after = vm.balloon.counts().held;
  bench.owes("B-HOLD-OFF", after === held, `${held} pages, then ${after}`);
  vm.machine.setTarget(50);
  bench.rest(vm, { held: 50 });
}

async function pace(bench: Bench) {
  const policy = bench.build.gentle({ pagesPerSecond: 1000 });
  const vm = await bench.vm({ policy });
  vm.machine.setTarget(1000);
  vm.balloon.interrupt();
  watch(vm, 500);
  const held = vm.machine.heldPages;
  bench.owes("B-PACE", held >= 400 && held <= 700, `${held} pages after half a second`);
  bench.rest(vm, { held: 1000 });
}

async function outOfReach(bench: Bench) {
  let decisions = 0;
  const inner = bench.build.follow();
  const policy: typeof inner = {
    name: inner.name,
    decide: (view) => {
      const decision = inner.decide(view);
      if (decision.short === true) decisions += 1;
      return decision;
    },
  };
  const vm = await bench.vm({ policy });
  vm.machine.setTarget(0xffff_ffff);
  vm.balloon.interrupt();
  watch(vm, 60_000);
  bench.owes("B-BACK-OFF", decisions > 2 && decisions < 20, `tried again ${decisions} times`);
  const { free } = vm.balloon.counts();
  bench.owes("B-RESERVE", free >= RESERVE, `${free} free pages are left`);
  bench.rest(vm, { held: FRAMES - RESERVE, memoryShort: true });
}

async function idle(bench: Bench) {
  const vm = await bench.vm();
  vm.machine.setTarget(300);
  bench.rest(vm, { held: 300 });
  watch(vm, 100_000);
  bench.rest(vm, { held: 300 });
}

async function burst(bench: Bench) {
  const vm = await bench.vm({ machine: { completion: { kind: "scattered", ms: 20 } } });
  const before = vm.machine.counters.interrupts;
  vm.machine.setTarget(1792);
  for (let ms = 0; ms < 40; ms++) {
    deliver(vm);
    vm.machine.advance(1);
  }
  const interrupts = vm.machine.counters.interrupts - before;
  // One for the new target, one for the burst.
  bench.owes("B-ONE-INTERRUPT", interrupts === 2, `${interrupts} interrupts for seven buffers`);
  bench.rest(vm, { held: 1792 });
}

/** The guest program takes every frame that is left while an inflate is in flight. */
async function greed(bench: Bench) {
  const vm = await bench.vm({ machine: { completion: late } });
  vm.machine.setTarget(500);
  vm.balloon.interrupt();
  const got = vm.guest.grow(FRAMES, 1);
  bench.owes("B-SUM", got === FRAMES - 500, `${got} frames for the guest`);
  bench.rest(vm, { held: 500 });
}

async function listener(bench: Bench) {
  const vm = await bench.vm();
  vm.machine.onInterrupt = () => {};
  vm.machine.setTarget(100);
  bench.rest(vm, { held: 100 });
}

async function stop(bench: Bench) {
  const vm = await bench.vm();
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(500);
  bench.rest(vm, { held: 500 });
  await vm.balloon.stop();
  const { held, free } = vm.balloon.counts();
  bench.owes("B-STOP", vm.machine.status === 0, `status ${vm.machine.status}`);
  bench.owes("B-STOP", held === 0 && free === FRAMES - GUEST_FRAMES, `${held} held, ${free} free`);
  bench.rest(vm, { held: 0 });
}

const noTell = { offer: { mustTellHost: false } } as const;
const useFirst = { settings: { deflateMode: "use-first" } } as const;

const table = {
  "several targets": (bench: Bench) => targets(bench),
  "targets, without EVENT_IDX": (bench: Bench) => targets(bench, { offer: { eventIdx: false } }),
  "targets, without MUST_TELL_HOST": (bench: Bench) => targets(bench, noTell),
  "targets, without DEFLATE_ON_OOM": (bench: Bench) =>
    targets(bench, { offer: { deflateOnOom: false } }),
  "targets, without statistics": (bench: Bench) => targets(bench, { offer: { statsVq: false } }),
  "targets, bits without a meaning offered": (bench: Bench) =>
    targets(bench, { offer: { extra: [6, 8, 16, 37, 41, 50, 61] } }),
  "targets, INDIRECT_DESC offered": (bench: Bench) => targets(bench, { offer: { indirect: true } }),
  "targets, rings of two": (bench: Bench) => targets(bench, { ringSize: 2 }),
  "targets, every buffer at its own time": (bench: Bench) =>
    targets(bench, { completion: { kind: "scattered", ms: 30 } }),
  "targets, buffers out of order": (bench: Bench) =>
    targets(bench, { completion: { kind: "shuffled", ms: 30 } }),
  "targets, buffers in batches": (bench: Bench) =>
    targets(bench, { completion: { kind: "batched", count: 3, ms: 10 } }),
  "targets, used.len a page count": (bench: Bench) => targets(bench, { usedLength: "pfns" }),
  "targets, used.len the total": (bench: Bench) => targets(bench, { usedLength: "total" }),
  "targets, an old actual": (bench: Bench) => targets(bench, { profile: "qemu", staleActual: 77 }),
  "targets, a device that wants quiet while it works": (bench: Bench) =>
    targets(bench, { quietWhileBusy: true, completion: late }),
  "targets, small buffers": (bench: Bench) =>
    targets(bench, {}, { settings: { pfnsPerBuffer: 100 } }),
  "targets, no reserve": async (bench: Bench) => {
    const vm = await bench.vm({ settings: { reservePages: 0 } });
    vm.machine.setTarget(FRAMES);
    bench.rest(vm, { held: FRAMES });
    vm.machine.setTarget(0);
    bench.rest(vm, { held: 0 });
  },
  "targets, registers in I/O ports": async (bench: Bench) => {
    await targets(bench, { profile: "v86" });
  },
  "targets, registers in memory": async (bench: Bench) => {
    await targets(bench, { profile: "firecracker" });
  },
  "targets, behind a bridge": (bench: Bench) =>
    targets(bench, { pci: { bus: 1, function: 5, decoys: true } }),
  "reversals, late": (bench: Bench) => reversals(bench, { completion: late }),
  "reversals, scattered": (bench: Bench) =>
    reversals(bench, { completion: { kind: "scattered", ms: 25 } }),
  "reversals, use-first": (bench: Bench) =>
    reversals(
      bench,
      { offer: { mustTellHost: false, deflateOnOom: false }, completion: late },
      useFirst,
    ),
  "reversals, a device that wants quiet while it works": (bench: Bench) =>
    reversals(bench, { quietWhileBusy: true, completion: late }),
  "a guest that takes all while an inflate is in flight": greed,
  "targets, use-first": (bench: Bench) => targets(bench, noTell, useFirst),
  statistics,
  "statistics while an inflate is slow": (bench: Bench) =>
    statisticsMeanwhile(bench, { kind: "late", ms: 5000 }),
  "statistics while an inflate hangs": (bench: Bench) =>
    statisticsMeanwhile(bench, { kind: "never" }),
  "a device that asks for a reset": (bench: Bench) => restart(bench),
  "a slow reset": (bench: Bench) => restart(bench, { faults: [{ name: "reset-slow", times: 40 }] }),
  "resets without end": restartsWithoutEnd,
  "resets far apart": restartsFarApart,
  "a reset that never ends": endlessReset,
  "features refused once": (bench: Bench) =>
    targets(bench, { faults: [{ name: "refuse-features", times: 1 }] }),
  "a used id out of range": (bench: Bench) => lie(bench, "used-id-out-of-range", 800),
  "a used id not in flight": (bench: Bench) => lie(bench, "used-id-not-in-flight"),
  "a used id twice": (bench: Bench) => lie(bench, "used-id-twice"),
  "a used idx that jumps": (bench: Bench) => lie(bench, "used-idx-jump"),
  "a used idx that goes back": (bench: Bench) => lie(bench, "used-idx-back", 610),
  "a guest out of memory": outOfMemory,
  "a gentle pace": pace,
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
} as const satisfies Record<string, (bench: Bench) => Promise<unknown>>;

export type ScenarioName = keyof typeof table;

export const scenarios: Readonly<Record<ScenarioName, (bench: Bench) => Promise<unknown>>> = table;
