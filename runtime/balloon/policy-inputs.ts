/**
 * What a driver remembers on its policy's behalf, and the view made of it: policies are pure, so
 * whatever one needs to know of the past is here.
 */
import { type CoreExports, DEFLATEQ, frameCounts, framesIn } from "../core/exports.ts";
import type { Giver, PolicyDecision, PolicyView } from "../policy/policy.ts";
import type { DriverParts } from "./driver-parts.ts";
import { shareOf } from "./settings.ts";

export class PolicyInputs {
  targetPages = 0;
  private readonly core: CoreExports;
  private readonly parts: DriverParts;
  private random: number;
  private targetChangedMs = 0;
  private shortages = 0;
  private lastShortageMs = 0;
  private lastInflateMs: number | undefined;
  private lastAnswerMs: number | undefined;
  private lastOomMs: number | undefined;
  private asked: { readonly from: Giver; readonly sinceMs: number } | undefined;

  constructor(parts: DriverParts) {
    this.core = parts.core;
    this.parts = parts;
    this.random = parts.settings.seed >>> 0 || 1;
  }

  /** True while the target cannot be reached, for want of free memory or of the host's share. */
  get outOfReach(): boolean {
    return this.shortages > 0 || this.targetPages > this.balloonSharePages;
  }

  /** All RAM that the ledger knows. */
  private get totalPages(): number {
    return (this.core.ledger_frames() >>> 0) - framesIn(this.core, "reserved");
  }

  /** The most pages that the host may have. */
  get sharePages(): number {
    return shareOf(this.totalPages, this.parts.settings);
  }

  /** The most pages that the balloon may have. Where the host has a share, hints are of it, too. */
  private get balloonSharePages(): number {
    const isWhole = this.sharePages === this.totalPages;
    return isWhole ? this.totalPages : this.sharePages - framesIn(this.core, "hinted");
  }

  /** What the host asks for, as far as it may. */
  private get allowedTarget(): number {
    return Math.min(this.targetPages, this.balloonSharePages);
  }

  noteTarget(pages: number, now: number): void {
    if (pages === this.targetPages) return;
    this.targetPages = pages;
    this.targetChangedMs = now;
    this.shortages = 0;
    this.asked = undefined;
  }

  noteDecision(decision: PolicyDecision, now: number): void {
    if (decision.short !== undefined) this.asked = undefined;
    if (decision.ask !== undefined) this.asked = { from: decision.ask.from, sinceMs: now };
    if (decision.short === false) this.shortages = 0;
    if (decision.short !== true) return;
    this.shortages += 1;
    this.lastShortageMs = now;
  }

  noteInflate(now: number): void {
    this.lastInflateMs = now;
  }

  noteAnswer(now: number): void {
    this.lastAnswerMs = now;
  }

  noteOom(now: number): void {
    this.lastOomMs = now;
  }

  /** Something changed that may bring the target within reach. */
  forgetShortages(): void {
    this.shortages = 0;
  }

  /** Returns what the policy may see. */
  view(now: number, deflateOnOom: boolean): PolicyView {
    const counts = frameCounts(this.core);
    return {
      nowMs: now,
      targetPages: this.allowedTarget,
      targetChangedMs: this.targetChangedMs,
      heldPages: counts.held,
      inflatingPages: counts.inflating,
      deflatingPages: this.core.queue_pages_in_flight(DEFLATEQ),
      // What is being reported is free again in a moment.
      freePages: this.usable(counts.free + counts.reporting, counts.held + counts.inflating),
      totalPages: this.totalPages,
      reservePages: this.parts.tunables.reservePages,
      lastInflateMs: this.lastInflateMs,
      lastAnswerMs: this.lastAnswerMs,
      shortages: this.shortages,
      lastShortageMs: this.lastShortageMs,
      lastOomMs: this.lastOomMs,
      random: this.nextRandom(),
      deflateOnOom,
      offeredPages: this.parts.giver?.offeredPages(),
      asked: this.asked,
    };
  }

  /** Free pages, without those beyond the reserve that are too few for the next buffer. */
  private usable(freePages: number, boundPages: number): number {
    const { wholeBuffers, pfnsPerBuffer } = this.parts.settings;
    const spare = freePages - this.parts.tunables.reservePages;
    const buffer = Math.min(pfnsPerBuffer, this.allowedTarget - boundPages);
    return wholeBuffers && spare > 0 && buffer > 0 ? freePages - (spare % buffer) : freePages;
  }

  /** Xorshift: jitter needs spread, not secrecy. */
  private nextRandom(): number {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x >>> 0;
    return this.random / 0x1_0000_0000;
  }
}
