/** The breaches of one rule, folded into one: how many, which pages, and the first of them. */

import { PageSet } from "../memory/page-set.ts";
import type { RuleId } from "../spec/rules.ts";
import type { Verdict } from "./verdict.ts";

/** All breaches of one rule. */
export interface FoldedVerdict
  extends Pick<Verdict, "rule" | "level" | "section" | "title" | "cause"> {
  readonly count: number;
  /** The pages that they are about, where they are about pages. */
  readonly pages?: {
    readonly count: number;
    /** As text: `1124 to 1623, 1700`. */
    readonly ranges: string;
  };
  /** What the driver did, the first time. */
  readonly seen: string;
  /** Virtual milliseconds of the first and the last breach. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** The trace entries that show the first breach, as lines, oldest first. */
  readonly lines: readonly string[];
}

/** Ranges that are written out. */
const RANGES_MAX = 8;

export class Tally {
  count = 0;
  private readonly first: Verdict;
  private lastMs: number;
  private pages: PageSet | undefined;

  constructor(first: Verdict) {
    this.first = first;
    this.lastMs = first.ms;
  }

  add(ms: number, page: number | undefined): void {
    this.count += 1;
    this.lastMs = ms;
    if (page === undefined) return;
    this.pages ??= new PageSet();
    this.pages.add(page);
  }

  folded(): FoldedVerdict {
    const { rule, level, section, title, seen, ms, lines, cause } = this.first;
    const { count, lastMs, pages } = this;
    return {
      ...{ rule, level, section, title, count },
      ...(pages && { pages: { count: pages.size, ranges: rangesOf(pages) } }),
      ...{ seen, firstMs: ms, lastMs, lines },
      ...(cause && { cause }),
    };
  }
}

/** Returns one line for people: the rule, how often, which pages, what was done first, and why. */
export function formatFolded(one: FoldedVerdict): string {
  const { rule, level, section, count, pages, seen, cause } = one;
  const many = count > 1 ? `${count} times, first: ${seen}` : seen;
  const what = pages && pages.count > 1 ? `${pages.count} pages, ${pages.ranges}` : many;
  return `${rule}: ${what} (${level}, ${section})${cause ? `; follows from ${cause}` : ""}`;
}

function rangesOf(pages: PageSet): string {
  const ranges: string[] = [];
  let more = 0;
  let first = -1;
  let last = -2;
  const close = () => {
    if (first < 0) return;
    if (ranges.length === RANGES_MAX) more += 1;
    else ranges.push(first === last ? String(first) : `${first} to ${last}`);
  };
  for (const pfn of pages) {
    if (pfn !== last + 1) {
      close();
      first = pfn;
    }
    last = pfn;
  }
  close();
  return ranges.join(", ") + (more > 0 ? `, and ${more} more ranges` : "");
}

/** The rule among these that was broken before, if any: the cause of a consequence. */
export function causeOf(
  follows: readonly string[],
  broken: ReadonlySet<RuleId>,
): RuleId | undefined {
  return [...broken].find((rule) => follows.includes(rule));
}
