/** The name that somebody most likely meant. */

/** Letters that may differ, as a part of the longer word. */
const MAX_DIFFERENT = 0.4;

/** Returns what to do about an unknown name: the nearest one, or the list of all. */
export function nameOneOf(given: string, names: readonly string[]): string {
  let nearest: string | undefined;
  let least = MAX_DIFFERENT;
  for (const name of names) {
    const part = distance(given.toLowerCase(), name.toLowerCase()) / Math.max(given.length, 1);
    if (part < least) [nearest, least] = [name, part];
  }
  if (nearest !== undefined) return `did you mean ${nearest}?`;
  const shown = names.slice(0, 40).join(", ");
  return `name one of ${shown}${names.length > 40 ? ", ..." : ""}`;
}

/** How many letters have to be changed, added or left out (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
