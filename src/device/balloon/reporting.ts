/**
 * The reporting queue: free pages that the guest reports and may use again once the report is
 * returned (virtio 1.3, 5.5.6.7).
 *
 * While a report is in flight its pages hold the host's canary or, with PAGE_POISON, poison_val.
 * Any other contents are the guest's doing.
 */

import type { PoisonCheck } from "../checks/poison-check.ts";
import type { Context } from "../judge/context.ts";
import type { CanaryFill } from "../memory/canary-fill.ts";
import { type Chains, chainsOf, type Taken } from "../queue/ring.ts";
import type { Fate, QueueHandler } from "../queue/virtqueue.ts";
import { PAGE_BYTES } from "../spec/numbers.ts";
import type { FreePageRanges, PageRange } from "./free-page-ranges.ts";

/** Pages of a huge page: ranges from this on are large, whatever lies beside them. */
const LARGE_PAGES = 512;

interface Report {
  readonly pages: readonly number[];
  /** The clock's turn when the buffer was taken. */
  readonly turn: number;
}

interface ReportingParts {
  readonly freePages: FreePageRanges;
  readonly canary: CanaryFill;
  readonly poison: PoisonCheck;
  readonly usedLength: "zero" | "total";
}

export class Reporting implements QueueHandler {
  /** Counted since the machine was made. */
  readonly counted = { pages: 0, ranges: 0, buffers: 0 };
  private readonly context: Context;
  private readonly parts: ReportingParts;
  private readonly reports = new Map<Taken, Report>();

  constructor(context: Context, parts: ReportingParts) {
    this.context = context;
    this.parts = parts;
  }

  reset(): void {
    this.reports.clear();
  }

  serve(taken: Taken): Fate {
    const { context } = this;
    const { freePages } = this.parts;
    if (taken.chain.readableBytes > 0) {
      const seen = `a report has ${taken.chain.readableBytes} device-readable bytes`;
      context.judge.breach("Q-REPORT-WRITABLE", seen, [taken.entry]);
    }
    const ranges = freePages.ranges("report", taken);
    this.judgeSizes(taken, ranges);
    const pages: number[] = [];
    for (const range of ranges) {
      for (const pfn of freePages.usable("report", taken, range)) {
        this.takeOver(taken, pfn);
        pages.push(pfn);
      }
    }
    this.counted.pages += pages.length;
    this.counted.ranges += ranges.length;
    this.counted.buffers += 1;
    this.reports.set(taken, { pages, turn: context.clock.turn });
    context.trace.add("queue", "report", { ranges: ranges.length, pages: pages.length });
    return "return";
  }

  returned(taken: Taken): number {
    const report = this.reports.get(taken);
    this.reports.delete(taken);
    if (report === undefined) return 0;
    if (report.turn !== this.context.clock.turn) {
      for (const pfn of report.pages) this.judgeTouched(pfn, taken);
    }
    for (const pfn of report.pages) this.parts.freePages.reporting.delete(pfn);
    return this.parts.usedLength === "total" ? taken.chain.writableBytes : 0;
  }

  /** The queue was reset: nothing comes back, its pages are the guest's. */
  dropped(taken: Taken): void {
    const report = this.reports.get(taken);
    this.reports.delete(taken);
    for (const pfn of report?.pages ?? []) this.parts.freePages.reporting.delete(pfn);
  }

  /** Looks at the pages of all reports in flight. */
  audit(): void {
    for (const [taken, { pages }] of this.reports) {
      for (const pfn of pages) this.judgeTouched(pfn, taken);
    }
  }

  save() {
    return { reports: [...this.reports].map(([{ id }, report]) => ({ id, ...report })) };
  }

  load({ reports }: ReturnType<Reporting["save"]>, chains: Chains): void {
    this.reports.clear();
    for (const { id, ...report } of reports) {
      for (const taken of chainsOf(chains, [id])) this.reports.set(taken, report);
    }
  }

  private takeOver(taken: Taken, pfn: number): void {
    const { context } = this;
    const { freePages, poison } = this.parts;
    freePages.hinted.delete(pfn);
    freePages.reporting.add(pfn);
    if (!poison.on) {
      this.parts.canary.fill(pfn);
      return;
    }
    if (!context.memory.contains(pfn * PAGE_BYTES, PAGE_BYTES)) return;
    const at = context.memory.firstOther(pfn, poison.value);
    if (at < 0) return;
    const seen = `page ${pfn} is reported, byte ${at} is not of poison_val`;
    context.judge.breach("D26", seen, { entries: [taken.entry], page: pfn });
    context.memory.fillPage(pfn, poison.value);
  }

  /** A page is reported as touched once; it then counts as no longer in flight. */
  private judgeTouched(pfn: number, taken: Taken): void {
    const { context } = this;
    const { freePages } = this.parts;
    if (!freePages.reporting.has(pfn)) return;
    const at = this.firstChange(pfn);
    if (at < 0) return;
    freePages.reporting.delete(pfn);
    const address = (pfn * PAGE_BYTES + at).toString(16);
    const seen = `page ${pfn} was changed at 0x${address} while its report is in flight`;
    context.judge.breach("D27", seen, { entries: [taken.entry], page: pfn });
  }

  private firstChange(pfn: number): number {
    if (!this.parts.poison.on) return this.parts.canary.firstChange(pfn);
    const { memory } = this.context;
    if (!memory.contains(pfn * PAGE_BYTES, PAGE_BYTES)) return -1;
    return memory.firstOther(pfn, this.parts.poison.value);
  }

  private judgeSizes(taken: Taken, ranges: readonly PageRange[]): void {
    const small = ranges.filter(({ count }) => count < LARGE_PAGES);
    const ends = new Set(small.map(({ first, count }) => first + count));
    const beside = small.find(({ first }) => ends.has(first));
    if (beside === undefined) return;
    const seen = `page ${beside.first} starts a range where another one ends`;
    this.context.judge.breach("D28", seen, [taken.entry]);
  }
}
