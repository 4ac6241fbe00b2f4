/**
 * The judge: records which rule was broken, and what the driver did. The parts that see the
 * driver's accesses decide when a rule is broken; a rule's `seenBy` names them.
 */

import { formatEntry, type Trace } from "../sim/trace.ts";
import type { Level } from "../spec/rule.ts";
import { type RuleId, rules } from "../spec/rules.ts";

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
}

/** Verdicts kept for each rule: the first ones show what goes wrong, the rest is counted. */
const VERDICTS_PER_RULE = 16;

/** How many of the latest trace entries go into each verdict. */
const TAIL_ENTRIES = 6;

const RULE_BY_ID = new Map(rules.map((rule) => [rule.id, rule]));

export class Judge {
  readonly verdicts: Verdict[] = [];
  private readonly counts = new Map<RuleId, number>();
  private readonly trace: Trace;
  private readonly nowMs: () => number;
  private readonly waived: ReadonlySet<RuleId>;
  private readonly judging: boolean;

  /** Without `judging` it takes no notice of anything. */
  constructor(
    trace: Trace,
    nowMs: () => number,
    options: { readonly waived: readonly RuleId[]; readonly judging: boolean },
  ) {
    this.trace = trace;
    this.nowMs = nowMs;
    this.waived = new Set(options.waived);
    this.judging = options.judging;
  }

  /** How often a rule was broken, including breaches whose verdict was not kept. */
  count(rule: RuleId): number {
    return this.counts.get(rule) ?? 0;
  }

  /**
   * Records a breach. `entries` are numbers of earlier trace entries that explain it; the latest
   * few are added to them. Waived rules leave no verdict and no count.
   */
  breach(id: RuleId, seen: string, entries: readonly number[] = []): void {
    if (!this.judging || this.waived.has(id)) return;
    const rule = RULE_BY_ID.get(id);
    if (rule === undefined) throw new Error(`judge: no rule is called ${id}`);
    const count = this.count(id) + 1;
    this.counts.set(id, count);
    if (count > VERDICTS_PER_RULE) return;
    const lines = this.linesFor(entries);
    this.trace.add("verdict", `${id} ${seen}`);
    const { level, section, title } = rule;
    this.verdicts.push({ rule: id, level, section, title, seen, ms: this.nowMs(), lines });
  }

  private linesFor(entries: readonly number[]): string[] {
    const numbers = new Set(entries);
    for (let n = Math.max(1, this.trace.last - TAIL_ENTRIES + 1); n <= this.trace.last; n += 1) {
      numbers.add(n);
    }
    const lines: string[] = [];
    for (const n of [...numbers].sort((a, b) => a - b)) {
      const entry = this.trace.at(n);
      if (entry !== undefined) lines.push(formatEntry(entry));
    }
    return lines;
  }
}

/** Returns a verdict as lines for people. */
export function formatVerdict(verdict: Verdict): string {
  const head = `${verdict.rule} (${verdict.level}, ${verdict.section}): ${verdict.title}`;
  return [head, `  seen: ${verdict.seen}`, ...verdict.lines.map((line) => `  ${line}`)].join("\n");
}
