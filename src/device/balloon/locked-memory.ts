/**
 * The host's memory behind the balloon: which pages are locked, which the guest touched while they
 * were the host's, and what was lost by that.
 *
 *   a page is unlocked     from the taking of its inflate, if the design unlocks it at all
 *   and locked again       when its deflate is returned, or at a reset
 *   touched meanwhile      a touch, with page, place and trace; found when the page is compared
 *   reclaimed meanwhile    what the guest wrote there is gone: the touch is one that lost data
 *
 * Where the design locks memory, `locked` and `unlocked` add up to the guest's pages.
 */

import type { HostDesign } from "../host/host-design.ts";
import type { Context } from "../judge/context.ts";
import type { PageOwnership, PageState } from "../memory/page-ownership.ts";
import { PageSet } from "../memory/page-set.ts";
import { hasBit } from "../spec/bits.ts";

/** The guest was found to have written to a page of the host's. */
export interface Touch {
  readonly pfn: number;
  /** The first byte that was changed, from the start of the page. */
  readonly at: number;
  /** `held`: the driver had not told of the page. `deflating`: it had, and had no answer yet. */
  readonly state: PageState;
  /** Whether the page was unlocked: then this is a fault that the guest waits for, or worse. */
  readonly unlocked: boolean;
  /** Whether the host then took the page away, and with it what the guest wrote. */
  readonly lost: boolean;
  /** Virtual milliseconds, and the number of the trace entry that says so. */
  readonly ms: number;
  readonly entry: number;
}

/** How many pages were in which state at one time. */
export interface MemoryPoint {
  readonly ms: number;
  readonly inflating: number;
  readonly held: number;
  readonly deflating: number;
  readonly locked: number;
  /** Since the machine was made. */
  readonly touched: number;
  readonly lost: number;
}

/** Touches and points kept, the first ones. Runs in practice make fewer points. */
const TOUCHES_KEPT = 256;
const POINTS_KEPT = 4096;

export class LockedMemory {
  readonly design: HostDesign;
  /** Whether the driver's accepted features let the host unlock what it is given. */
  mayUnlock: boolean;
  /** Whether the driver has promised to tell first, and whether it may never tell. */
  mustTellFirst = false;
  maySilence = false;
  /** The guest's frames. */
  readonly frames: number;
  /**
   * Writes to the host's pages that were found: all of them, those before any deflate, those before
   * the deflate was returned, those to unlocked pages, and those whose contents were lost.
   */
  readonly counted = { touched: 0, untold: 0, unanswered: 0, unlocked: 0, lost: 0 };
  private readonly context: Context;
  private readonly pages: PageOwnership;
  private readonly open = new PageSet();
  private readonly kept: Touch[] = [];
  private readonly points: MemoryPoint[] = [];

  constructor(context: Context, design: HostDesign, pages: PageOwnership, frames: number) {
    this.context = context;
    this.design = design;
    this.pages = pages;
    this.frames = frames;
    this.mayUnlock = design.unlocks === "always";
  }

  /** Pages that cannot be taken from the guest; 0 where the design locks none. */
  get locked(): number {
    return this.design.locks ? this.frames - this.open.size : 0;
  }

  /** Pages that were unlocked and not locked again. */
  get unlocked(): number {
    return this.open.size;
  }

  /** The first touches, in order. */
  get touches(): readonly Touch[] {
    return this.kept;
  }

  /** How the pages' states changed, in order of time. */
  get timeline(): readonly MemoryPoint[] {
    return this.points;
  }

  /** Features are settled. */
  negotiated(features: bigint): void {
    const { unlocks, toldBy, silentBy } = this.design;
    this.mayUnlock = unlocks === "always" || (unlocks === "if-told" && hasBit(features, toldBy));
    this.mustTellFirst = hasBit(features, toldBy);
    this.maySilence = hasBit(features, silentBy);
  }

  reset(): void {
    this.mayUnlock = this.design.unlocks === "always";
    this.mustTellFirst = false;
    this.maySilence = false;
    this.open.clear();
    this.note();
  }

  /** Inflates were taken: unlocks their pages, where it may. */
  handedOver(pfns: readonly number[]): void {
    if (this.mayUnlock && pfns.length > 0) {
      for (const pfn of pfns) this.open.add(pfn);
      this.context.trace.add("host", "unlocks", { pages: pfns.length });
    }
    this.note();
  }

  /** Pages are the guest's again: locks them, where they were unlocked. */
  cameBack(pfns: readonly number[]): void {
    const locked = pfns.filter((pfn) => this.open.delete(pfn)).length;
    if (locked > 0) this.context.trace.add("host", "locks", { pages: locked });
    this.note();
  }

  /** Locks are each host's own: nothing of them moves. */
  save() {
    return null;
  }

  /**
   * A guest arrived. This host has never locked the pages of its balloon, so they count as unlocked
   * if the design may unlock at all.
   */
  load(): void {
    this.open.clear();
    if (this.mayUnlock) {
      for (const state of ["inflating", "held", "deflating"] as const) {
        for (const pfn of this.pages.pages(state)) this.open.add(pfn);
      }
    }
    this.note();
  }

  /** A page of the host's was found changed, for the first time since the host had it. */
  found(pfn: number, at: number): void {
    const { clock, trace } = this.context;
    const state = this.pages.state(pfn);
    const unlocked = this.open.has(pfn);
    const what = unlocked ? "of an unlocked page" : "of a page of the host's";
    const entry = trace.add("touch", what, { pfn, at, state });
    this.counted.touched += 1;
    if (state === "held") this.counted.untold += 1;
    if (state === "deflating") this.counted.unanswered += 1;
    if (unlocked) this.counted.unlocked += 1;
    this.note();
    if (this.kept.length >= TOUCHES_KEPT) return;
    this.kept.push({ pfn, at, state, unlocked, lost: false, ms: clock.nowMs, entry });
  }

  /**
   * The host is short of memory: it takes every unlocked page away. Call it right after an audit.
   * Returns how many pages it took.
   */
  reclaim(): number {
    this.context.trace.add("host", "reclaims", { pages: this.open.size });
    for (const pfn of this.open) {
      if (this.pages.isTouched(pfn)) this.lose(pfn);
      this.pages.discard(pfn);
    }
    this.note();
    return this.open.size;
  }

  /** Writes down how many pages are in which state now. */
  note(): void {
    const { pages, points } = this;
    const point = {
      ms: this.context.clock.nowMs,
      inflating: pages.count("inflating"),
      held: pages.count("held"),
      deflating: pages.count("deflating"),
      locked: this.locked,
      touched: this.counted.touched,
      lost: this.counted.lost,
    };
    if (points.at(-1)?.ms === point.ms) points.pop();
    if (points.length < POINTS_KEPT) points.push(point);
  }

  /** Marks the last touch of the page as lost. */
  private lose(pfn: number): void {
    this.counted.lost += 1;
    const index = this.kept.findLastIndex((touch) => touch.pfn === pfn);
    const touch = this.kept[index];
    if (touch !== undefined) this.kept[index] = { ...touch, lost: true };
  }
}

/** The host's memory behind the balloon, as a machine shows it. */
export type MemoryView = Pick<
  LockedMemory,
  | ("design" | "mayUnlock" | "mustTellFirst" | "maySilence" | "frames" | "counted")
  | ("locked" | "unlocked" | "touches" | "timeline")
>;
