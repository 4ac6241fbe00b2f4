/**
 * The part of a session after the boot: workload, targets, checks, statistics. A target counts as
 * reached when host and guest report the same number of pages.
 */
import { setTimeout as sleepFor } from "node:timers/promises";
import { formatFeatures } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import { formatBytes, formatPages } from "../text/units.ts";
import { VmmError } from "../vmm/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../vmm/json.ts";
import type { Reported, Summary, Verified } from "./events.ts";
import { lastErrorLine } from "./guest-exit.ts";
import { type GuestStatus, readStatus, totalFrames } from "./guest-status.ts";
import type { Run } from "./plan.ts";

/** Between two reads of `actual`: short beside the time that even a small balloon takes. */
const POLL_MS = 5;
/** Between two `progress` events: often enough for a moving gauge. */
const PROGRESS_MS = 100;
/** A target is given up when the guest cannot reach it and nothing moved for this long. */
const OUT_OF_REACH_MS = 1_000;
/** The workload derives its pattern from this number and from each frame's address. */
const SEED = 0x00ba_1100;
/** The workload's share of memory, when no size was asked for. */
const WORKLOAD_SHARE = 1 / 8;
/** The same where the workload is all that can come back to the host. */
const REPORTED_SHARE = 1 / 2;
/** Reports are over when none came for so long: the driver sends one each 250 ms. */
const REPORTS_OVER_MS = 1_000;

const READY = /^ballonet: (?:(ready)\b|(?:error|panic): )/;

function broken(what: string, seen: string, todo: string): FailureError {
  return new FailureError({ kind: "rule", what, seen, todo });
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleepFor(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

async function ask(run: Run, method: string, params?: JsonObject): Promise<JsonValue> {
  const { vmm, signal, plan } = run;
  const request = params === undefined ? { method } : { method, params };
  return vmm.control.request({ ...request, signal, timeoutMs: plan.timeoutMs });
}

async function askStatus(run: Run): Promise<GuestStatus> {
  return readStatus(await ask(run, "status"));
}

/** Returns a number from a reply of the guest. */
function count(reply: JsonValue, field: string): number {
  const value = isJsonObject(reply) ? reply[field] : undefined;
  if (typeof value === "number") return value;
  throw broken(`the guest's reply without ${field}`, JSON.stringify(value), "report this as a bug");
}

/**
 * Runs the script on a machine that was just launched.
 * @throws FailureError for a rule that was broken, a target that was missed, a driver that is down.
 */
export async function runScript(run: Run): Promise<Summary> {
  const readyMs = await awaitReady(run);
  const first = await emitReady(run, readyMs);
  checkReporting(run, first);
  const handle = await allocate(run, first);
  const settled: Settled[] = [];
  const verified: Verified[] = [];
  const { memoryPages, targets } = run.plan;
  for (const [index, pages] of targets.entries()) {
    run.emit({ type: "target", number: index + 1, of: targets.length, pages, memoryPages });
    const move = await reach(run, pages);
    settled.push(move);
    checkReached(run, move);
    if (handle !== undefined) verified.push(await verify(run, handle));
    if (first.negotiated.includes("STATS_VQ")) await emitStatistics(run);
  }
  const parts = { run, readyMs, settled, verified };
  if (handle === undefined) return summarize({ ...parts, reportedPages: 0 });
  if (run.plan.reportOnly) {
    verified.push(await verify(run, handle));
    if (first.negotiated.includes("STATS_VQ")) await emitStatistics(run);
  }
  const residentBytes = await run.vmm.residentBytes();
  const { totals } = await askStatus(run);
  const freed = await ask(run, "workload.free", { handle });
  run.emit({ type: "freed", pages: count(freed, "frames") });
  if (!run.plan.reportOnly) return summarize({ ...parts, reportedPages: 0 });
  const reported = await awaitReports(run, totals.reported, residentBytes ?? null);
  return summarize({ ...parts, reportedPages: reported.pages });
}

/** Waits until the guest has reported what its workload freed, and no more reports come. */
async function awaitReports(
  run: Run,
  before: number,
  residentBytesBefore: number | null,
): Promise<Reported> {
  const { plan, signal, vmm } = run;
  const startMs = performance.now();
  let pages = 0;
  let movedMs = startMs;
  for (;;) {
    const now = (await askStatus(run)).totals.reported - before;
    if (now !== pages) movedMs = performance.now();
    pages = now;
    const stillMs = performance.now() - movedMs;
    if (pages > 0 && stillMs >= REPORTS_OVER_MS) break;
    if (stillMs >= plan.timeoutMs) {
      throw new FailureError({
        kind: "unreached",
        what: "page reporting",
        seen: `no page reported within ${plan.timeoutMs} ms`,
        todo: "give a larger --workload: the guest reports whole free blocks of 2 MiB",
      });
    }
    await sleep(PROGRESS_MS, signal);
  }
  const residentBytes = (await vmm.residentBytes()) ?? null;
  const ms = Math.round(movedMs - startMs);
  const reported: Reported = { type: "reported", pages, residentBytesBefore, residentBytes, ms };
  run.emit(reported);
  return reported;
}

/** @throws FailureError where a session of the policy `report-only` has nothing to show. */
function checkReporting({ plan }: Run, { offered, negotiated, persona }: GuestStatus): void {
  if (!plan.reportOnly || names(negotiated).includes("PAGE_REPORTING")) return;
  const isOffered = names(offered).includes("PAGE_REPORTING");
  throw new FailureError({
    kind: "usage",
    what: "the policy report-only without PAGE_REPORTING",
    seen: isOffered ? `the persona ${persona}, which declines it` : "a device without it",
    todo: "choose the persona ballonet or linux, and a device that reports",
  });
}

/** Returns the milliseconds from the launch to the guest's log line "ready". */
async function awaitReady(run: Run): Promise<number> {
  const { vmm, signal, plan } = run;
  const { match } = await vmm.log.waitForLine({
    pattern: READY,
    signal,
    timeoutMs: plan.timeoutMs,
  });
  if (match[1] !== undefined) return performance.now() - run.launchedMs;
  // The guest logged an error. It may end now, or go on without a balloon.
  const { lastError } = await askStatus(run);
  throw new FailureError({
    kind: lastError?.code === "config" ? "usage" : "guest",
    what: "the driver did not come up",
    seen: lastError?.message ?? lastErrorLine(vmm.log.lines) ?? match[0] ?? "",
    todo: "change what the error names, or see the guest's log (--verbose)",
  });
}

async function emitReady(run: Run, readyMs: number): Promise<GuestStatus> {
  const status = await askStatus(run);
  const { transport, persona, policy, deflateMode, queues, reservePages, negotiated } = status;
  const accepted = await acceptedByHost(run);
  run.emit({
    type: "ready",
    ms: Math.round(readyMs),
    ...{ transport, persona, policy, deflateMode },
    offered: names(status.offered),
    negotiated: names(negotiated),
    hostAgrees: accepted === undefined ? null : accepted === negotiated,
    queues,
    memoryPages: run.plan.memoryPages,
    freePages: status.frames.free,
    reservePages,
  });
  if (accepted === undefined || accepted === negotiated) return status;
  throw broken(
    "features negotiated",
    `"${negotiated}" by the guest and "${accepted}" by the emulator`,
    "report this as a bug, with both lists",
  );
}

function names(features: string): string[] {
  return features === "none" ? [] : features.split(/ (?!\d)/);
}

/** Returns the features that the emulator says were accepted; undefined for an old QEMU. */
async function acceptedByHost({ vmm, signal }: Run): Promise<string | undefined> {
  try {
    return formatFeatures((await vmm.balloon.negotiated({ signal })).accepted);
  } catch (error) {
    if (error instanceof VmmError && error.code === "qmp-command") return undefined;
    throw error;
  }
}

/** Lets the workload allocate its pages. Returns their handle; undefined when it has none. */
async function allocate(run: Run, { frames, reservePages }: GuestStatus) {
  const { plan } = run;
  const spare = frames.free - reservePages - Math.max(0, ...plan.targets);
  const part = plan.reportOnly ? REPORTED_SHARE : WORKLOAD_SHARE;
  const share = Math.floor(plan.memoryPages * part);
  // At most half of what is spare: the guest's JavaScript engine needs some pages as well.
  const pages = plan.workloadPages ?? Math.max(0, Math.min(share, Math.floor(spare / 2)));
  if (pages === 0) return undefined;
  if (pages > frames.free) {
    throw new FailureError({
      kind: "usage",
      what: "workload",
      seen: `${formatPages(pages)} asked for, ${formatPages(frames.free)} free`,
      todo: "give a smaller --workload or more --memory",
    });
  }
  const startMs = performance.now();
  const reply = await ask(run, "workload.allocate", { frames: pages, seed: SEED });
  run.emit({ type: "allocated", pages, seed: SEED, ms: Math.round(performance.now() - startMs) });
  return count(reply, "handle");
}

interface Settled {
  readonly before: GuestStatus;
  readonly after: GuestStatus;
  readonly ms: number;
}

/** Sets the target and waits until the balloon is there. */
async function reach(run: Run, pages: number): Promise<Settled> {
  const { vmm, signal, plan } = run;
  const before = await askStatus(run);
  const startMs = performance.now();
  await vmm.balloon.setTarget({ pages, signal });
  let last = -1;
  let movedMs = startMs;
  let progressMs = startMs;
  for (;;) {
    const { actualPages } = await vmm.balloon.query({ signal });
    const nowMs = performance.now();
    if (actualPages !== last) movedMs = nowMs;
    last = actualPages;
    const stillMs = nowMs - movedMs;
    if (actualPages === pages || nowMs - progressMs >= PROGRESS_MS) {
      const after = await askStatus(run);
      progressMs = performance.now();
      emitProgress(run, { pages, actualPages, status: after });
      if (actualPages === pages && after.frames.held === pages) {
        return { before, after, ms: nowMs - startMs };
      }
      const outOfReach = after.outOfReach && stillMs >= OUT_OF_REACH_MS;
      if (outOfReach || stillMs >= plan.timeoutMs) throw missed({ pages, actualPages, after });
    }
    await sleep(POLL_MS, signal);
  }
}

function missed(parts: { pages: number; actualPages: number; after: GuestStatus }): FailureError {
  const { pages, actualPages, after } = parts;
  const { held, free } = after.frames;
  if (actualPages === pages) {
    return broken(
      "actual",
      `${actualPages} at the host, ${held} pages held`,
      "report this as a bug",
    );
  }
  const tail = after.outOfReach
    ? `${formatPages(free)} free, of which ${formatPages(after.reservePages)} are its reserve`
    : (after.lastError?.message ?? `no progress, state ${after.state}`);
  return new FailureError({
    kind: "unreached",
    what: `a balloon of ${formatPages(pages)}`,
    seen: `${formatPages(actualPages)} (${actualPages} of ${pages} pages); in the guest: ${tail}`,
    todo:
      "set a lower target, or give the guest a smaller workload or reserve; with --host " +
      "untrusted also a larger share (--append ballonet.target-share=PERCENT)",
  });
}

function emitProgress(
  run: Run,
  parts: { pages: number; actualPages: number; status: GuestStatus },
): void {
  run.emit({
    type: "progress",
    targetPages: parts.pages,
    actualPages: parts.actualPages,
    heldPages: parts.status.frames.held,
    freePages: parts.status.frames.free,
    memoryPages: run.plan.memoryPages,
  });
}

function checkReached(run: Run, { before, after, ms }: Settled): void {
  const { held, free } = after.frames;
  const frames = { before: totalFrames(before), after: totalFrames(after) };
  if (frames.after !== frames.before) {
    throw broken(
      "the guest's ledger",
      `${frames.after} frames, ${frames.before} before`,
      "report this as a bug: the number of frames never changes",
    );
  }
  const movedPages = Math.abs(held - before.frames.held);
  run.emit({
    type: "reached",
    pages: held,
    heldPages: held,
    freePages: free,
    memoryPages: run.plan.memoryPages,
    movedPages,
    ms: Math.round(ms),
    pagesPerSecond: Math.round((movedPages * 1000) / Math.max(ms, 1)),
    kicks: after.totals.notifications - before.totals.notifications,
  });
}

async function verify(run: Run, handle: number): Promise<Verified> {
  const startMs = performance.now();
  const reply = await ask(run, "workload.verify", { handle });
  const verified: Verified = {
    type: "verified",
    bytes: count(reply, "bytes"),
    mismatches: count(reply, "mismatches"),
    ms: Math.round(performance.now() - startMs),
  };
  run.emit(verified);
  if (verified.mismatches === 0) return verified;
  throw broken(
    "the workload's memory",
    `${verified.mismatches} of ${formatBytes(verified.bytes)} are not what the guest wrote`,
    "check the host: it discarded or changed pages that were not in the balloon",
  );
}

async function emitStatistics(run: Run): Promise<void> {
  const { vmm, signal, plan } = run;
  const startMs = performance.now();
  const { tags } = await vmm.balloon.statistics({ signal, timeoutMs: plan.timeoutMs });
  run.emit({ type: "statistics", values: tags, ms: Math.round(performance.now() - startMs) });
}

function summarize(parts: {
  run: Run;
  readyMs: number;
  settled: readonly Settled[];
  verified: readonly Verified[];
  reportedPages: number;
}): Summary {
  const { run, readyMs, settled, verified, reportedPages } = parts;
  const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
  const moves = settled.map(({ before, after, ms }) => {
    const pages = after.frames.held - before.frames.held;
    return { pages, ms, kicks: after.totals.notifications - before.totals.notifications };
  });
  const ups = moves.filter(({ pages }) => pages > 0);
  const downs = moves.filter(({ pages }) => pages < 0);
  return {
    type: "summary",
    targets: settled.length,
    readyMs: Math.round(readyMs),
    sessionMs: Math.round(performance.now() - run.launchedMs),
    inflatedPages: sum(ups.map(({ pages }) => pages)),
    inflateMs: Math.round(sum(ups.map(({ ms }) => ms))),
    deflatedPages: sum(downs.map(({ pages }) => -pages)),
    deflateMs: Math.round(sum(downs.map(({ ms }) => ms))),
    reportedPages,
    verifiedBytes: sum(verified.map(({ bytes }) => bytes)),
    mismatches: sum(verified.map(({ mismatches }) => mismatches)),
    kicks: sum(moves.map(({ kicks }) => kicks)),
  };
}
