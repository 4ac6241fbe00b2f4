/** The policy `gentle`: the goal of `follow`, at a pace, and with hysteresis after a shortage. */
import { type FollowOptions, followAtPace } from "./follow.ts";
import {
  heldOffUntil,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  stay,
} from "./policy.ts";

/**
 * Options of the policy `gentle`: those of `follow` (`holdOffMs` defaults to 30,000), and a pace.
 */
export interface GentleOptions extends FollowOptions {
  /** The most pages that are inflated in a second. Default 25,600 (100 MiB). */
  readonly pagesPerSecond?: number;
  /**
   * Free pages beyond the reserve that the guest must have before an unchanged target is chased
   * again after a shortage. Default 4096 (16 MiB).
   */
  readonly hysteresisPages?: number;
}

/** 100 MiB a second: noticeable to a controller, hardly so to the guest. */
const PAGES_PER_SECOND = 25_600;
/** One portion: large enough for whole huge pages, small enough to stay smooth. */
const PORTION_MS = 100;
const HYSTERESIS_PAGES = 4096;
const GENTLE_HOLD_OFF_MS = 30_000;

/**
 * Returns the policy `gentle`: it goes where `follow` goes, but inflates at a pace, and after the
 * guest lacked memory it leaves an unchanged target alone until there is room to spare. Deflating
 * is never slowed, for the guest may be waiting for it. Choose it for guests with work of their
 * own, and for hosts that set large targets in one step or hold on to a target that the guest
 * cannot bear.
 */
export function gentle(options: GentleOptions = {}): Policy {
  const pagesPerSecond = options.pagesPerSecond ?? PAGES_PER_SECOND;
  const hysteresisPages = options.hysteresisPages ?? HYSTERESIS_PAGES;
  const holdOffMs = options.holdOffMs ?? GENTLE_HOLD_OFF_MS;
  const portion = Math.max(1, Math.round((pagesPerSecond * PORTION_MS) / 1000));
  const portionMs = (portion * 1000) / pagesPerSecond;
  const follow = followAtPace({ ...options, holdOffMs }, portionMs);

  /** After the hold-off, an unchanged target still waits until the guest has room to spare. */
  function stillTight(view: PolicyView): boolean {
    if (view.lastOomMs === undefined || view.targetChangedMs > view.lastOomMs) return false;
    return view.freePages < view.reservePages + hysteresisPages;
  }

  function decide(view: PolicyView): PolicyDecision {
    const decision = follow(view);
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
