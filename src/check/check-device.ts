/** Checks a device: boots the image on a host, and makes a report of what it prints. */
import { setTimeout as sleep } from "node:timers/promises";
import { nearestName } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import { provideCheckImage } from "../image/index.ts";
import type { JudgeReport, ScenarioResult } from "../judge/judge-report.ts";
import type { Shard } from "../judge/shard.ts";
import { VmmError } from "../vmm/index.ts";
import type { CheckedMachine, CheckHostSystem, HostLaunch } from "./hosts/host.ts";
import { checkFinding, checkReport } from "./report.ts";
import { serveChecks } from "./serve-checks.ts";
import { readTap, type TapPoint, type TapRun } from "./tap.ts";

/** What `checkDevice` is given. */
export interface CheckDeviceOptions {
  readonly host: CheckHostSystem;
  /** Ids of the checks to run. Default: all. */
  readonly only?: readonly string[];
  /** Which part of these. Default: all. */
  readonly shard?: Shard | undefined;
  /** Path of the image. Default: the package's own, for the host's processor. */
  readonly image?: string;
  /** Milliseconds for all checks together. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal;
  /** Called after each check. */
  onCheck?(id: string, done: number, of: number): void;
}

const TIMEOUT_MS = 60_000;
/** Memory of a machine: more than the checks take. */
export const MEMORY_BYTES = 64 * 2 ** 20;
/** How long a machine may take to end when it is killed, until it is left alone. */
export const GRACE_MS = 5_000;

/**
 * Boots the checking image on a host, and returns a report: each check is a scenario in it, and
 * what a device breaks is a rule. A machine that does not start, dies, hangs or prints nonsense is
 * an outcome. Rejects with ImageError, with an error of the caller's options, with the signal's
 * reason, or with FailureError `usage` for a check that does not exist and where there is none to
 * run.
 */
export async function checkDevice(options: CheckDeviceOptions): Promise<JudgeReport> {
  const { host, only, shard, timeoutMs = TIMEOUT_MS, signal, onCheck } = options;
  const image = await checkImage(options);
  const limit = AbortSignal.timeout(timeoutMs);
  const words = [
    ...(host.control === undefined ? [] : [`check.host=${host.control}`]),
    ...(only === undefined ? [] : [`check.only=${only.join(",")}`]),
    ...(shard === undefined ? [] : [`check.shard=${shard.number}/${shard.of}`]),
  ];
  const abort = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  const startedMs = performance.now();
  const launch = { image, append: words.join(" "), memoryBytes: MEMORY_BYTES, signal: abort };
  const { run, end } = await runMachine(host, launch, onCheck);
  signal?.throwIfAborted();
  const tookMs = performance.now() - startedMs;
  const ended = limit.aborted ? `it did not end within ${timeoutMs} ms` : end;
  if (run.known.length > 0) throw unknownChecks(only ?? [], run.known);
  if (run.planned === 0) throw noChecks(run.names.length, shard);
  const results = resultsOf(run, ended, tookMs);
  const names = run.names.length > 0 ? run.names : results.map(({ scenario }) => scenario);
  return checkReport(host, { results, scenarios: names, shard });
}

/** Returns the path of the image that checks: the caller's, or the package's own. */
export async function checkImage(
  options: Pick<CheckDeviceOptions, "host" | "image" | "signal">,
): Promise<string> {
  const { host, image, signal } = options;
  return image ?? (await provideCheckImage({ arch: host.arch, ...(signal && { signal }) })).path;
}

function unknownChecks(only: readonly string[], known: readonly string[]): FailureError {
  const unknown = only.filter((id) => !known.includes(id));
  const near = new Set(unknown.flatMap((id) => nearestName(id.toUpperCase(), known) ?? []));
  const meant = near.size === 0 ? "" : `did you mean ${[...near].join(", ")}? `;
  return new FailureError({
    ...{ kind: "usage", what: "checks", seen: unknown.map((id) => `"${id}"`).join(", ") },
    todo: `${meant}a report without --only names all ${known.length}`,
  });
}

function noChecks(count: number, shard: Shard | undefined): FailureError {
  const part = shard === undefined ? "" : `part ${shard.number}/${shard.of} of `;
  return new FailureError({
    ...{ kind: "usage", what: "checks", seen: `${part}${count}: none is left to run` },
    todo: `take a part K/N with N <= ${count}`,
  });
}

/** What came of one machine. */
export interface MachineRun {
  readonly run: TapRun;
  /** How it ended, in words. */
  readonly end: string;
}

const NOTHING: TapRun = {
  ...{ planned: undefined, points: [], names: [], known: [], lastLines: [] },
  ...{ isFlood: false, bailOut: undefined },
};

/**
 * Launches a machine and reads what it prints until it ends, or until it is killed because the
 * launch's signal is aborted. One that does not start is an outcome, too. Rejects with an error of
 * the caller's options alone.
 */
export async function runMachine(
  host: CheckHostSystem,
  launch: HostLaunch,
  onCheck?: CheckDeviceOptions["onCheck"],
  linesMax?: number,
): Promise<MachineRun> {
  const { signal } = launch;
  const over = new AbortController();
  const started = startMachine(host, launch);
  try {
    const first = await Promise.race([started, graceAfter(signal, over.signal)]);
    if (first === "late") {
      // It may come all the same: nothing of it stays.
      started.then((late) => typeof late !== "string" && late.kill()).catch(() => undefined);
      return { run: NOTHING, end: "it does not start" };
    }
    if (typeof first === "string") return { run: NOTHING, end: `it does not start: ${first}` };
    serveChecks(first);
    return await watch(first, { ...launch, over: over.signal }, onCheck, linesMax);
  } finally {
    over.abort();
  }
}

/** Returns a running machine, or why there is none. */
async function startMachine(
  host: CheckHostSystem,
  launch: HostLaunch,
): Promise<CheckedMachine | string> {
  try {
    return await host.launch(launch);
  } catch (error) {
    if (isCallersError(error)) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether a launch failed because of what the caller wants, and not because of the VMM. */
export function isCallersError(error: unknown): boolean {
  if (error instanceof FailureError) return ["usage", "missing"].includes(error.kind);
  if (!(error instanceof VmmError)) return false;
  return ["option", "image", "qemu-not-found"].includes(error.code);
}

/** Resolves some time after `signal` is aborted; never, once `over` is. */
function graceAfter(signal: AbortSignal, over: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => {
    const wait = () =>
      sleep(GRACE_MS, undefined, { signal: over }).then(
        () => resolve("late"),
        () => undefined,
      );
    if (signal.aborted) void wait();
    else signal.addEventListener("abort", wait, { once: true, signal: over });
  });
}

async function watch(
  machine: CheckedMachine,
  { signal, over }: { readonly signal: AbortSignal; readonly over: AbortSignal },
  onCheck: CheckDeviceOptions["onCheck"],
  linesMax: number | undefined,
): Promise<MachineRun> {
  const kill = () => void machine.kill();
  signal.addEventListener("abort", kill, { once: true, signal: over });
  if (signal.aborted) kill();
  const told = ({ id }: TapPoint, done: number, of: number) => onCheck?.(id, done, of);
  const run = await readTap(machine.lines, told, linesMax, graceAfter(signal, over));
  if (run.isFlood) kill();
  // A machine has as long to end after its last line as one that is killed.
  const killed = AbortSignal.abort();
  const end = await Promise.race([machine.ended, graceAfter(killed, over)]);
  await Promise.race([machine.kill(), graceAfter(killed, over)]);
  return { run, end: end === "late" ? "it does not end" : end };
}

/** What was read; `ended` says how the machine ended. */
function resultsOf(run: TapRun, ended: string, tookMs: number): ScenarioResult[] {
  const { points, planned, lastLines, bailOut } = run;
  const results = points.map((point) => resultOf(point));
  const isWhole = planned === points.length && bailOut === undefined;
  if (!isWhole) {
    const last = points.at(-1)?.id;
    const where = last === undefined ? "before the first check" : `after ${last}`;
    results.push({
      ...{ scenario: "ENDS", text: "all checks come to an end", outcome: "crashed" },
      note: `${endOf(run, ended)}, ${where}`,
      ...{ lastSteps: lastLines, findings: [], passed: false, tookMs },
    });
  }
  return results;
}

/** How a run came to its end too early. */
export function endOf({ isFlood, bailOut }: TapRun, ended: string): string {
  return isFlood ? "it floods its serial port" : (bailOut ?? ended);
}

export function resultOf({ id, says, ok, skipped, isKnown, about }: TapPoint): ScenarioResult {
  const { level = "MUST", section = "", seen = "" } = about;
  const finding = checkFinding({ rule: id, level, section, title: says, seen });
  return {
    scenario: id,
    text: says,
    outcome: skipped === undefined ? "up" : null,
    note: skipped ?? null,
    lastSteps: [],
    findings: ok ? [] : [finding],
    passed: ok || isKnown,
    tookMs: 0,
  };
}
