/**
 * What a mutant is: the driver's own source with one named mistake in it.
 *
 * It must not know any single mutant. Invariant: a patch that no longer fits its file exactly once is
 * an error, so that no mutant survives the code that it was made for.
 */
import type { RuleId } from "../../../src/device/index.ts";
import type { BehaviourId } from "../behaviours.ts";
import type { ScenarioName } from "../scenarios.ts";

/** Text to be found exactly once in one file, and what stands there instead. */
export interface Patch {
  /** From the root of the package, below runtime/ or assembly/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant extends Patch {
  /** What the mistake is, as a short phrase. */
  readonly id: string;
  /** The rule of the device, or the behaviour of ours, that finds it out. */
  readonly breaks: RuleId | BehaviourId;
  /** Under which circumstances. */
  readonly scenario: ScenarioName;
  /** For the few mistakes that it takes two places to make. */
  readonly and?: readonly Patch[];
}

/** All patches of a mutant. */
export function patchesOf(mutant: Mutant): readonly Patch[] {
  const { file, find, replace, and = [] } = mutant;
  return [{ file, find, replace }, ...and];
}

/** The patched text. Throws when the text to be found is not there exactly once. */
export function applyPatch(source: string, { file, find, replace }: Patch): string {
  const [before, after, ...more] = source.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    const times = source.split(find).length - 1;
    throw new Error(
      `${file} holds the text to be patched ${times} times, not once; make it fit again:\n${find}`,
    );
  }
  return `${before}${replace}${after}`;
}
