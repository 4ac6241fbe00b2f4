/**
 * Free page reporting: giving free memory back without a balloon (virtio 1.3, 5.5.6.7).
 *
 * Whole 2 MiB blocks are reported once after each time that they become free, at a bounded rate: a
 * host must never be flooded by a guest that frees and allocates. Over any time, no more is
 * reported than the rate allows, plus one portion, and plus what the host itself asks for by its
 * target.
 *
 * Until the first report came back, one block is all that is risked: there are devices that offer
 * the feature and answer nothing, and a page may not be used again before its report is
 * acknowledged.
 */
import { REPORTQ } from "../core/exports.ts";
import type { DeviceQueues } from "./device-queues.ts";

/** How often a portion may be sent: seldom enough to batch, often enough to seem at once. */
const PORTION_MS = 250;
const BLOCK_FRAMES = 512;
/** How long an inflate waits for the reports that were sent ahead of it. */
const AHEAD_MS = 500;

/** The reports of one driver: its rate holds over all devices and resets. */
export class FreePageReporting {
  /** When the rate allows more, if more was wanted; Infinity otherwise. */
  lookAgainMs = Number.POSITIVE_INFINITY;
  private readonly portion: number;
  private left = 0;
  private refillAtMs = 0;
  private isAnswered = false;
  private aheadAtMs = Number.NEGATIVE_INFINITY;

  constructor(pagesPerSecond: number) {
    this.portion = Math.max(BLOCK_FRAMES, Math.floor((pagesPerSecond * PORTION_MS) / 1000));
  }

  /** After a device reset: the next device may be one that does not answer. */
  reset(): void {
    this.isAnswered = false;
  }

  /** Takes in what the host has acknowledged. @throws BallonetError `device-lied`. */
  settle(queues: DeviceQueues): void {
    if (queues.has(REPORTQ) && queues.settleReports() > 0) this.isAnswered = true;
  }

  /**
   * Reports up to `pages` at once, because they are about to be inflated: the host has its memory
   * back by a call for each block, long before it is told of each page.
   * @returns whether the inflate should wait for them to come back.
   */
  postAhead(queues: DeviceQueues, pages: number, now: number): boolean {
    if (!queues.has(REPORTQ) || !this.isAnswered) return false;
    if (queues.postReports(pages) > 0) this.aheadAtMs = now;
    return queues.buffersInFlight(REPORTQ) > 0 && now < this.aheadAtMs + AHEAD_MS;
  }

  /** Posts what the rate allows. */
  post(queues: DeviceQueues, now: number): void {
    this.lookAgainMs = Number.POSITIVE_INFINITY;
    if (!queues.has(REPORTQ)) return;
    if (!this.isAnswered && queues.buffersInFlight(REPORTQ) > 0) return;
    if (now >= this.refillAtMs) {
      this.left = this.portion;
      this.refillAtMs = now + PORTION_MS;
    }
    const posted = queues.postReports(this.isAnswered ? this.left : BLOCK_FRAMES);
    // The first block of a device is sent whatever is left.
    this.left = Math.max(0, this.left - posted);
    if (this.left < BLOCK_FRAMES) this.lookAgainMs = this.refillAtMs;
  }
}
