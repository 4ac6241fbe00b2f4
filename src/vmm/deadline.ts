/**
 * How long a caller waits: a signal and a time limit, applied the same way everywhere. A wait
 * settles once and runs its clean-up once, however it ends.
 */

import { VmmError } from "./errors.ts";

/** How long an asynchronous call may take; all of src/vmm take one. */
export interface Deadline {
  /** Aborting rejects the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call rejects with code `timeout`; each call names its default. */
  readonly timeoutMs?: number | undefined;
}

/** setTimeout silently turns anything longer than 2^31 - 1 ms into 1 ms. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

interface Wait<T> {
  /** What is waited for, as a noun phrase: "the guest's log line /ready/". */
  readonly what: string;
  readonly deadline: Deadline;
  readonly defaultMs: number;
  /** Called when the time is over: returns what was seen instead, for the error. */
  readonly seen?: () => string;
  /** Starts the wait. Returns a clean-up, which is called once when the wait has ended. */
  readonly begin: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void;
}

/** Returns what `begin` resolves with; rejects with `timeout` or the signal's reason. */
export function waitFor<T>({ what, deadline, defaultMs, seen, begin }: Wait<T>): Promise<T> {
  const { signal } = deadline;
  const limitMs = Math.min(deadline.timeoutMs ?? defaultMs, MAX_TIMEOUT_MS);
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    let settled = false;
    let cleanUp: (() => void) | undefined;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      cleanUp?.();
      act();
    };
    const onAbort = (): void => settle(() => reject(signal?.reason));
    const timer = setTimeout(
      () => settle(() => reject(timeoutError({ what, limitMs, seen: seen?.() }))),
      limitMs,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      cleanUp = begin(
        (value) => settle(() => resolve(value)),
        (reason) => settle(() => reject(reason)),
      );
    } catch (error) {
      settle(() => reject(error));
    }
    // A wait that was settled from within `begin` had nothing to clean up yet.
    if (settled) cleanUp?.();
  });
}

interface Poll<T> {
  readonly what: string;
  readonly deadline: Deadline;
  readonly defaultMs: number;
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  readonly seen?: () => string;
  /** Looks once; undefined means "not yet". It must end within the deadline that it is given. */
  readonly look: (deadline: Deadline) => Promise<T | undefined>;
}

/** Calls `look` until it finds something; rejects with `timeout` or the signal's reason. */
export async function pollFor<T>(poll: Poll<T>): Promise<T> {
  const { what, deadline, defaultMs, everyMs, seen, look } = poll;
  const limitMs = Math.min(deadline.timeoutMs ?? defaultMs, MAX_TIMEOUT_MS);
  const endMs = performance.now() + limitMs;
  const { signal } = deadline;
  for (;;) {
    signal?.throwIfAborted();
    const lookMs = Math.max(endMs - performance.now(), 1);
    const found = await look({ signal, timeoutMs: lookMs }).catch((error: unknown) => {
      // The look got the rest of our time: its time-out is ours, and is reported below.
      if (error instanceof VmmError && error.code === "timeout") return undefined;
      throw error;
    });
    if (found !== undefined) return found;
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) throw timeoutError({ what, limitMs, seen: seen?.() });
    await sleep(Math.min(everyMs, leftMs), signal);
  }
}

/** Rejects with the signal's reason itself. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function timeoutError(parts: {
  what: string;
  limitMs: number;
  seen: string | undefined;
}): VmmError {
  return new VmmError({
    code: "timeout",
    what: `waiting for ${parts.what}`,
    seen: `nothing after ${Math.round(parts.limitMs)} ms${parts.seen ? `, but ${parts.seen}` : ""}`,
    todo: "read the last log lines for the reason, or allow more time with timeoutMs",
  });
}
