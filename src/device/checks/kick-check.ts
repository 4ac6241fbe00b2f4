/**
 * Judges a driver's notifications: whether there was a reason for one, and whether its data is
 * right. One that finds no new buffer is counted; only many of them in a row are a breach.
 */

import type { Context } from "../judge/context.ts";
import type { Ring } from "../queue/ring.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";

/** This many notifications in a row that find nothing new are a breach. */
const NOTIFY_STORM = 64;

export class KickCheck {
  /** Notifications that found nothing new, since the machine was made. */
  idle = 0;
  private readonly context: Context;
  private idleRun = 0;

  constructor(context: Context) {
    this.context = context;
  }

  /** The device was reset. */
  reset(): void {
    this.idleRun = 0;
  }

  /** `has` tells the accepted features; `data` comes with NOTIFICATION_DATA (virtio 1.3, 2.9). */
  notified(queue: Virtqueue, has: (feature: number) => boolean, data?: number): void {
    const { ring } = queue;
    if (ring === undefined) return;
    this.judgeFeature(queue, ring, has);
    if (ring.broken !== undefined) return;
    if (data !== undefined && !this.context.postedWrites) this.judgeData(queue, ring, data);
    this.judgeReason(queue, ring);
  }

  private judgeReason({ options }: Virtqueue, ring: Ring): void {
    const { judge, postedWrites } = this.context;
    if (ring.waiting > 0) {
      this.idleRun = 0;
      if (!ring.kickOwed && !postedWrites)
        judge.breach("R-KICK-SUPPRESSED", `${options.name} asked for silence`);
      return;
    }
    this.idle += 1;
    this.idleRun += 1;
    // The first of several posted notifications serves the buffers of all.
    if (postedWrites || this.idleRun % NOTIFY_STORM !== 0) return;
    judge.breach("Q-NOTIFY-STORM", `${this.idleRun} notifications in a row found nothing new`);
  }

  private judgeFeature(
    { options }: Virtqueue,
    ring: Ring,
    has: (feature: number) => boolean,
  ): void {
    const { feature, name } = options;
    if (feature === undefined || has(feature) || ring.waiting === 0) return;
    const seen = `a buffer for ${name}, bit ${feature} was not accepted`;
    this.context.judge.breach("G-QUEUE-FEATURE", seen);
  }

  private judgeData({ options }: Virtqueue, { notifyOffset }: Ring, data: number): void {
    if (data === notifyOffset) return;
    const seen = `next_off and next_wrap are ${hex(data)}, not ${hex(notifyOffset)}`;
    this.context.judge.breach("P-NOTIFY-DATA", `${options.name}: ${seen}`);
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
