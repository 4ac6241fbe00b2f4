/**
 * The name that somebody most likely meant.
 *
 * Invariant: a name is suggested only when it is closer to what was typed than to anything else.
 */

/** Letters that may differ, as a part of the longer word: "memroy" is memory, "foo" is nothing. */
const MOST_DIFFERENT = 0.4;

/** How many letters must be added, dropped, changed or swapped with their neighbour. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const now = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1] ? 0 : 1;
      const at = (line: readonly number[], index: number): number => line[index] ?? 0;
      let least = Math.min(
        at(last, column) + 1,
        at(now, column - 1) + 1,
        at(last, column - 1) + same,
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) least = Math.min(least, at(beforeLast, column - 2) + 1);
      now.push(least);
    }
    beforeLast = last;
    last = now;
  }
  return last[to.length] ?? 0;
}

/** The nearest of the names; undefined when none is near. */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  const begun = names.filter((name) => typed.length > 1 && name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let bestPart = MOST_DIFFERENT;
  for (const name of names) {
    const part = editDistance(typed, name) / Math.max(typed.length, name.length, 1);
    if (part < bestPart) [best, bestPart] = [name, part];
  }
  return best;
}
