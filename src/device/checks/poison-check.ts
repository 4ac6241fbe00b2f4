/**
 * Judges page poison: `poison_val`, and whether pages are filled after their deflate (virtio 1.3,
 * 5.5.6.6). A page that never had a canary is not judged.
 *
 *   a page whose deflate was returned, at a check         with PAGE_POISON
 *   the host's canary is complete                         D2: not written at once
 *   a part of the canary is left                          D25: in use, and was not filled
 *   nothing of the canary is left                         filled, and perhaps used since
 */

import type { Context } from "../judge/context.ts";
import type { CanaryFill } from "../memory/canary-fill.ts";
import { PageSet } from "../memory/page-set.ts";
import { hasBit } from "../spec/bits.ts";
import { FEATURE } from "../spec/numbers.ts";

export class PoisonCheck {
  /** What poison_val reads as. */
  value = 0;
  private readonly context: Context;
  private readonly canary: CanaryFill;
  /** Pages that went back to the guest and have to be filled. */
  private readonly back = new PageSet();
  private active = false;
  private written = false;
  private isUp = false;

  constructor(context: Context, canary: CanaryFill) {
    this.context = context;
    this.canary = canary;
  }

  /** Whether PAGE_POISON was accepted. */
  get on(): boolean {
    return this.active;
  }

  reset(): void {
    this.value = 0;
    this.active = false;
    this.written = false;
    this.isUp = false;
    this.back.clear();
  }

  negotiated(features: bigint): void {
    this.active = hasBit(features, FEATURE.pagePoison);
  }

  /** DRIVER_OK was set. */
  started(): void {
    this.isUp = true;
    if (!this.active || this.written) return;
    this.context.judge.breach("D25-SET", "DRIVER_OK is set and poison_val was not written");
  }

  write(value: number): void {
    const { judge } = this.context;
    if (!this.active) {
      judge.breach("Q-READ-ONLY", `poison_val is written with ${value} without PAGE_POISON`);
      return;
    }
    if (this.isUp) judge.breach("D25-KEEP", `poison_val becomes ${value} after DRIVER_OK`);
    this.written = true;
    this.value = value;
  }

  /** A page went back to the guest, with a canary in it unless it was spared. */
  cameBack(pfn: number, spared: boolean): void {
    if (this.active && !spared && this.canary.covers(pfn)) this.back.add(pfn);
  }

  /** The host has the page again. */
  taken(pfn: number): void {
    this.back.delete(pfn);
  }

  save() {
    const { value, back, active, written, isUp } = this;
    return { value, back: back.save(), active, written, isUp };
  }

  load({ back, ...plain }: ReturnType<PoisonCheck["save"]>): void {
    Object.assign(this, plain);
    this.back.load(back);
  }

  /** The driver is at rest: every page that went back to the guest has to be filled now. */
  check(): void {
    const { judge } = this.context;
    for (const pfn of this.back) {
      const at = this.canary.firstLeft(pfn);
      if (at < 0) continue;
      if (this.canary.firstChange(pfn) < 0) {
        judge.breach("D2", `page ${pfn} came back and nothing was written to it`, { page: pfn });
      } else {
        judge.breach("D25", `page ${pfn} is in use, byte ${at} was never initialised`, {
          page: pfn,
        });
      }
    }
    this.back.clear();
  }
}
