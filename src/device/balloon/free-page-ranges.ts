/**
 * Ranges of pages that a driver lends to the host, as hints or as reports: what is wrong with them,
 * and which pages are lent. A page that is given to the balloon is no longer lent.
 */

import type { PoisonCheck } from "../checks/poison-check.ts";
import type { Context } from "../judge/context.ts";
import type { Evidence } from "../judge/judge.ts";
import { PageNotes } from "../memory/page-notes.ts";
import type { PageOwnership } from "../memory/page-ownership.ts";
import { PageSet } from "../memory/page-set.ts";
import type { QueuePages } from "../queue/queue-pages.ts";
import type { Taken } from "../queue/ring.ts";
import { DESC, PAGE_BYTES } from "../spec/numbers.ts";

/** Pages one after another. */
export interface PageRange {
  readonly first: number;
  readonly count: number;
}

export type LoanKind = "hint" | "report";

interface FreePageRangesParts {
  readonly pages: PageOwnership;
  readonly own: QueuePages;
  readonly poison: PoisonCheck;
  readonly frames: number;
}

export class FreePageRanges {
  /** Pages hinted and not given back by DONE, nor found in use again. */
  readonly hinted = new PageSet();
  /** Pages of reports that were not returned yet. */
  readonly reporting = new PageSet();
  private readonly context: Context;
  private readonly parts: FreePageRangesParts;
  /** The trace entry of the last buffer that named each page. */
  private readonly named = new PageNotes();

  constructor(context: Context, parts: FreePageRangesParts) {
    this.context = context;
    this.parts = parts;
  }

  reset(): void {
    this.hinted.clear();
    this.reporting.clear();
    this.named.clear();
  }

  save() {
    return { hinted: this.hinted.save(), reporting: this.reporting.save() };
  }

  load({ hinted, reporting }: ReturnType<FreePageRanges["save"]>): void {
    this.hinted.load(hinted);
    this.reporting.load(reporting);
  }

  /** The ranges of a buffer that are sound; the others are breaches and are left out. */
  ranges(kind: LoanKind, taken: Taken): PageRange[] {
    const found: PageRange[] = [];
    for (const { address, length, flags } of taken.chain.elements) {
      if ((flags & DESC.write) === 0) continue;
      const range = { first: address / PAGE_BYTES, count: length / PAGE_BYTES };
      if (this.judgeRange(kind, taken, range, address, length)) found.push(range);
    }
    return found;
  }

  /** Which pages of a range may really be lent; the others are breaches. */
  *usable(kind: LoanKind, taken: Taken, { first, count }: PageRange): Generator<number> {
    for (let pfn = first; pfn < first + count; pfn += 1) {
      if (!this.judgePage(kind, taken, pfn)) continue;
      this.parts.poison.taken(pfn);
      this.named.set(pfn, taken.entry);
      yield pfn;
    }
  }

  /** The balloon gets a page: judges whether the driver may have it, and ends a hint. */
  given(pfn: number, taken: Taken): void {
    this.parts.poison.taken(pfn);
    this.hinted.delete(pfn);
    if (!this.reporting.delete(pfn)) return;
    const seen = `page ${pfn} is inflated while its report is in flight`;
    this.context.judge.breach("D27", seen, { entries: [taken.entry], page: pfn });
  }

  /** What shows a breach that is about a page: the buffer that named it last. */
  evidence(pfn: number): Evidence {
    const entry = this.named.get(pfn);
    return { entries: entry > 0 ? [entry] : [], page: pfn };
  }

  private judgeRange(
    kind: LoanKind,
    taken: Taken,
    { first, count }: PageRange,
    address: number,
    length: number,
  ): boolean {
    const { judge } = this.context;
    const seen = `${kind}: 0x${address.toString(16)}, ${length} bytes`;
    if (!Number.isInteger(first) || !Number.isInteger(count) || count === 0) {
      judge.breach("Q-RANGE-ALIGN", seen, [taken.entry]);
      return false;
    }
    const { frames } = this.parts;
    if (first + count <= frames) return true;
    judge.breach("Q-RANGE-MEMORY", `${seen}; the guest has ${frames} pages`, [taken.entry]);
    return false;
  }

  private judgePage(kind: LoanKind, taken: Taken, pfn: number): boolean {
    const { judge } = this.context;
    const entries = [taken.entry];
    const state = this.parts.pages.state(pfn);
    if (state !== "guest") {
      judge.breach("Q-RANGE-HELD", `${kind}: page ${pfn} is ${state}`, { entries, page: pfn });
      return false;
    }
    if (this.parts.own.pages().has(pfn)) {
      const seen = `${kind}: page ${pfn} belongs to a queue or to a buffer in flight`;
      judge.breach("Q-DEVICE-MEMORY", seen, { entries, page: pfn });
      return false;
    }
    if (!this.reporting.has(pfn)) return true;
    if (kind === "report") {
      judge.breach("Q-RANGE-TWICE", `report: page ${pfn} is being reported already`, {
        entries,
        page: pfn,
      });
    } else {
      judge.breach("D27", `page ${pfn} is hinted while its report is in flight`, {
        entries,
        page: pfn,
      });
    }
    return false;
  }
}
