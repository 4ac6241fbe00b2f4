/**
 * follow: obey num_pages, keep a reserve, and back off when memory is short.
 *
 * It must not pace or second-guess the host. Invariant: a target within reach is chased at once
 * and in full; one out of reach is tried again ever more rarely, never in a tight loop.
 */
import {
  heldOffUntil,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  spendablePages,
  stay,
} from "./policy.ts";

export interface FollowOptions {
  /** The first wait after a shortage; doubled by each further one. */
  readonly retryMs?: number;
  /** The longest wait. */
  readonly retryMostMs?: number;
  /** How long an unchanged target is left alone after the guest ran out of memory. */
  readonly holdOffMs?: number;
  /** How much longer than that a wait may be, as a part of it, so that guests spread. */
  readonly jitter?: number;
}

/** Guests that share a host should not all try again in the same instant. */
export const FOLLOW_DEFAULTS: Required<FollowOptions> = {
  retryMs: 100,
  retryMostMs: 30_000,
  holdOffMs: 10_000,
  jitter: 0.25,
};

/** So much freed memory ends a shortage; less is taken too, but the wait goes on growing. */
const WORTH_PAGES = 256;

/** Whether the last try goes on: one turn takes no more than a queue has room for. */
function isAmidTry(view: PolicyView, retryMs: number): boolean {
  const { lastInflateMs, lastShortageMs, inflatingPages, nowMs } = view;
  if (lastInflateMs === undefined || lastInflateMs < lastShortageMs) return false;
  return inflatingPages > 0 || nowMs - lastInflateMs < retryMs;
}

export function follow(options: FollowOptions = {}): Policy {
  const { retryMs, retryMostMs, holdOffMs, jitter } = { ...FOLLOW_DEFAULTS, ...options };

  function retryAt(view: PolicyView): number {
    const waitMs = Math.min(retryMs * 2 ** Math.min(view.shortages - 1, 30), retryMostMs);
    return view.lastShortageMs + waitMs * (1 + jitter * view.random);
  }

  function chase(view: PolicyView, goalPages: number): PolicyDecision {
    return {
      goalPages,
      atMostPages: Number.POSITIVE_INFINITY,
      deflateMode: view.deflateMode,
      short: false,
      lookAgainMs: undefined,
    };
  }

  function decide(view: PolicyView): PolicyDecision {
    const bound = pagesBound(view);
    if (view.targetPages <= bound) return chase(view, view.targetPages);
    const offUntil = heldOffUntil(view, holdOffMs);
    if (offUntil !== undefined) return stay(view, offUntil);
    const spendable = spendablePages(view);
    const reachable = bound + spendable;
    if (reachable >= view.targetPages) return chase(view, view.targetPages);
    if (view.shortages === 0 && spendable > 0) return chase(view, reachable);
    if (view.shortages > 0 && view.nowMs < retryAt(view)) {
      if (!isAmidTry(view, retryMs)) return stay(view, retryAt(view));
      return { ...chase(view, reachable), short: undefined, lookAgainMs: retryAt(view) };
    }
    if (spendable >= WORTH_PAGES) return chase(view, reachable);
    return { ...chase(view, reachable), short: true, lookAgainMs: view.nowMs + retryMs };
  }

  return { name: "follow", decide };
}
