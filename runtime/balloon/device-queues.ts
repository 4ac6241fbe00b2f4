/**
 * The queues of one device, from its reset to the next: buffers are posted, shown and taken back.
 *
 * Nothing here decides. A used ring that no device may write ends in an error before anything
 * relies on it.
 */
import {
  type CoreExports,
  DEFLATEQ,
  describeFault,
  framesIn,
  HINTQ,
  INFLATEQ,
  QUEUE_ROLES,
  REPORTQ,
  STATSQ,
} from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import type { Negotiation } from "../virtio/bring-up.ts";
import { FEATURE } from "../virtio/constants.ts";
import { hasFeature } from "../virtio/features.ts";
import type { Transport } from "../virtio/transport.ts";
import { STAT_LENGTH } from "./constants.ts";
import type { DeflateOrder } from "./deflate-order.ts";
import type { DriverParts } from "./driver-parts.ts";
import { type OpenQueues, openQueue } from "./open-queues.ts";
import type { StatisticsEntries } from "./statistics.ts";
import type { Totals } from "./status.ts";

/** One life of a device, from the negotiation of its features to its next reset. */
export interface Session {
  readonly transport: Transport;
  readonly negotiation: Negotiation;
  /** Its features by name, for the status, which hosts read often. */
  readonly features: { readonly offered: string; readonly negotiated: string };
  readonly queues: OpenQueues;
}

export interface DeviceQueuesOptions extends DriverParts {
  readonly session: Session;
}

/**
 * Returns the pages that the device was sent and has not answered for; until a reset is complete,
 * all of them.
 */
export function pagesInFlight(core: CoreExports): number {
  return core.queue_pages_in_flight(INFLATEQ) + core.queue_pages_in_flight(DEFLATEQ);
}

/** The methods name queues by the core's numbers: INFLATEQ and so on. */
export class DeviceQueues {
  private readonly options: DeviceQueuesOptions;
  private readonly core: CoreExports;
  private readonly session: Session;
  private readonly totals: Totals;
  private resettingSinceMs: number | undefined;

  constructor(options: DeviceQueuesOptions) {
    this.options = options;
    this.core = options.core;
    this.session = options.session;
    this.totals = options.totals;
  }

  /** Whether this device has the queue. */
  has(queue: number): boolean {
    return this.session.queues.indices[queue] !== undefined;
  }

  get pagesInFlight(): number {
    return pagesInFlight(this.core);
  }

  /** What `actual` has to be: pages acknowledged in, and not yet acknowledged out. */
  get actualPages(): number {
    return framesIn(this.core, "held") + this.core.queue_pages_in_flight(DEFLATEQ);
  }

  /**
   * True while pages that are in use again have their deflate on its way. They must not be offered
   * to the host a second time: it might see the two messages in either order.
   */
  get hasUntold(): boolean {
    return this.core.queue_pages_in_flight(DEFLATEQ) !== framesIn(this.core, "deflating");
  }

  /** False while the inflateq is being reset: it takes no buffers. */
  get canInflate(): boolean {
    return this.resettingSinceMs === undefined;
  }

  buffersInFlight(queue: number): number {
    return this.core.queue_buffers_in_flight(queue);
  }

  /** Posts up to `pages` free pages on the inflateq. Returns how many. */
  inflate(pages: number): number {
    return this.core.balloon_inflate(pages);
  }

  /** Takes up to `pages` held pages back in the order given. Returns how many. */
  deflate(pages: number, order: DeflateOrder): number {
    switch (order) {
      case "tell-first":
        return this.core.balloon_deflate(pages);
      case "use-first":
        return this.core.balloon_deflate_untold(pages);
      case "silent":
        return this.core.balloon_deflate_silently(pages);
    }
  }

  /**
   * Takes in what the device acknowledged on the inflateq and the deflateq. Returns the pages.
   * @throws BallonetError `device-lied`.
   */
  settlePages(): number {
    const inflated = this.checked(INFLATEQ, this.core.balloon_settle(INFLATEQ));
    const deflated = this.checked(DEFLATEQ, this.core.balloon_settle(DEFLATEQ));
    this.totals.inflated += inflated;
    this.totals.deflated += deflated;
    return inflated + deflated;
  }

  /**
   * Answers the device's request for statistics with a new `sample`, if there is one.
   * @throws BallonetError `device-lied`.
   */
  answerStatistics(sample: () => StatisticsEntries): void {
    if (!this.has(STATSQ)) return;
    if (this.checked(STATSQ, this.core.stats_take()) === 0) return;
    this.postStatistics(sample());
    this.publish(STATSQ);
    this.totals.stats += 1;
  }

  /** Fills the statistics buffer and posts it, or `bytes` of it; the driver must have it. */
  postStatistics({ entries, bytes = entries.length * STAT_LENGTH }: StatisticsEntries): void {
    entries.forEach(([tag, value], index) => {
      this.core.stats_put(index, tag, value);
    });
    this.core.stats_post(bytes);
  }

  /** Reports up to `frames` free frames in whole blocks. Returns how many. */
  postReports(frames: number): number {
    const posted = this.core.report_post(frames);
    this.totals.reported += posted;
    this.publish(REPORTQ);
    return posted;
  }

  /** Returns the frames whose report came back. @throws BallonetError `device-lied`. */
  settleReports(): number {
    return this.checked(REPORTQ, this.core.report_settle());
  }

  /** Posts the id of a hinting run, or 0 to end one. Returns false when there is no room. */
  postHintCommand(command: number): boolean {
    return this.core.hint_command(command) !== 0;
  }

  /** Hints up to `frames` free frames. Returns how many. */
  postHints(frames: number): number {
    const posted = this.core.hint_post(frames);
    this.totals.hinted += posted;
    return posted;
  }

  /** Returns the hinting buffers that came back. @throws BallonetError `device-lied`. */
  settleHints(): number {
    return this.checked(HINTQ, this.core.hint_settle());
  }

  /** Gives all hinted frames to the guest. */
  releaseHints(): void {
    this.core.hint_release();
  }

  /** Takes back what hangs on the inflateq, where RING_RESET allows it (virtio 1.3, 2.6.1). */
  resetInflateq(now: number): void {
    const { transport, negotiation } = this.session;
    if (!this.canInflate || !hasFeature(negotiation.negotiated, FEATURE.RING_RESET)) return;
    transport.resetQueue(INFLATEQ);
    this.resettingSinceMs = now;
  }

  /**
   * Goes on with the reset of the inflateq once the device has completed it. Returns false when it
   * has had `limitMs` and has not: there are devices that offer the feature and do not have it.
   */
  awaitInflateqReset(now: number, limitMs: number): boolean {
    if (this.resettingSinceMs === undefined) return true;
    const { transport } = this.session;
    if (!transport.isQueueReset(INFLATEQ)) return now - this.resettingSinceMs < limitMs;
    this.core.balloon_abandon_inflates();
    transport.setUpQueue(openQueue({ ...this.options, ...this.session }, INFLATEQ, INFLATEQ));
    this.resettingSinceMs = undefined;
    return true;
  }

  /** Shows the device what was posted, and notifies it if it wants to be. */
  publish(queue: number): void {
    if (this.has(queue) && this.core.queue_publish(queue) !== 0) this.notify(queue);
  }

  /** Notifies the device whether or not it wants to be: it may have missed the last time. */
  notify(queue: number): void {
    const index = this.session.queues.indices[queue];
    if (index === undefined) return;
    this.totals.notifications += 1;
    this.session.transport.notify(index, this.core.queue_next_place(queue));
  }

  /**
   * Asks for one interrupt per burst: when the last buffer in flight is back. Returns true when
   * something came back meanwhile, so that no interrupt will tell of it.
   */
  arm(): boolean {
    let pending = false;
    for (const queue of QUEUE_ROLES.keys()) {
      if (!this.has(queue)) continue;
      const after = Math.max(0, this.buffersInFlight(queue) - 1);
      if (this.core.queue_arm(queue, after) !== 0) pending = true;
    }
    return pending;
  }

  private checked(queue: number, result: number): number {
    if (result >= 0) return result;
    throw new BallonetError({
      code: "device-lied",
      what: `used ring of the ${QUEUE_ROLES[queue]}`,
      seen: describeFault(result),
      todo: "report it to the device's makers; the guest goes on without the balloon",
    });
  }
}
