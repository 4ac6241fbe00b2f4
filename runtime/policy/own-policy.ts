/**
 * A policy of the user's that runs apart from the driver, in an engine of its own: views go there
 * as JSON, and decisions come back as JSON.
 */
import type { Policy, PolicyDecision } from "./policy.ts";

/** Where such a policy runs. The boot code has one: runtime/kernel/boot/policy.c. */
export interface PolicyEngine {
  /** The name of the policy's file; undefined: there is no policy. */
  policyName(): string | undefined;
  /** Returns what the policy says to a view. Throws an Error when it throws or is late. */
  policyDecide(view: string): string;
}

/** What comes back: the policy's own name, and what it decided, whatever that is. */
interface Said {
  readonly name?: unknown;
  readonly decision?: PolicyDecision;
}

/** JSON has no Infinity and no NaN: the policy's script writes them as { number }. */
function revive(_: string, value: unknown): unknown {
  const { number } = (value ?? {}) as { readonly number?: unknown };
  return typeof number === "string" ? Number(number) : value;
}

/** Returns the policy; undefined where there is none. It is called as its file at first. */
export function ownPolicy(engine: PolicyEngine): Policy | undefined {
  let name = engine.policyName();
  if (name === undefined) return undefined;
  return {
    get name() {
      return name ?? "";
    },
    decide(view) {
      const said = JSON.parse(engine.policyDecide(JSON.stringify(view)), revive) as Said;
      if (typeof said.name === "string" && said.name !== "") name = said.name;
      // The driver checks what it is: see checked.ts.
      return said.decision as PolicyDecision;
    },
  };
}
