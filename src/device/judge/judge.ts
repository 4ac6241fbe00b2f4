/**
 * The judge: records which rule was broken, and what the driver did. The parts that see the
 * driver's accesses decide when a rule is broken; a rule's `seenBy` names them.
 */

import { formatEntry, type Trace, type TraceEntry } from "../sim/trace.ts";
import { type Interface, type Rule, standingOf } from "../spec/rule.ts";
import { type RuleId, rules } from "../spec/rules.ts";
import { causeOf, type FoldedVerdict, Tally } from "./tally.ts";
import type { Verdict } from "./verdict.ts";

/** What explains a breach. */
export interface Evidence {
  /** Numbers of earlier trace entries; the latest few are added to them. */
  readonly entries?: readonly number[];
  /** The page that it is about. */
  readonly page?: number;
}

/** Verdicts kept for each rule: the first ones show what goes wrong, the rest is counted. */
const VERDICTS_PER_RULE = 16;

/** How many of the latest trace entries go into each verdict, and how far back they may be. */
const TAIL_ENTRIES = 6;
const LOOK_BACK = 64;

const RULE_BY_ID = new Map<RuleId, Rule>(rules.map((rule) => [rule.id, rule]));

const MODERN = { by: "modern", packed: false } as const;

export class Judge {
  readonly verdicts: Verdict[] = [];
  /** By what the driver uses the device: some rules are weaker over some. */
  usedBy: () => { readonly by: Interface; readonly packed: boolean } = () => MODERN;
  private readonly tallies = new Map<RuleId, Tally>();
  /** What was broken since the last reset. */
  private readonly recent = new Set<RuleId>();
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
    return this.tallies.get(rule)?.count ?? 0;
  }

  /** All breaches, one entry for each rule, in the order in which rules were broken first. */
  summary(): readonly FoldedVerdict[] {
    return [...this.tallies.values()].map((tally) => tally.folded());
  }

  /** The device was reset: what comes now does not follow from what was before. */
  reset(): void {
    this.recent.clear();
  }

  /** Records a breach. Waived rules leave no verdict and no count. */
  breach(id: RuleId, seen: string, evidence: readonly number[] | Evidence = []): void {
    if (!this.judging || this.waived.has(id)) return;
    const rule = RULE_BY_ID.get(id);
    if (rule === undefined) throw new Error(`judge: no rule is called ${id}`);
    const { entries = [], page } = "length" in evidence ? { entries: evidence } : evidence;
    const tally = this.tallies.get(id);
    if (tally === undefined || tally.count < VERDICTS_PER_RULE) {
      const lines = this.linesFor(entries, page);
      this.trace.add("verdict", `${id} ${seen}`);
      this.keep(rule, id, { seen, lines });
    }
    this.tallies.get(id)?.add(this.nowMs(), page);
    this.recent.add(id);
  }

  private keep(rule: Rule, id: RuleId, { seen, lines }: Pick<Verdict, "seen" | "lines">): void {
    const { title } = rule;
    const { level, section } = standingOf(rule, this.usedBy());
    const cause = causeOf(rule.follows ?? [], this.recent);
    const ms = this.nowMs();
    const verdict = { rule: id, level, section, title, seen, ms, lines, ...(cause && { cause }) };
    this.verdicts.push(verdict);
    if (!this.tallies.has(id)) this.tallies.set(id, new Tally(verdict));
  }

  private linesFor(entries: readonly number[], page: number | undefined): string[] {
    const { last } = this.trace;
    const numbers = new Set(entries);
    for (let n = last, tail = 0; n > Math.max(0, last - LOOK_BACK) && tail < TAIL_ENTRIES; n -= 1) {
      const entry = this.trace.at(n);
      if (entry === undefined || isOfAnother(entry, page)) continue;
      numbers.add(n);
      tail += 1;
    }
    return [...numbers]
      .sort((a, b) => a - b)
      .flatMap((n) => this.trace.at(n) ?? [])
      .map(formatEntry);
  }
}

/** Whether an entry tells of another breach, or of another page than this. */
function isOfAnother({ kind, fields }: TraceEntry, page: number | undefined): boolean {
  return kind === "verdict" || (kind === "touch" && page !== undefined && fields?.pfn !== page);
}
