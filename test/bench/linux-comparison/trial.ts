/**
 * One guest, started once and taken through everything that is timed.
 *
 * The machine is gone when a trial is over, however it ended, and each figure was taken as its
 * comment says.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { asBigInt, isJsonObject } from "../../../src/vmm/json.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { PAGE_BYTES } from "../../../src/vmm/vmm.ts";
import { type Start, start } from "./guests.ts";
import type { Values } from "./samples.ts";
import { type Counts, lastMove, type Move, traceArguments } from "./trace.ts";

export type Trial = Start;

/** What is asked of a guest: what Linux, too, can give at every size. */
const SHARE = 0.75;
const MOVE_MS = 180_000;
/** A guest that has been ready for so long has nothing left to do but to wait. */
const QUIET_MS = 500;
/** A balloon that has not grown for so long is as large as it will be. */
const STABLE_MS = 2500;
const LEAST_MS = 90_000;
const LOOK_MS = 100;
/** How much of the request the host must have back to count as given back. */
const GIVEN_BACK = 0.9;
const RESIDENT_LOOK_MS = 1;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

interface Bench {
  readonly vm: QemuVmm;
  readonly traceFile: string;
  readonly signal: AbortSignal;
}

interface Timed extends Move {
  readonly cpuSeconds: number;
}

async function withGuest<T>(
  trial: Trial,
  isCounting: boolean,
  work: (bench: Bench & { readyMs: number }) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "ballonet-bench-"));
  try {
    const traceFile = join(directory, "trace");
    const traced = traceArguments(traceFile, isCounting);
    const extra = [...traced, ...(trial.arguments ?? [])];
    const { vm, readyMs } = await start({ ...trial, arguments: extra });
    try {
      await sleep(QUIET_MS, undefined, { signal: trial.signal });
      return await work({ vm, traceFile, signal: trial.signal, readyMs });
    } finally {
      await vm.kill();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function cpuSeconds(vm: QemuVmm): Promise<number> {
  return (await vm.cpuSeconds()) ?? Number.NaN;
}

async function move({ vm, traceFile, signal }: Bench, pages: number): Promise<Timed> {
  const before = await cpuSeconds(vm);
  await vm.balloon.setTarget({ pages, signal, timeoutMs: MOVE_MS });
  await vm.balloon.waitForActual({ pages, signal, timeoutMs: MOVE_MS });
  const after = await cpuSeconds(vm);
  return { ...(await lastMove(traceFile, pages)), cpuSeconds: after - before };
}

/** Resident pages as the kernel counts them; cheap enough to ask a thousand times a second. */
function residentPages(vm: QemuVmm): number {
  return Number(readFileSync(`/proc/${vm.pid}/statm`, "utf8").split(" ")[1]);
}

/** An inflate, and the milliseconds until most of what was asked for was the host's again. */
async function watchedInflate(bench: Bench, pages: number): Promise<Timed & { fallMs: number }> {
  const startMs = performance.now();
  const goal = residentPages(bench.vm) - GIVEN_BACK * pages;
  let fallMs = Number.NaN;
  const watch = setInterval(() => {
    if (Number.isNaN(fallMs) && residentPages(bench.vm) <= goal) {
      fallMs = performance.now() - startMs;
    }
  }, RESIDENT_LOOK_MS);
  try {
    return { ...(await move(bench, pages)), fallMs };
  } finally {
    clearInterval(watch);
  }
}

/** How much of the guest's memory the host has in huge pages. */
function hugeShare(vm: QemuVmm): number {
  const text = readFileSync(`/proc/${vm.pid}/smaps_rollup`, "utf8");
  return (Number(/^AnonHugePages:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024) / vm.memoryBytes;
}

/** Asks for all of the memory and waits until the balloon grows no more. */
async function squeeze({ vm, signal }: Bench): Promise<{ keptBytes: number }> {
  const all = vm.memoryBytes / PAGE_BYTES;
  await vm.balloon.setTarget({ pages: all - 1, signal });
  let last = -1;
  let sinceMs = performance.now();
  const endMs = sinceMs + LEAST_MS;
  while (performance.now() - sinceMs < STABLE_MS && performance.now() < endMs) {
    const { actualPages } = await vm.balloon.query({ signal, timeoutMs: MOVE_MS });
    if (actualPages !== last) sinceMs = performance.now();
    last = actualPages;
    await sleep(LOOK_MS, undefined, { signal });
  }
  return { keptBytes: vm.memoryBytes - last * PAGE_BYTES };
}

function requestPages(memoryBytes: number): number {
  return Math.floor((memoryBytes * SHARE) / PAGE_BYTES);
}

function gib(pages: number): number {
  return (pages * PAGE_BYTES) / GIB;
}

/** Inflate, deflate, inflate again, and then as far as it goes. */
export function timedTrial(trial: Trial): Promise<Values> {
  const pages = requestPages(trial.memoryBytes);
  return withGuest(trial, false, async (bench) => {
    const huge = hugeShare(bench.vm);
    const inflate = await watchedInflate(bench, pages);
    const deflate = await move(bench, 0);
    const again = await move(bench, pages);
    const { keptBytes } = await squeeze(bench);
    const residentBytes = (await bench.vm.residentBytes()) ?? Number.NaN;
    return {
      huge,
      inflate: pages / inflate.seconds,
      deflate: pages / deflate.seconds,
      again: pages / again.seconds,
      fallMs: inflate.fallMs,
      inflateMs: inflate.seconds * 1000,
      inflateCpu: inflate.cpuSeconds / gib(pages),
      deflateCpu: deflate.cpuSeconds / gib(pages),
      againCpu: again.cpuSeconds / gib(pages),
      kept: keptBytes / MIB,
      resident: residentBytes / MIB,
    };
  });
}

/** From the start of QEMU to the driver at work, with memory that nobody touched beforehand. */
export async function startTrial(trial: Trial): Promise<Values> {
  const { vm, readyMs } = await start({ ...trial, memory: "untouched" });
  await vm.kill();
  return { readyMs };
}

/** Inflates memory that may be larger than the host's, because none of it is there. */
export function sparseTrial(trial: Trial): Promise<Values> {
  const pages = requestPages(trial.memoryBytes);
  return withGuest({ ...trial, memory: "sparse" }, false, async (bench) => {
    const inflate = await move(bench, pages);
    const deflate = await move(bench, 0);
    return { sparseInflate: pages / inflate.seconds, sparseDeflate: pages / deflate.seconds };
  });
}

/** What guest and device say to each other, by QEMU's own account, per GiB. */
export function countedTrial(trial: Trial): Promise<Values> {
  const pages = requestPages(trial.memoryBytes);
  return withGuest(trial, true, async (bench) => {
    const perGib = (counts: Counts, name: keyof Counts) => counts[name] / gib(pages);
    const { counts: inflate } = await move(bench, pages);
    const { counts: deflate } = await move(bench, 0);
    return {
      inflateKicks: perGib(inflate, "kicks"),
      inflateInterrupts: perGib(inflate, "interrupts"),
      inflateConfigWrites: perGib(inflate, "configWrites"),
      inflateConfigReads: perGib(inflate, "configReads"),
      deflateKicks: perGib(deflate, "kicks"),
      deflateInterrupts: perGib(deflate, "interrupts"),
      deflateConfigWrites: perGib(deflate, "configWrites"),
      deflateConfigReads: perGib(deflate, "configReads"),
    };
  });
}

/** The guest's instructions so far: with -icount, QEMU counts every one. */
async function instructions({ vm, signal }: Bench): Promise<number> {
  const reply = await vm.execute({ command: "query-replay", signal });
  const count = isJsonObject(reply) ? asBigInt(reply.icount) : undefined;
  if (count === undefined) throw new Error(`query-replay: ${JSON.stringify(reply)}, no icount`);
  return Number(count);
}

/** Instructions that the guest executes per page; the same on every machine, busy or not. */
export function instructionTrial(trial: Trial): Promise<Values> {
  const pages = requestPages(trial.memoryBytes);
  const counting = ["-icount", "shift=0"];
  return withGuest({ ...trial, arguments: counting }, false, async (bench) => {
    const atStart = await instructions(bench);
    await move(bench, pages);
    const inflated = await instructions(bench);
    await move(bench, 0);
    const deflated = await instructions(bench);
    return {
      inflateInstructions: (inflated - atStart) / pages,
      deflateInstructions: (deflated - inflated) / pages,
    };
  });
}
