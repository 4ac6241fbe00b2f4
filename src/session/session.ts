/**
 * A session: boot a guest, find its balloon, drive it through a script of targets, judge, tell.
 *
 *   build -> boot -> ready -> allocate -> ( target -> reached -> verify -> statistics )* -> free ->
 *   end
 *
 * It prints nothing and asks nobody. Invariant: however a session ends, the guest is ended before
 * the last event is told.
 */
import { stat } from "node:fs/promises";
import { type Failure, FailureError } from "../failure.ts";
import { buildImage } from "../image/build-image.ts";
import { VmmError } from "../vmm/errors.ts";
import { launchQemu } from "../vmm/qemu/qemu.ts";
import { launchV86 } from "../vmm/v86/v86.ts";
import type { Vmm } from "../vmm/vmm.ts";
import { EventQueue } from "./event-queue.ts";
import type { Failed, SessionEvent, SessionStep } from "./events.ts";
import { failureOf } from "./failure-of.ts";
import { endOfGuest } from "./guest-exit.ts";
import { planSession, type Run, type SessionOptions, type SessionPlan } from "./plan.ts";
import { runScript } from "./script.ts";

/** A guest that logs without end faster than anybody listens loses lines, not our memory. */
const MAX_WAITING_EVENTS = 16_384;

/**
 * Runs a session and tells its events; the last one is `summary` or `failed`. Leaving the loop ends
 * the session and the guest. Rejects only with the signal's reason, or with a bug.
 */
export async function* runSession(options: SessionOptions): AsyncGenerator<SessionEvent, void> {
  const startedMs = performance.now();
  const events = new EventQueue<SessionEvent>();
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, ...(options.signal ? [options.signal] : [])]);
  const tell = (step: SessionStep): void => {
    if (step.type === "log" && events.length >= MAX_WAITING_EVENTS) return;
    events.push({ ...step, atMs: Math.round(performance.now() - startedMs) });
  };
  const driven = drive({ options, signal, tell }).finally(() => events.close());
  // It is awaited below; until then a rejection must not count as unhandled.
  driven.catch(() => {});
  try {
    yield* events;
    await driven;
  } finally {
    left.abort();
    await driven.catch(() => {});
  }
}

interface Drive extends Pick<Run, "signal" | "tell"> {
  readonly options: SessionOptions;
}

async function drive({ options, signal, tell }: Drive): Promise<void> {
  try {
    signal.throwIfAborted();
    const plan = planSession(options);
    const image = await provideImage({ plan, signal, tell });
    const { on, arch, machine, memoryBytes, append } = plan;
    tell({ type: "booting", on, arch, machine, memoryBytes, ...image, append });
    const launchedMs = performance.now();
    const vmm = await launch({ plan, signal, image: image.image });
    await attend({ plan, vmm, signal, launchedMs, tell });
  } catch (error) {
    signal.throwIfAborted();
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    tell(failed(failure));
  }
}

function failed(failure: Failure, more: Partial<Failed> = {}): Failed {
  const { kind, what, seen, todo } = failure;
  return { type: "failed", kind, what, seen, todo, guestExitCode: null, logTail: [], ...more };
}

async function provideImage(parts: {
  plan: SessionPlan;
  signal: AbortSignal;
  tell: Run["tell"];
}): Promise<{ image: string; imageBytes: number }> {
  const { plan, signal, tell } = parts;
  if (plan.image === undefined) {
    const built = await buildImage({
      arch: plan.arch,
      signal,
      onProgress: (progress) => tell({ type: "building", ...progress }),
    });
    return { image: built.path, imageBytes: built.bytes };
  }
  const bytes = await stat(plan.image).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
  if (bytes !== undefined) return { image: plan.image, imageBytes: bytes };
  throw new FailureError({
    kind: "usage",
    what: "image",
    seen: `no file ${plan.image}`,
    todo: "give an image's path, or none to have it built",
  });
}

function launch(parts: { plan: SessionPlan; signal: AbortSignal; image: string }): Promise<Vmm> {
  const { plan, signal, image } = parts;
  const { arch, machine, memoryBytes, append, balloon } = plan;
  const common = { image, memoryBytes, append, balloon, signal };
  if (machine === null) return launchV86(common);
  return launchQemu({ ...common, arch, machine });
}

/** Stays with the machine until its end: the script, the log, and what to make of an early end. */
async function attend(run: Run): Promise<void> {
  const { vmm, signal, tell } = run;
  const logged = forwardLog(run);
  let last: SessionStep;
  try {
    last = await runScript(run);
  } catch (error) {
    signal.throwIfAborted();
    const failure = await explain(vmm, error);
    const { guestExitCode = null } = isOver(error) ? await vmm.exited : {};
    last = failed(failure, { guestExitCode, logTail: vmm.log.tail() });
  } finally {
    await vmm.kill();
    await logged;
  }
  tell(last);
}

function isOver(error: unknown): boolean {
  return error instanceof VmmError && error.code === "exited";
}

/** A machine that ended says why better than the request that got no answer. */
async function explain(vmm: Vmm, error: unknown): Promise<Failure> {
  if (isOver(error)) return endOfGuest(await vmm.exited, vmm.log.lines);
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return failure;
}

async function forwardLog({ vmm, tell }: Run): Promise<void> {
  for await (const line of vmm.log) tell({ type: "log", line });
}
