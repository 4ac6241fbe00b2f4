/**
 * Features as letters, for tables.
 *
 * Invariant: what has no letter is written in full; nothing is left out.
 */

const LETTERS: Readonly<Record<string, string>> = {
  MUST_TELL_HOST: "M",
  STATS_VQ: "S",
  DEFLATE_ON_OOM: "O",
  FREE_PAGE_HINT: "H",
  PAGE_POISON: "P",
  PAGE_REPORTING: "R",
  WILL_TELL_HOST: "W",
  SILENT_DEFLATE: "Q",
  ANY_LAYOUT: "a",
  INDIRECT_DESC: "i",
  EVENT_IDX: "e",
  VERSION_1: "1",
  ACCESS_PLATFORM: "A",
  RING_PACKED: "p",
  IN_ORDER: "o",
  NOTIFICATION_DATA: "n",
  RING_RESET: "r",
};

function letterOf(feature: string): string {
  return LETTERS[feature] ?? `(${feature})`;
}

/** `MSO1`; `-` for none. */
export function featureLetters(features: readonly string[]): string {
  return features.map(letterOf).join("") || "-";
}

/** What the letters of these features mean, in the order of their letters' table. */
export function letterLegend(features: readonly string[]): readonly (readonly [string, string])[] {
  return Object.entries(LETTERS)
    .filter(([name]) => features.includes(name))
    .map(([name, letter]) => [letter, name]);
}
