/** A verdict: one breach of one rule, with what shows it. */

import type { Level } from "../spec/rule.ts";
import type { RuleId } from "../spec/rules.ts";

/** One breach of one rule by the driver. */
export interface Verdict {
  readonly rule: RuleId;
  readonly level: Level;
  readonly section: string;
  /** The rule in one sentence. */
  readonly title: string;
  /** What the driver did. */
  readonly seen: string;
  /** Virtual time in milliseconds. */
  readonly ms: number;
  /** The trace entries that show the breach, as lines, oldest first. */
  readonly lines: readonly string[];
  /** A rule that was broken before, since the last reset, and that brings this one about. */
  readonly cause?: RuleId;
}

/** Returns a verdict as lines for people. */
export function formatVerdict(verdict: Verdict): string {
  const { rule, level, section, title, seen, cause, lines } = verdict;
  const follows = cause === undefined ? [] : [`  follows from: ${cause}`];
  return [
    `${rule} (${level}, ${section}): ${title}`,
    `  seen: ${seen}`,
    ...follows,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}
