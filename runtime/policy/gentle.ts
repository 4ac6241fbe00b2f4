/**
 * gentle: the same target as `follow`, at a pace, and with hysteresis after an out-of-memory
 * deflate.
 *
 * It must not decide where to go, only how fast. Invariant: between two looks no more is inflated
 * than the pace allows; deflating is never slowed, for the guest may be waiting for it.
 */
import { type FollowOptions, follow } from "./follow.ts";
import {
  heldOffUntil,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  stay,
} from "./policy.ts";

export interface GentleOptions extends FollowOptions {
  readonly pagesPerSecond?: number;
  /** Free pages beyond the reserve before an unchanged target is chased again after an OOM. */
  readonly hysteresisPages?: number;
}

/** 100 MiB a second: noticeable to a controller, hardly so to the guest. */
const PAGES_PER_SECOND = 25_600;
/** One portion: large enough for whole huge pages, small enough to stay smooth. */
const PORTION_MS = 100;
const HYSTERESIS_PAGES = 4096;
const GENTLE_HOLD_OFF_MS = 30_000;

export function gentle(options: GentleOptions = {}): Policy {
  const pagesPerSecond = options.pagesPerSecond ?? PAGES_PER_SECOND;
  const hysteresisPages = options.hysteresisPages ?? HYSTERESIS_PAGES;
  const holdOffMs = options.holdOffMs ?? GENTLE_HOLD_OFF_MS;
  const portion = Math.max(1, Math.round((pagesPerSecond * PORTION_MS) / 1000));
  const portionMs = (portion * 1000) / pagesPerSecond;
  const whither = follow({ ...options, holdOffMs });

  /** After the hold-off, an unchanged target still waits until the guest has room to spare. */
  function stillTight(view: PolicyView): boolean {
    if (view.lastOomMs === undefined || view.targetChangedMs > view.lastOomMs) return false;
    return view.freePages < view.reservePages + hysteresisPages;
  }

  function decide(view: PolicyView): PolicyDecision {
    const decision = whither.decide(view);
    if (decision.goalPages <= pagesBound(view)) return decision;
    if (heldOffUntil(view, holdOffMs) === undefined && stillTight(view)) {
      return stay(view, view.nowMs + holdOffMs);
    }
    const nextMs = view.lastInflateMs === undefined ? view.nowMs : view.lastInflateMs + portionMs;
    if (view.nowMs < nextMs) return stay(view, nextMs);
    return { ...decision, atMostPages: portion, lookAgainMs: view.nowMs + portionMs };
  }

  return { name: "gentle", decide };
}
