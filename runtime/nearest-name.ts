/** The name that somebody most likely meant. */

/** Letters that may differ, as a part of the longer word: "memroy" is memory, "foo" is nothing. */
const MAX_DIFFERENT = 0.4;

/**
 * Returns the name that `typed` begins, when there is exactly one, or the name that is nearest to
 * it, in capitals or not; undefined when none is near.
 */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  const begun = names.filter((name) => typed.length > 1 && name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let bestPart = MAX_DIFFERENT;
  for (const name of names) {
    const letters = distance(typed.toLowerCase(), name.toLowerCase());
    const part = letters / Math.max(typed.length, name.length, 1);
    if (part < bestPart) [best, bestPart] = [name, part];
  }
  return best;
}

/** How many letters have to be changed, added or removed to make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const changed = (row[j] as number) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
