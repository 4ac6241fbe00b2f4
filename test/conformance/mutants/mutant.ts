/** What a mutant is: the driver's own source with one named mistake in it. */
import type { RuleId } from "../../../src/device/index.ts";
import type { Patch } from "../../support/patched.ts";
import type { ScenarioName } from "../scenarios/scenarios.ts";
import type { BehaviourId } from "../tables/behaviours.ts";

export interface Mutant extends Patch {
  /** What the mistake is, as the rest of a sentence that begins with "a driver that". */
  readonly id: string;
  /** The rule of the device, or the behaviour of ours, that finds it out. */
  readonly breaks: RuleId | BehaviourId;
  /** Under which circumstances. */
  readonly scenario: ScenarioName;
  /** For the few mistakes that it takes two places to make. */
  readonly and?: readonly Patch[];
}
