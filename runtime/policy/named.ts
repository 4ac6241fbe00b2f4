/** Policies by name, for command lines and control channels. */
import { configError } from "../errors.ts";
import { cooperative } from "./cooperative.ts";
import { follow } from "./follow.ts";
import { gentle } from "./gentle.ts";
import type { Policy } from "./policy.ts";
import { reportOnly } from "./report-only.ts";

const FOLLOW_OPTIONS = ["retryMs", "retryMostMs", "holdOffMs"];

interface NamedPolicy {
  readonly options: readonly string[];
  make(options: Record<string, number>): Policy;
}

const POLICIES = {
  follow: { make: follow, options: FOLLOW_OPTIONS },
  gentle: { make: gentle, options: [...FOLLOW_OPTIONS, "pagesPerSecond", "hysteresisPages"] },
  cooperative: { make: cooperative, options: [...FOLLOW_OPTIONS, "giveMs"] },
  "report-only": { make: reportOnly, options: [] },
} satisfies Record<string, NamedPolicy>;

/** The names of the stock policies. */
export type PolicyName = keyof typeof POLICIES;

/** All policy names, the default first. */
export const POLICY_NAMES = Object.keys(POLICIES) as readonly PolicyName[];

/**
 * Returns the stock policy of this name. `options` are those of the policy that are numbers; times
 * are milliseconds.
 * @throws BallonetError `config` for an unknown name or option, or a value that is no number > 0.
 */
export function namedPolicy(name: string, options: Record<string, unknown> = {}): Policy {
  if (!Object.hasOwn(POLICIES, name)) {
    throw configError("policy", `"${name}"`, `choose one of ${POLICY_NAMES.join(", ")}`);
  }
  const policy: NamedPolicy = POLICIES[name as PolicyName];
  for (const [option, value] of Object.entries(options)) {
    if (!policy.options.includes(option)) {
      const todo = `give none but ${policy.options.join(", ")}`;
      throw configError(`policy ${name}`, `an option "${option}"`, todo);
    }
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
      throw configError(`policy ${name}, ${option}`, String(value), "give a number above 0");
    }
  }
  return policy.make(options as Record<string, number>);
}
