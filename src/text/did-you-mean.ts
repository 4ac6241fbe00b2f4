/**
 * The name that somebody most likely meant.
 */
import { distance } from "fastest-levenshtein";

/** Letters that may differ, as a part of the longer word: "memroy" is memory, "foo" is nothing. */
const MAX_DIFFERENT = 0.4;

/**
 * Returns the name that `typed` begins, when there is exactly one, or the name that is nearest to
 * it; undefined when none is near.
 */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  const begun = names.filter((name) => typed.length > 1 && name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let bestPart = MAX_DIFFERENT;
  for (const name of names) {
    const part = distance(typed, name) / Math.max(typed.length, name.length, 1);
    if (part < bestPart) [best, bestPart] = [name, part];
  }
  return best;
}
