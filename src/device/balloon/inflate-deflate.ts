/**
 * Inflating and deflating: the owner of each page, `num_pages` and `actual` (virtio 1.3, 5.5.6).
 */

import { ActualCheck } from "../checks/actual-check.ts";
import type { PoisonCheck } from "../checks/poison-check.ts";
import type { BalloonQuirks } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { Evidence } from "../judge/judge.ts";
import { PageNotes } from "../memory/page-notes.ts";
import type { PageOwnership } from "../memory/page-ownership.ts";
import type { QueuePages } from "../queue/queue-pages.ts";
import { type Chains, chainsOf, type Taken } from "../queue/ring.ts";
import type { Fate, QueueHandler } from "../queue/virtqueue.ts";
import { hasBit } from "../spec/bits.ts";
import { DESC, FEATURE, PAGE_SHIFT } from "../spec/numbers.ts";
import type { DevicePart, DriverAtRest } from "./device-part.ts";
import type { FreePageRanges } from "./free-page-ranges.ts";
import type { LockedMemory } from "./locked-memory.ts";
import { arraysEqual, readPfns } from "./pfns.ts";

/** The most pages in one buffer: some devices in the field take no more. */
const PFNS_PER_BUFFER = 256;

type Kind = "inflate" | "deflate";

/** What a buffer asked for, kept until it is returned. */
interface Request {
  readonly pfns: Uint32Array;
  /** Pages that the request really moved, so that their return moves them on. */
  readonly moved: readonly number[];
  readonly length: number;
  /** The clock's turn when the buffer was taken. */
  readonly turn: number;
}

interface Parts {
  readonly quirks: BalloonQuirks;
  readonly pages: PageOwnership;
  readonly memory: LockedMemory;
  readonly frames: number;
  /** The pages that queues lie on. */
  readonly own: QueuePages;
  readonly freePages: FreePageRanges;
  readonly poison: PoisonCheck;
  /** What `actual` shows before any driver came. */
  readonly actual: number;
}

export class InflateDeflate implements DevicePart {
  readonly pages: PageOwnership;
  readonly actualCheck: ActualCheck;
  numPages = 0;
  /** What the device shows as `actual`; who may change it depends on the profile. */
  actual: number;
  private readonly context: Context;
  private readonly parts: Parts;
  private readonly requests = new Map<Taken, Request>();
  private features = 0n;
  /** The trace entry of the last request that named each page. */
  private readonly named = new PageNotes();
  /** The lowest num_pages while deflates waited to be taken: D7 is judged by it. */
  private lowestTarget = 0;

  constructor(context: Context, parts: Parts) {
    this.context = context;
    this.parts = parts;
    this.actual = parts.actual;
    this.pages = parts.pages;
    this.actualCheck = new ActualCheck(context);
  }

  /** The handler of the inflate or the deflate queue. */
  handler(kind: Kind): QueueHandler {
    return {
      serve: (taken) => this.serve(kind, taken),
      returned: (taken) => this.returned(kind, taken),
      dropped: (taken) => this.dropped(kind, taken),
    };
  }

  negotiated(features: bigint): void {
    this.features = features;
    this.actualCheck.maySilence = this.parts.memory.maySilence;
  }

  reset(): void {
    this.requests.clear();
    this.named.clear();
    this.actualCheck.reset();
    this.features = 0n;
    this.lowestTarget = 0;
    if (this.parts.quirks.actualAfterReset === "zero") this.actual = 0;
  }

  /**
   * The driver reads num_pages. With `deflatesWait` there are deflates that the device has not
   * taken: the driver posted them before this and cannot take them back.
   */
  readTarget(deflatesWait: boolean): number {
    const { numPages, lowestTarget } = this;
    this.lowestTarget = deflatesWait ? Math.min(lowestTarget, numPages) : numPages;
    return numPages;
  }

  /** The driver writes `actual`, which counts with its most significant byte (5.5.6.2.1). */
  writeActual(value: number, complete: boolean): void {
    const { pages } = this;
    const moving = [pages.count("inflating"), pages.count("deflating")] as const;
    if (complete) this.actualCheck.write(value, pages.inBalloon, ...moving);
    const { actualOwner } = this.parts.quirks;
    if (actualOwner === "driver" || actualOwner === "both") this.actual = value;
  }

  /** Compares every page of the host's and every buffer in flight, and judges changes. */
  audit(): void {
    for (const [taken, request] of this.requests) this.judgeArray(taken, request);
    for (const pfn of this.pages.pages("inflating")) this.judgeTouched(pfn, "D12");
    for (const state of ["held", "deflating"] as const) {
      for (const pfn of this.pages.pages(state)) this.judgeTouched(pfn, "D10");
    }
  }

  /** Judges what only shows when the driver is at rest. */
  check({ memoryShort }: DriverAtRest): void {
    for (const pfn of this.pages.pages("held")) {
      if (this.has(FEATURE.mustTellHost) || this.parts.memory.maySilence) break;
      if (!this.pages.isTouched(pfn)) continue;
      this.context.judge.breach(
        "D9",
        `page ${pfn} is used, held, and was never told about`,
        this.evidence(pfn),
      );
    }
    const held = this.pages.inBalloon;
    this.actualCheck.check(held);
    if (memoryShort || this.pages.count("inflating") > 0) return;
    if (this.numPages > held) {
      this.context.judge.breach("D4", `num_pages is ${this.numPages}, the host holds ${held}`);
    }
  }

  save() {
    const { numPages, actual, features, lowestTarget } = this;
    return {
      ...{ numPages, actual, features: features.toString(), lowestTarget },
      actualCheck: this.actualCheck.save(),
      requests: [...this.requests].map(([{ id }, { pfns, ...request }]) => {
        return { id, pfns: [...pfns], ...request };
      }),
    };
  }

  load(state: ReturnType<InflateDeflate["save"]>, chains: Chains): void {
    ({ numPages: this.numPages, actual: this.actual } = state);
    this.lowestTarget = state.lowestTarget;
    this.features = BigInt(state.features);
    this.actualCheck.load(state.actualCheck);
    this.requests.clear();
    for (const { id, pfns, ...request } of state.requests) {
      for (const taken of chainsOf(chains, [id])) {
        this.requests.set(taken, { pfns: Uint32Array.from(pfns), ...request });
      }
    }
  }

  private has(feature: number): boolean {
    return hasBit(this.features, feature);
  }

  private serve(kind: Kind, taken: Taken): Fate {
    const { context } = this;
    const { quirks } = this.parts;
    const { chain } = taken;
    this.judgeShape(kind, taken);
    const elements = quirks.headOnly ? chain.elements.slice(0, 1) : chain.elements;
    const readable = elements.filter(({ flags }) => (flags & DESC.write) === 0);
    const pfns = readPfns(context.memory, readable);
    const over = pfns.length > PFNS_PER_BUFFER;
    if (over && quirks.oversize === "lose") return "lose";
    const length = chain.readableBytes;
    const counts = chain.readableBytes % 4 === 0 && !(over && quirks.oversize === "skip");
    const moved = counts ? this.move(kind, taken, pfns) : [];
    context.trace.add("queue", kind, { pages: pfns.length, first: pfns[0] ?? 0 });
    this.requests.set(taken, { pfns, moved, length, turn: context.clock.turn });
    if (kind === "inflate") this.parts.memory.handedOver(moved);
    else this.parts.memory.note();
    if (kind === "deflate" && moved.length > 0) this.judgeTarget(taken, moved.length);
    return quirks.returns === "never" ? "lose" : "return";
  }

  private returned(kind: Kind, taken: Taken): number {
    const request = this.requests.get(taken);
    this.requests.delete(taken);
    if (request === undefined) return 0;
    const acted = request.turn !== this.context.clock.turn;
    if (acted) this.judgeArray(taken, request);
    for (const pfn of request.moved) {
      if (acted) this.judgeTouched(pfn, kind === "inflate" ? "D12" : "D10", taken.entry);
      if (kind === "deflate") this.parts.poison.cameBack(pfn, this.pages.isSpared(pfn));
      this.pages.set(pfn, kind === "inflate" ? "held" : "guest");
    }
    this.parts.memory.cameBack(kind === "deflate" ? request.moved : []);
    this.actualCheck.acknowledged(kind, request.moved.length);
    this.countActual(kind, request.pfns.length);
    return this.usedLength(request);
  }

  /** The queue was reset: what was asked for has not happened. */
  private dropped(kind: Kind, taken: Taken): void {
    const request = this.requests.get(taken);
    this.requests.delete(taken);
    for (const pfn of request?.moved ?? []) {
      this.pages.set(pfn, kind === "inflate" ? "guest" : "held");
    }
    this.parts.memory.cameBack(kind === "inflate" ? (request?.moved ?? []) : []);
  }

  private countActual(kind: Kind, pfns: number): void {
    const { actualOwner } = this.parts.quirks;
    if (actualOwner !== "device" && actualOwner !== "both") return;
    this.actual = (this.actual + (kind === "inflate" ? pfns : -pfns)) | 0;
  }

  private usedLength(request: Request): number {
    switch (this.parts.quirks.usedLength) {
      case "zero":
        return 0;
      case "total":
        return request.length;
      case "pfns":
        return request.pfns.length;
      case "ones":
        return 0xffff_ffff;
    }
  }

  private move(kind: Kind, taken: Taken, pfns: Uint32Array): number[] {
    const moved: number[] = [];
    const own = kind === "inflate" ? this.parts.own.pages() : undefined;
    let before = -1;
    let disordered = false;
    for (const pfn of pfns) {
      if (pfn <= before) disordered = true;
      before = pfn;
      const fits = kind === "inflate" ? this.give(pfn, taken, own) : this.takeBack(pfn, taken);
      if (fits) moved.push(pfn);
    }
    if (disordered) {
      this.context.judge.breach("Q-ORDER", `${kind}: page numbers do not ascend`, [taken.entry]);
    }
    return moved;
  }

  private give(pfn: number, taken: Taken, own: ReadonlySet<number> | undefined): boolean {
    const { judge } = this.context;
    if (!this.exists(pfn)) {
      judge.breach("Q-PFN-RANGE", `inflate: page ${pfn} of ${this.parts.frames}`, [taken.entry]);
      return false;
    }
    const state = this.pages.state(pfn);
    if (state === "inflating") {
      judge.breach(
        "Q-PFN-TWICE",
        `inflate: page ${pfn} is being inflated already`,
        this.evidence(pfn, taken.entry),
      );
      return false;
    }
    const silently = state === "held" && this.parts.memory.maySilence;
    if (state !== "guest" && !silently) {
      judge.breach(
        "Q-PFN-HELD",
        `inflate: page ${pfn} is ${state} already`,
        this.evidence(pfn, taken.entry),
      );
      return false;
    }
    const spare = own?.has(pfn) ?? false;
    if (spare) {
      judge.breach(
        "Q-DEVICE-MEMORY",
        `inflate: page ${pfn} is used by a queue`,
        this.evidence(pfn, taken.entry),
      );
    }
    this.named.set(pfn, taken.entry);
    this.parts.freePages.given(pfn, taken);
    this.pages.take(pfn, spare);
    return true;
  }

  private takeBack(pfn: number, taken: Taken): boolean {
    const { judge } = this.context;
    if (!this.exists(pfn)) {
      judge.breach("Q-PFN-RANGE", `deflate: page ${pfn} of ${this.parts.frames}`, [taken.entry]);
      return false;
    }
    switch (this.pages.state(pfn)) {
      case "guest":
        judge.breach(
          "Q-PFN-NOT-HELD",
          `deflate: page ${pfn} is not in the balloon`,
          this.evidence(pfn, taken.entry),
        );
        return false;
      case "deflating":
        judge.breach(
          "Q-PFN-TWICE",
          `deflate: page ${pfn} is being deflated already`,
          this.evidence(pfn, taken.entry),
        );
        return false;
      case "inflating":
        judge.breach(
          "D13",
          `deflate: the inflate of page ${pfn} is in flight`,
          this.evidence(pfn, taken.entry),
        );
        return false;
      case "held":
        this.judgeTouched(pfn, "D10", taken.entry);
        this.named.set(pfn, taken.entry);
        this.pages.set(pfn, "deflating");
        return true;
    }
  }

  /** What shows a breach that is about a page: the requests that named it last. */
  private evidence(pfn: number, entry?: number): Evidence {
    const last = this.named.get(pfn);
    const entries = [...(last > 0 ? [last] : []), ...(entry === undefined ? [] : [entry])];
    return { entries, page: pfn };
  }

  /** Whether the guest has this page: it is below the end of memory and in no hole. */
  private exists(pfn: number): boolean {
    return pfn < this.parts.frames && !this.context.memory.inHole(pfn);
  }

  private judgeShape(kind: Kind, taken: Taken): void {
    const { judge } = this.context;
    const { chain } = taken;
    const entries = [taken.entry];
    const bytes = chain.readableBytes;
    if (chain.writableBytes > 0) judge.breach("Q-WRITABLE", `${kind}: a writable part`, entries);
    if (chain.descriptors.length !== 1) {
      const seen = `${kind}: ${chain.descriptors.length} descriptors`;
      judge.breach("Q-ONE-DESCRIPTOR", seen, entries);
    }
    if (bytes === 0 && chain.writableBytes === 0)
      judge.breach("Q-EMPTY", `${kind}: empty`, entries);
    if (bytes % 4 !== 0) judge.breach("Q-LENGTH-4", `${kind}: ${bytes} bytes`, entries);
    if (bytes > PFNS_PER_BUFFER * 4) {
      judge.breach("Q-BUFFER-CAP", `${kind}: ${bytes / 4} pages in one buffer`, entries);
    }
  }

  private judgeArray(taken: Taken, request: Request): void {
    const { context } = this;
    const { quirks } = this.parts;
    const elements = quirks.headOnly ? taken.chain.elements.slice(0, 1) : taken.chain.elements;
    const readable = elements.filter(({ flags }) => (flags & DESC.write) === 0);
    if (arraysEqual(readPfns(context.memory, readable), request.pfns)) return;
    const seen = `buffer ${taken.chain.head}: the array was changed in flight`;
    context.judge.breach("R-BUFFER-CHANGED", seen, [taken.entry]);
  }

  private judgeTouched(pfn: number, rule: "D10" | "D12", entry?: number): void {
    const at = this.pages.newlyTouched(pfn);
    if (at < 0) return;
    this.parts.memory.found(pfn, at);
    if (rule === "D10" && !this.has(FEATURE.mustTellHost)) return;
    const state = this.pages.state(pfn);
    const address = pfn * 2 ** PAGE_SHIFT + at;
    const seen = `page ${pfn} (${state}) was changed at 0x${address.toString(16)}`;
    this.context.judge.breach(rule, seen, this.evidence(pfn, entry));
  }

  private judgeTarget(taken: Taken, pages: number): void {
    if (this.has(FEATURE.deflateOnOom)) return;
    const left = this.pages.count("held");
    const target = Math.min(this.numPages, this.lowestTarget);
    if (left >= target) return;
    const seen = `${pages} pages are taken back, ${left} are left, num_pages is ${target}`;
    this.context.judge.breach("D7", seen, [taken.entry]);
  }
}
