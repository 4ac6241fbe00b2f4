/** Holds each decision of a policy against what a policy may decide. */
import { BallonetError } from "../errors.ts";
import {
  GIVERS,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  spendablePages,
} from "./policy.ts";

interface CheckOptions {
  /** Decides from the first decision on that may not be. */
  readonly instead: Policy;
  /** Called once, with what was wrong. */
  onRefused(error: BallonetError): void;
}

/**
 * Returns the policy, checked: the first time that it throws, or decides what may not be, it is
 * told and never asked again, and another one goes on. One that never returns stops its driver.
 */
export function checkedPolicy(policy: Policy, { instead, onRefused }: CheckOptions): Policy {
  let inForce = policy;
  return {
    get name() {
      return inForce.name;
    },
    decide(view) {
      if (inForce === instead) return instead.decide(view);
      const decided = decisionOf(policy, view);
      if (typeof decided !== "string") return decided;
      inForce = instead;
      const todo = `correct the policy; ${instead.name} goes on in its place`;
      onRefused(
        new BallonetError({ code: "policy", what: `policy ${policy.name}`, seen: decided, todo }),
      );
      return instead.decide(view);
    },
  };
}

/** Returns the decision, or what is wrong with it in words. */
function decisionOf(policy: Policy, view: PolicyView): PolicyDecision | string {
  try {
    const decision: unknown = policy.decide(view);
    if (typeof decision !== "object" || decision === null)
      return `the decision ${String(decision)}`;
    return fault(decision, view) ?? (decision as PolicyDecision);
  } catch (error) {
    return `an error: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function fault(
  decision: Partial<Record<keyof PolicyDecision, unknown>>,
  view: PolicyView,
): string | undefined {
  const { goalPages, atMostPages, short, lookAgainMs } = decision;
  if (!Number.isSafeInteger(goalPages) || Number(goalPages) < 0) {
    return `goalPages ${String(goalPages)}, no whole number from 0`;
  }
  const bound = pagesBound(view);
  const goal = Number(goalPages);
  if (goal > Math.max(bound, view.targetPages)) {
    return `goalPages ${goal}, beyond the target ${view.targetPages}`;
  }
  const reachable = bound + spendablePages(view);
  if (goal > reachable) return `goalPages ${goal}, beyond ${reachable}, where the reserve begins`;
  if (typeof atMostPages !== "number" || !(atMostPages >= 0)) {
    return `atMostPages ${String(atMostPages)}, no number from 0`;
  }
  if (short !== undefined && typeof short !== "boolean") return `short ${String(short)}`;
  if (lookAgainMs !== undefined && (typeof lookAgainMs !== "number" || Number.isNaN(lookAgainMs))) {
    return `lookAgainMs ${String(lookAgainMs)}, no time`;
  }
  return faultOfAsk(decision.ask as PolicyDecision["ask"] | null);
}

function faultOfAsk(ask: PolicyDecision["ask"] | null): string | undefined {
  if (ask === undefined) return undefined;
  if (!GIVERS.some((giver) => giver === ask?.from)) return `ask of ${String(ask?.from)}`;
  const pages: unknown = ask?.pages;
  const isCount = Number.isSafeInteger(pages) && Number(pages) >= 0;
  return isCount ? undefined : `ask for ${String(pages)} pages, no whole number from 0`;
}
