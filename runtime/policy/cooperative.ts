/**
 * The policy `cooperative`: the goal of `follow`; what is missing to it the guest's program is
 * asked for, before the target counts as out of reach.
 *
 *   free frames -> what caches offer -> a collection of garbage -> out of reach, as with `follow`
 */
import { type FollowOptions, followAtPace } from "./follow.ts";
import {
  GIVERS,
  type Giver,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  spendablePages,
} from "./policy.ts";

/** Options of the policy `cooperative`: those of `follow`, and a bound. */
export interface CooperativeOptions extends FollowOptions {
  /** How long each of those that are asked has time to give. Default 100 ms. */
  readonly giveMs?: number;
}

const GIVE_MS = 100;

/**
 * Returns the policy `cooperative`: it goes where `follow` goes, and takes what is free at once.
 * For the rest it asks the guest's program, step by step, each for a bounded time; only then the
 * target is out of reach. Where there is no program, it is `follow`. Choose it for guests that hold
 * memory which they can do without; it is the default of guests with a program.
 */
export function cooperative(options: CooperativeOptions = {}): Policy {
  const { giveMs = GIVE_MS } = options;
  const follow = followAtPace(options, 0);

  /** What to ask for next, or until when to wait for who was asked; undefined: all were. */
  function next(view: PolicyView, missing: number): Partial<PolicyDecision> | undefined {
    const { asked, nowMs } = view;
    if (asked !== undefined && nowMs < asked.sinceMs + giveMs) {
      return { lookAgainMs: asked.sinceMs + giveMs };
    }
    const rest = asked === undefined ? GIVERS : GIVERS.slice(GIVERS.indexOf(asked.from) + 1);
    const from = rest.find((giver) => canGive(giver, view));
    if (from === undefined) return undefined;
    return { lookAgainMs: nowMs + giveMs, ask: { from, pages: missing } };
  }

  function decide(view: PolicyView): PolicyDecision {
    const decision = follow(view);
    const reachable = pagesBound(view) + spendablePages(view);
    const missing = view.targetPages - reachable;
    // While it waits for its next try, or is held off, nobody is asked, either.
    if (missing <= 0 || decision.atMostPages === 0) return decision;
    const more = next(view, missing);
    return more === undefined ? decision : { ...decision, short: undefined, ...more };
  }

  return { name: "cooperative", decide };
}

function canGive(giver: Giver, { offeredPages }: PolicyView): boolean {
  return offeredPages !== undefined && (giver !== "caches" || offeredPages > 0);
}
