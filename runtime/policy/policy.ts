/**
 * What a policy is: a pure function from what is seen to what to do next.
 *
 * It must not know a device, a ring or a clock: time and chance come in with the view, so the same
 * view always gives the same decision. Invariant: a decision never asks for more memory than
 * `freePages - reservePages` beyond what the balloon has.
 */
import type { DeflateMode } from "../balloon/deflate-order.ts";

export interface PolicyView {
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** num_pages: what the host asks for. */
  readonly targetPages: number;
  /** When the host last asked for something else. */
  readonly targetChangedMs: number;
  /** Acknowledged by the host as in the balloon. */
  readonly heldPages: number;
  /** Posted on the inflateq, not yet acknowledged. */
  readonly inflatingPages: number;
  /** Posted on the deflateq, not yet acknowledged. */
  readonly deflatingPages: number;
  readonly freePages: number;
  /** All RAM that the ledger knows, in the balloon or not. */
  readonly totalPages: number;
  /** Free pages that inflating leaves to the guest. */
  readonly reservePages: number;
  /** When pages were last posted on the inflateq; undefined before the first. */
  readonly lastInflateMs: number | undefined;
  /** How many decisions in a row found the target out of reach, and when the last did. */
  readonly shortages: number;
  readonly lastShortageMs: number;
  /** When the guest last had to take pages back for want of memory; undefined before the first. */
  readonly lastOomMs: number | undefined;
  /** A number in [0, 1), new for every view. */
  readonly random: number;
  /** What the driver was set to do; legal under the negotiated features. */
  readonly deflateMode: DeflateMode;
  readonly deflateOnOom: boolean;
}

export interface PolicyDecision {
  /** Pages that the balloon should hold. */
  readonly goalPages: number;
  /** Most pages to post this turn, either way. */
  readonly atMostPages: number;
  /** How to take pages back. */
  readonly deflateMode: DeflateMode;
  /** Counts a shortage of free memory (true), forgets them all (false), or neither. */
  readonly short: boolean | undefined;
  /** When to decide again though nothing happened, in milliseconds of the view's clock. */
  readonly lookAgainMs: number | undefined;
}

export interface Policy {
  readonly name: string;
  decide(view: PolicyView): PolicyDecision;
}

/** What the balloon will hold once the host has acknowledged everything. */
export function pagesBound(view: PolicyView): number {
  return view.heldPages + view.inflatingPages;
}

/** Pages that inflating may still take without touching the reserve. */
export function spendablePages(view: PolicyView): number {
  return Math.max(0, view.freePages - view.reservePages);
}

/** Leaves everything as it is until `lookAgainMs`. */
export function stay(view: PolicyView, lookAgainMs: number): PolicyDecision {
  return {
    goalPages: pagesBound(view),
    atMostPages: 0,
    deflateMode: view.deflateMode,
    short: undefined,
    lookAgainMs,
  };
}

/**
 * Until when an unchanged target must not be chased after the guest took pages back for want of
 * memory, or undefined. Chasing it at once pumps the same memory to and fro without end.
 */
export function heldOffUntil(view: PolicyView, holdOffMs: number): number | undefined {
  if (view.lastOomMs === undefined || view.targetChangedMs > view.lastOomMs) return undefined;
  const until = view.lastOomMs + holdOffMs;
  return view.nowMs < until ? until : undefined;
}
