/**
 * Traces for simulations: what the programs of a guest use, and what its host asks for, over time.
 */
import { BallonetError } from "../../runtime/index.ts";

/** What holds from a moment on, until a later step says something else. */
export interface TraceStep {
  /** Milliseconds since the start, from 0 on; each step is later than the one before. */
  readonly atMs: number;
  /** Pages of 4 KiB that the guest's programs want to have. Default: as before, 0 at first. */
  readonly usedPages?: number;
  /** Pages that the host wants in the balloon. Default: as before, 0 at first. */
  readonly targetPages?: number;
}

/** What the host leaves to a guest beyond what it used. */
const MARGIN = 0.1;
/** How old what the host knows of the guest is. */
const HOST_LAG_MS = 2000;
const STEP_MS = 100;

/** Shares of memory that programs use, by the share of the trace that is over. */
const DEMANDS = {
  /** Three waves between 15 and 75 percent. */
  sine: (at: number) => 0.45 - 0.3 * Math.cos(at * 3 * 2 * Math.PI),
  /** 20 percent, and three times 80 of them for a twelfth of the time. */
  spike: (at: number) => ((at * 3) % 1 > 0.5 && (at * 3) % 1 < 0.75 ? 0.8 : 0.2),
  /** A day: a quiet night, a peak before noon, a higher one in the evening. */
  diurnal: (at: number) => 0.15 + 0.4 * hill(at, 0.45, 0.11) + 0.6 * hill(at, 0.82, 0.07),
};

/** The names of the stock traces. */
export type TraceName = keyof typeof DEMANDS;

/** All names of stock traces. */
export const TRACE_NAMES = Object.keys(DEMANDS) as readonly TraceName[];

function hill(at: number, middle: number, width: number): number {
  return Math.exp(-(((at - middle) / width) ** 2));
}

/**
 * Returns a stock trace: `sine`, `spike` or `diurnal`, for a guest of `pages` pages, `durationMs`
 * long. The host asks for all that the guest did not use two seconds before, but a tenth of memory.
 */
export function namedTrace(
  name: TraceName,
  { pages, durationMs }: { readonly pages: number; readonly durationMs: number },
): TraceStep[] {
  const usedAt = (ms: number) => Math.round(DEMANDS[name](Math.max(0, ms) / durationMs) * pages);
  const steps: TraceStep[] = [];
  for (let atMs = 0; atMs < durationMs; atMs += STEP_MS) {
    const known = usedAt(atMs - HOST_LAG_MS);
    const targetPages = Math.max(0, Math.floor(pages * (1 - MARGIN)) - known);
    steps.push({ atMs, usedPages: usedAt(atMs), targetPages });
  }
  return steps;
}

/** Returns the error for a value that `simulate` cannot take. */
export function refuseConfig(what: string, seen: string, todo: string): BallonetError {
  return new BallonetError({ code: "config", what, seen, todo });
}

function isPages(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0);
}

/**
 * Returns the trace, checked: a list of steps, as JSON has them.
 * @throws BallonetError `config` with the first step that is wrong.
 */
export function checkedTrace(trace: unknown): TraceStep[] {
  const todo = 'give a list of { "atMs", "usedPages", "targetPages" }, each later than the last';
  if (!Array.isArray(trace) || trace.length === 0) {
    throw refuseConfig("trace", Array.isArray(trace) ? "no steps" : typeof trace, todo);
  }
  let lastMs = -1;
  for (const [index, step] of trace.entries()) {
    const { atMs, usedPages, targetPages, ...rest } = (step ?? {}) as Record<string, unknown>;
    const others = Object.keys(rest);
    const isGood = typeof atMs === "number" && Number.isFinite(atMs) && atMs > lastMs && atMs >= 0;
    if (!isGood || !isPages(usedPages) || !isPages(targetPages) || others.length > 0) {
      throw refuseConfig(`trace, step ${index}`, JSON.stringify(step) ?? String(step), todo);
    }
    lastMs = atMs;
  }
  return trace as TraceStep[];
}
