/**
 * A session: boots a guest, finds its balloon, moves it to each target and checks memory.
 *
 *   building* -> booting -> ready -> allocated -> ( target -> progress* -> reached -> verified ->
 *   statistics )* -> freed -> summary
 *
 * With the policy `report-only` there are no targets: ... allocated -> verified -> statistics ->
 * freed -> reported -> summary.
 *
 * `failed` can come instead of any event; `log` comes between any two. The guest has ended before
 * the last event is emitted, however the session ends.
 */
import { stat } from "node:fs/promises";
import { type Failure, FailureError } from "../failure.ts";
import type { BuildProgress } from "../image/build-image.ts";
import { type ProvidedImage, provideImage } from "../image/provide-image.ts";
import { programImageFile, provideProgramImage } from "../image/provide-program-image.ts";
import { VmmError } from "../vmm/errors.ts";
import { EventQueue } from "../vmm/event-queue.ts";
import { launchQemu } from "../vmm/qemu/qemu.ts";
import { launchV86 } from "../vmm/v86/v86.ts";
import type { Vmm } from "../vmm/vmm.ts";
import type { Failed, SessionEvent, SessionStep } from "./events.ts";
import { failureOf } from "./failure-of.ts";
import { failureOfExit } from "./guest-exit.ts";
import { planSession, type Run, type SessionOptions, type SessionPlan } from "./plan.ts";
import { runScript } from "./script.ts";

/** When the caller reads slower than the guest logs, lines are dropped, or memory would fill up. */
const MAX_WAITING_EVENTS = 16_384;

/**
 * Runs a session and yields its events. The last one is `summary`, or `failed` with the reason: a
 * session that goes wrong does not throw. To leave the loop early ends the guest.
 *
 *   for await (const event of runSession({ on: "v86", targets: [{ pages: 4096 }] })) {
 *     if (event.type === "reached") console.log(event.pagesPerSecond);
 *   }
 *
 * @throws the reason of `options.signal` when it aborts; the guest has ended then.
 */
export async function* runSession(options: SessionOptions): AsyncGenerator<SessionEvent, void> {
  const startedMs = performance.now();
  const events = new EventQueue<SessionEvent>();
  const callerLeft = new AbortController();
  const signal = AbortSignal.any([callerLeft.signal, ...(options.signal ? [options.signal] : [])]);
  const emit = (step: SessionStep): void => {
    if (step.type === "log" && events.length >= MAX_WAITING_EVENTS) return;
    events.push({ ...step, atMs: Math.round(performance.now() - startedMs) });
  };
  const driven = drive({ options, signal, emit }).finally(() => events.close());
  // It is awaited below. Until then Node must not take a rejection for an unhandled one.
  driven.catch(() => {});
  try {
    yield* events;
    await driven;
  } finally {
    callerLeft.abort();
    await driven.catch(() => {});
  }
}

interface Drive extends Pick<Run, "signal" | "emit"> {
  readonly options: SessionOptions;
}

async function drive({ options, signal, emit }: Drive): Promise<void> {
  try {
    signal.throwIfAborted();
    const plan = planSession(options);
    const image = await findImage({ plan, signal, emit });
    const found = { image: image.path, imageBytes: image.bytes };
    const { on, arch, machine, memoryBytes, append } = plan;
    emit({ type: "booting", on, arch, machine, memoryBytes, ...found, append });
    const launchedMs = performance.now();
    const vmm = await launch({ plan, signal, image });
    await attend({ plan, vmm, signal, launchedMs, emit });
  } catch (error) {
    signal.throwIfAborted();
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    emit(failed(failure));
  }
}

function failed(failure: Failure, more: Partial<Failed> = {}): Failed {
  const { kind, what, seen, todo } = failure;
  return { type: "failed", kind, what, seen, todo, guestExitCode: null, logTail: [], ...more };
}

async function findImage(parts: {
  plan: SessionPlan;
  signal: AbortSignal;
  emit: Run["emit"];
}): Promise<ProvidedImage> {
  const { plan, signal, emit } = parts;
  if (plan.image === undefined) {
    const { arch, policy } = plan;
    const onProgress = (progress: BuildProgress) => emit({ type: "building", ...progress });
    if (policy === undefined) {
      return provideImage({ arch, inMemory: plan.on === "v86", signal, onProgress });
    }
    const image = await provideProgramImage({ policy, arch, signal, onProgress });
    return { path: await programImageFile(image, arch), bytes: image.bytes };
  }
  const bytes = await stat(plan.image).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
  if (bytes !== undefined) return { path: plan.image, bytes };
  throw new FailureError({
    kind: "usage",
    what: "image",
    seen: `no file ${plan.image}`,
    todo: "give an image's path, or none to have it built",
  });
}

async function launch(parts: {
  plan: SessionPlan;
  signal: AbortSignal;
  image: ProvidedImage;
}): Promise<Vmm> {
  const { plan, signal, image } = parts;
  const { arch, machine, memoryBytes, append, balloon, device, qemu, control, timeoutMs } = plan;
  const common = { image: image.path, memoryBytes, append, control, signal, timeoutMs };
  if (machine === null) {
    return launchV86({ ...common, image: image.contents ?? image.path, balloon });
  }
  const options = {
    ...common,
    ...{ arch, machine },
    ...(qemu === undefined ? {} : { binary: qemu }),
    // The option also gives QEMU the thread that hints need.
    balloon: balloon && { properties: device, freePageHint: device["free-page-hint"] === "on" },
  };
  try {
    return await launchQemu(options);
  } catch (error) {
    throw complaintAbout(plan, error) ?? error;
  }
}

/** QEMU's message about the balloon: its name, the option and, after a colon and a blank, words. */
const DEVICE_WORDS = /: -device virtio-balloon\S*: (.*?)(?=\\n|"|$)/;

/** Returns the failure that the user's own device options or program led to. */
function complaintAbout({ qemu }: SessionPlan, error: unknown): FailureError | undefined {
  if (!(error instanceof VmmError)) return undefined;
  if (error.code === "qemu-not-found" && qemu !== undefined) {
    return new FailureError({
      kind: "usage",
      what: "QEMU's program",
      seen: error.seen,
      todo: "give the path of a program, such as /usr/bin/qemu-system-x86_64",
    });
  }
  const words = error.code === "exited-early" ? DEVICE_WORDS.exec(error.seen)?.[1] : undefined;
  if (words === undefined) return undefined;
  return new FailureError({
    kind: "usage",
    what: "device options",
    seen: `QEMU says: ${words}`,
    todo: "give options that `qemu-system-x86_64 -device virtio-balloon-pci,help` lists",
  });
}

/** Runs the script on the machine, forwards its log, and ends it. */
async function attend(run: Run): Promise<void> {
  const { vmm, signal, emit } = run;
  const logged = forwardLog(run);
  let last: SessionStep;
  try {
    last = await runScript(run);
  } catch (error) {
    signal.throwIfAborted();
    const failure = await failureOfRun(vmm, error);
    const { guestExitCode = null } = hasExited(error) ? await vmm.exited : {};
    last = failed(failure, { guestExitCode, logTail: vmm.log.tail() });
  } finally {
    await vmm.kill();
    await logged;
  }
  emit(last);
}

function hasExited(error: unknown): boolean {
  return error instanceof VmmError && error.code === "exited";
}

/** When the machine ended, its exit code says more than the request that it did not answer. */
async function failureOfRun(vmm: Vmm, error: unknown): Promise<Failure> {
  if (hasExited(error)) return failureOfExit(await vmm.exited, vmm.log.lines);
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return failure;
}

async function forwardLog({ vmm, emit }: Run): Promise<void> {
  for await (const line of vmm.log) emit({ type: "log", line });
}
