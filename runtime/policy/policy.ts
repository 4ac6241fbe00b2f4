/** What a policy is, and what policies have in common. */

/**
 * What in a guest can give memory: the caches of its program, and then its garbage. In this order
 * it hurts least.
 */
export const GIVERS = ["caches", "garbage"] as const;
/** One of GIVERS. */
export type Giver = (typeof GIVERS)[number];

/** All that a policy may look at. The driver makes one for each decision. */
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
  /** Posted on the deflateq, not yet acknowledged. For own policies; the stock ones do not look. */
  readonly deflatingPages: number;
  /** Pages that the guest does not use, the reserve among them. */
  readonly freePages: number;
  /**
   * All RAM that the ledger knows, in the balloon or not. For own policies that think in shares.
   */
  readonly totalPages: number;
  /** Free pages that inflating leaves to the guest. */
  readonly reservePages: number;
  /** When pages were last posted on the inflateq; undefined before the first. */
  readonly lastInflateMs: number | undefined;
  /** When the device last acknowledged pages, either way; undefined before the first time. */
  readonly lastAnswerMs: number | undefined;
  /** How many decisions in a row found the target out of reach. */
  readonly shortages: number;
  /** When the last of them did; 0 before the first. */
  readonly lastShortageMs: number;
  /** When the guest last had to take pages back for want of memory; undefined before the first. */
  readonly lastOomMs: number | undefined;
  /** A number in [0, 1), new for every view. */
  readonly random: number;
  /**
   * Whether DEFLATE_ON_OOM is negotiated, so that the guest can take pages back when it lacks
   * memory. For own policies that dare more where it is.
   */
  readonly deflateOnOom: boolean;
  /** What the caches of the guest's program offer to give; undefined: there is no program. */
  readonly offeredPages: number | undefined;
  /** Who was asked last, and when, in the try that goes on; undefined: nobody yet. */
  readonly asked: { readonly from: Giver; readonly sinceMs: number } | undefined;
}

/** What to do next. */
export interface PolicyDecision {
  /**
   * Pages that the balloon should hold. At most `freePages - reservePages` beyond what it has; it
   * is never taken below `targetPages`, for up to there pages are the host's (virtio 1.3, 5.5.6.1).
   */
  readonly goalPages: number;
  /** The most pages to post now, either way; Infinity for no bound. */
  readonly atMostPages: number;
  /** Counts a shortage of free memory (true), forgets them all (false), or neither. */
  readonly short: boolean | undefined;
  /** When to decide again though nothing happened, in the clock of `nowMs`; undefined: never. */
  readonly lookAgainMs: number | undefined;
  /** Asks for so many pages, which become free later. Absent: nobody is asked. */
  readonly ask?: { readonly from: Giver; readonly pages: number } | undefined;
}

/**
 * Decides how large the balloon should be. A policy is pure: time and chance come in with the view,
 * so the same view always gives the same decision. Own policies are objects of this type.
 */
export interface Policy {
  /** As `status` shows it. */
  readonly name: string;
  /** Returns what the driver does now; it is asked again after each step and each change. */
  decide(view: PolicyView): PolicyDecision;
}

/** Returns what the balloon will hold once the host has acknowledged everything. */
export function pagesBound(view: PolicyView): number {
  return view.heldPages + view.inflatingPages;
}

/** Returns the pages that inflating may still take without touching the reserve. */
export function spendablePages(view: PolicyView): number {
  return Math.max(0, view.freePages - view.reservePages);
}

/** Returns the decision to go to `goalPages` at once; nothing is short. */
export function chase(goalPages: number): PolicyDecision {
  return {
    goalPages,
    atMostPages: Number.POSITIVE_INFINITY,
    short: false,
    lookAgainMs: undefined,
  };
}

/** Returns the decision to leave everything as it is until `lookAgainMs`. */
export function stay(view: PolicyView, lookAgainMs: number): PolicyDecision {
  return { goalPages: pagesBound(view), atMostPages: 0, short: undefined, lookAgainMs };
}

/**
 * Returns until when an unchanged target must not be chased after the guest took pages back for
 * want of memory, or undefined. Chasing it at once pumps the same memory to and fro without end.
 */
export function heldOffUntil(view: PolicyView, holdOffMs: number): number | undefined {
  if (view.lastOomMs === undefined || view.targetChangedMs > view.lastOomMs) return undefined;
  const until = view.lastOomMs + holdOffMs;
  return view.nowMs < until ? until : undefined;
}
