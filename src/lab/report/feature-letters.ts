/**
 * Features as letters, for tables. A feature without a letter is written in full.
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

/** The letters of these features and what they stand for, in the order of the table. */
export function letterLegend(features: readonly string[]): readonly (readonly [string, string])[] {
  return Object.entries(LETTERS)
    .filter(([name]) => features.includes(name))
    .map(([name, letter]) => [letter, name]);
}
