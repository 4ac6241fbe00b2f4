/**
 * The policy `follow`: obey num_pages at once, keep a reserve, and back off when memory is short.
 */
import {
  chase,
  heldOffUntil,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  spendablePages,
  stay,
} from "./policy.ts";

/** Options of the policy `follow`; times in milliseconds. */
export interface FollowOptions {
  /** The first wait after a shortage; doubled by each further one. Default 100. */
  readonly retryMs?: number;
  /** The longest wait. Default 30,000. */
  readonly retryMostMs?: number;
  /** How long an unchanged target is left alone after the guest lacked memory. Default 10,000. */
  readonly holdOffMs?: number;
  /**
   * How much longer a wait after a shortage may be, as a part of it, so that guests that share a
   * host do not all try again in the same instant. Default 0.25.
   */
  readonly jitter?: number;
}

export const FOLLOW_DEFAULTS: Required<FollowOptions> = {
  retryMs: 100,
  retryMostMs: 30_000,
  holdOffMs: 10_000,
  jitter: 0.25,
};

/** So much freed memory ends a shortage; less is taken too, but the wait goes on growing. */
const WORTH_PAGES = 256;

/**
 * Returns whether the last try goes on: one turn takes no more than a queue has room for, and a
 * slow device answers late.
 */
function isAmidTry(view: PolicyView, pauseMs: number): boolean {
  const { lastInflateMs, lastAnswerMs = 0, lastShortageMs, inflatingPages, nowMs } = view;
  if (lastInflateMs === undefined || lastInflateMs < lastShortageMs) return false;
  return inflatingPages > 0 || nowMs - Math.max(lastInflateMs, lastAnswerMs) < pauseMs;
}

/**
 * Returns the policy `follow`, the default: whatever the host asks for, at once and in full. A
 * target out of reach is tried again ever more rarely. Choose it where the host knows what it does,
 * or where memory has to move as fast as it can: tests, benchmarks, a host that paces its own
 * targets. Choose `gentle` for guests whose own work must not feel a large target.
 */
export function follow(options: FollowOptions = {}): Policy {
  return { name: "follow", decide: followAtPace(options, 0) };
}

/**
 * Returns the decisions of `follow`, for a policy that lets `paceMs` pass between two portions: a
 * try of several portions is one try.
 */
export function followAtPace(options: FollowOptions, paceMs: number): Policy["decide"] {
  const { retryMs, retryMostMs, holdOffMs, jitter } = { ...FOLLOW_DEFAULTS, ...options };
  const pauseMs = retryMs + paceMs;

  function retryAt(view: PolicyView): number {
    const waitMs = Math.min(retryMs * 2 ** Math.min(view.shortages - 1, 30), retryMostMs);
    return view.lastShortageMs + waitMs * (1 + jitter * view.random);
  }

  function decide(view: PolicyView): PolicyDecision {
    const bound = pagesBound(view);
    if (view.targetPages <= bound) return chase(view.targetPages);
    const offUntil = heldOffUntil(view, holdOffMs);
    if (offUntil !== undefined) return stay(view, offUntil);
    const spendable = spendablePages(view);
    const reachable = bound + spendable;
    if (reachable >= view.targetPages) return chase(view.targetPages);
    if (view.shortages === 0 && spendable > 0) return chase(reachable);
    if (view.shortages > 0 && isAmidTry(view, pauseMs)) {
      // Past that time, the return of what is on its way is the next look.
      const againMs = retryAt(view);
      const lookAgainMs = againMs > view.nowMs ? againMs : undefined;
      return { ...chase(reachable), short: undefined, lookAgainMs };
    }
    if (view.shortages > 0 && view.nowMs < retryAt(view)) return stay(view, retryAt(view));
    if (spendable >= WORTH_PAGES) return chase(reachable);
    return { ...chase(reachable), short: true, lookAgainMs: view.nowMs + retryMs };
  }

  return decide;
}
