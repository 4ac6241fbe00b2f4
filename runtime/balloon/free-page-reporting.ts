/**
 * Free page reporting: giving free memory back without a balloon (virtio 1.3, 5.5.6.7).
 *
 * Whole 2 MiB blocks are reported once after each time that they become free, at a bounded rate: a
 * host must never be flooded by a guest that frees and allocates. It must not know the target.
 *
 * Until the first report came back, one block is all that is risked: there are devices that offer
 * the feature and answer nothing, and a page may not be used again before its report is
 * acknowledged.
 *
 * Invariant: over any time, no more is reported than the rate allows, plus one portion, and plus
 * what the host itself has asked for.
 */
import { type CoreExports, REPORTQ } from "../core/exports.ts";

/** How often a portion may be sent: seldom enough to batch, often enough to seem at once. */
const PORTION_MS = 250;
const BLOCK_FRAMES = 512;
/** How long an inflate waits for the reports that were sent ahead of it. */
const AHEAD_MS = 500;

export class Reporting {
  reportedFrames = 0;
  private readonly core: CoreExports;
  private readonly portion: number;
  private left = 0;
  private refillAtMs = 0;
  private isAnswered = false;
  private aheadAtMs = Number.NEGATIVE_INFINITY;

  constructor(core: CoreExports, pagesPerSecond: number) {
    this.core = core;
    this.portion = Math.max(BLOCK_FRAMES, Math.floor((pagesPerSecond * PORTION_MS) / 1000));
  }

  /** After a device reset: trust is to be earned again. */
  reset(): void {
    this.isAnswered = false;
  }

  /** So many frames came back. */
  settled(frames: number): void {
    if (frames > 0) this.isAnswered = true;
  }

  /**
   * Reports up to `want` frames at once, because they are about to be inflated: the host has its
   * memory back by a call for each block, long before it has been told of each page.
   * @returns whether the inflate should wait for them to come back.
   */
  ahead(want: number, now: number): boolean {
    if (!this.isAnswered) return false;
    const posted = this.core.report_post(want);
    this.reportedFrames += posted;
    if (posted > 0) this.aheadAtMs = now;
    return this.core.queue_buffers_in_flight(REPORTQ) > 0 && now < this.aheadAtMs + AHEAD_MS;
  }

  /** Posts what the rate allows; answers when it will allow more, if more was wanted. */
  turn(now: number): number | undefined {
    const inFlight = this.core.queue_buffers_in_flight(REPORTQ);
    if (!this.isAnswered && inFlight > 0) return undefined;
    if (now >= this.refillAtMs) {
      this.left = this.portion;
      this.refillAtMs = now + PORTION_MS;
    }
    const posted = this.core.report_post(this.isAnswered ? this.left : BLOCK_FRAMES);
    // The first block of a device is sent whatever is left.
    this.left = Math.max(0, this.left - posted);
    this.reportedFrames += posted;
    return this.left < BLOCK_FRAMES ? this.refillAtMs : undefined;
  }
}
