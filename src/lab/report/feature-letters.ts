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

/** `MSO1`; `-` for none. */
export function featureLetters(features: readonly string[]): string {
  return features.map((name) => LETTERS[name] ?? `(${name})`).join("") || "-";
}

/** `M MUST_TELL_HOST, S STATS_VQ`: what the letters of these features stand for. */
export function letterLegend(features: readonly string[]): string {
  const known = Object.entries(LETTERS).filter(([name]) => features.includes(name));
  return known.map(([name, letter]) => `${letter} ${name}`).join(", ");
}
