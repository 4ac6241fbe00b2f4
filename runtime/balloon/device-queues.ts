/**
 * The link between core and device: what the driver's queues do, without a word on when or why.
 *
 * It must not decide. Invariant: a used ring that no device may write ends in an error before
 * anything relies on it, and a buffer that the device holds is never posted again.
 */
import {
  type CoreExports,
  DEFLATEQ,
  describeFault,
  framesIn,
  HINTQ,
  INFLATEQ,
  REPORTQ,
  STATSQ,
} from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import type { Hal } from "../hal.ts";
import { ABSENT_TRANSPORT } from "../virtio/absent-transport.ts";
import { BringUp, type BringUpStep, type Negotiation } from "../virtio/bring-up.ts";
import { FEATURE, STATUS, STATUS_GONE } from "../virtio/constants.ts";
import { hasFeature } from "../virtio/features.ts";
import { goneError, type Transport } from "../virtio/transport.ts";
import { type OpenQueues, openQueue, openQueues, wantedFeatures } from "./bring-up-plan.ts";
import { BALLOON_CONFIG, BALLOON_FEATURE } from "./constants.ts";
import { type DeflateMode, deflateOrder } from "./deflate-order.ts";
import { BALLOON_BITS, formatFeatures } from "./features.ts";
import { Hinting } from "./free-page-hinting.ts";
import { Reporting } from "./free-page-reporting.ts";
import { type DriverSettings, unitFrames } from "./settings.ts";
import {
  ledgerStatistics,
  postNoStatistics,
  postStatistics,
  type Statistics,
} from "./statistics.ts";
import { QUEUE_ROLES, type QueueStatus } from "./status.ts";

export interface LinkOptions {
  readonly hal: Hal;
  readonly core: CoreExports;
  readonly transport: Transport;
  readonly settings: DriverSettings;
  statistics?(): Statistics;
  onStep?(step: BringUpStep): void;
}

const ALL_QUEUES = [INFLATEQ, DEFLATEQ, STATSQ, HINTQ, REPORTQ];
const NO_QUEUES: OpenQueues = { indices: [], setups: [], described: [] };

export class Link {
  /** Since the driver was made. */
  readonly totals = { inflated: 0, deflated: 0, notifications: 0, actualWrites: 0, stats: 0 };
  /**
   * `actual` as last written to this device since its reset; what it kept from before is unknown.
   */
  actualWritten = 0;
  /** What was last agreed on; undefined before. */
  negotiation: Negotiation | undefined;
  readonly hinting: Hinting;
  readonly reporting: Reporting;
  private readonly options: LinkOptions;
  private readonly core: CoreExports;
  /** The way to the device that there is now; whoever changes it brings it up next. */
  transport: Transport;
  private queues: OpenQueues = NO_QUEUES;
  private resettingSinceMs: number | undefined;

  constructor(options: LinkOptions) {
    this.options = options;
    this.core = options.core;
    this.transport = options.transport;
    this.hinting = new Hinting(options.core);
    this.reporting = new Reporting(options.core, options.settings.reportPagesPerSecond);
  }

  get described(): readonly QueueStatus[] {
    return this.queues.described;
  }

  /**
   * Pages that the device was sent and has not answered for; until a reset is complete, all of
   * them.
   */
  get pagesInFlight(): number {
    const { core } = this;
    return core.queue_pages_in_flight(INFLATEQ) + core.queue_pages_in_flight(DEFLATEQ);
  }

  /** What the driver must say is in the balloon: acknowledged in, and not yet acknowledged out. */
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

  /**
   * A bring-up of the device, in the order of virtio 1.3, 5.5.5. The mode may change until features
   * are accepted.
   */
  bringUp(deflateMode: () => DeflateMode): BringUp {
    const { hal, core, settings, onStep } = this.options;
    const { transport } = this;
    this.close();
    return new BringUp({
      transport,
      deviceFeatures: BALLOON_BITS,
      decide: (offered, refusals) =>
        wantedFeatures({
          settings: { ...settings, deflateMode: deflateMode() },
          transport,
          offered,
          refusals,
        }),
      afterReset: () => {
        core.ledger_reclaim();
        this.hinting.reset();
        this.reporting.reset();
      },
      pauses: this.pause(),
      onRefused: ({ offered, negotiated }, lost) => {
        const sets = `${formatFeatures(negotiated)} of ${formatFeatures(offered)}`;
        const what = lost === 0n ? `refused ${sets}` : `no longer offers ${formatFeatures(lost)}`;
        hal.log("warn", `the device ${what}; its features are read again`);
      },
      queues: (negotiation) => {
        deflateOrder(deflateMode(), negotiation.negotiated, settings.dialect);
        this.negotiation = negotiation;
        core.ledger_unit(unitFrames(settings));
        this.queues = openQueues({ core, transport, settings, negotiation });
        return this.queues.setups;
      },
      beforeDriverOk: () => {
        if (this.hasQueue(STATSQ)) this.postFirstStatistics();
        if (settings.notifiesEarly) this.publish(STATSQ);
        this.settlePoison();
      },
      afterDriverOk: () => {
        this.publish(STATSQ);
        if (settings.actualAtStart) this.writeActual(0);
      },
      ...(onStep && { onStep }),
    });
  }

  /** Whether the time between reading the features and the first decision is not over yet. */
  private pause(): () => boolean {
    const { hal, settings } = this.options;
    let endMs: number | undefined;
    return () => {
      if (settings.pauseAfterFeaturesMs === 0) return false;
      if (endMs === undefined) {
        endMs = hal.now() + settings.pauseAfterFeaturesMs;
        hal.log("info", `features are read; accepting in ${settings.pauseAfterFeaturesMs} ms`);
      }
      return hal.now() < endMs;
    };
  }

  /**
   * Set before DRIVER_OK, and never changed after (virtio 1.3, 5.5.6.6.1). A guest that needs its
   * memory filled needs that also where the host does not know of it.
   */
  private settlePoison(): void {
    const { poison } = this.options.settings;
    if (poison === undefined) {
      this.core.poison_clear();
      return;
    }
    if (this.has(BALLOON_FEATURE.PAGE_POISON)) {
      this.transport.writeConfig(BALLOON_CONFIG.poisonVal, poison);
    }
    this.core.poison_set(poison);
  }

  private hasQueue(queue: number): boolean {
    return this.queues.indices[queue] !== undefined;
  }

  private has(feature: number): boolean {
    return this.negotiation !== undefined && hasFeature(this.negotiation.negotiated, feature);
  }

  /** After a reset: no queue is left, and nothing was said to this device yet. */
  close(): void {
    this.queues = NO_QUEUES;
    this.actualWritten = 0;
    this.resettingSinceMs = undefined;
  }

  /** After the device was taken away: there is no other yet, and nothing is agreed on. */
  detach(): void {
    this.close();
    this.hinting.reset();
    this.negotiation = undefined;
    this.transport = ABSENT_TRANSPORT;
  }

  /**
   * Answers the device's request for statistics, if there is one.
   * @throws BallonetError `device-lied`.
   */
  answerStatistics(): void {
    if (!this.hasQueue(STATSQ)) return;
    if (this.checked(STATSQ, this.core.stats_take()) === 0) return;
    this.postStatistics();
    this.publish(STATSQ);
    this.totals.stats += 1;
  }

  private postFirstStatistics(): void {
    const { firstStatistics } = this.options.settings;
    if (firstStatistics === undefined) this.postStatistics();
    else postNoStatistics(this.core, firstStatistics);
  }

  private postStatistics(): void {
    const { statistics, settings } = this.options;
    const sample = statistics?.() ?? ledgerStatistics(this.core);
    postStatistics(this.core, sample, settings.newerStatistics);
  }

  /**
   * Takes in what the device acknowledged; answers the balloon's pages. Reports, too: an inflate
   * that waits for them must see that they are back in the turn in which they are taken.
   * @throws BallonetError `device-lied`.
   */
  settle(): number {
    if (this.hasQueue(REPORTQ)) {
      this.reporting.settled(this.checked(REPORTQ, this.core.report_settle()));
    }
    const inflated = this.checked(INFLATEQ, this.core.balloon_settle(INFLATEQ));
    const deflated = this.checked(DEFLATEQ, this.core.balloon_settle(DEFLATEQ));
    this.totals.inflated += inflated;
    this.totals.deflated += deflated;
    return inflated + deflated;
  }

  /**
   * Free page hinting and reporting, as far as the queues are there. Answers when they want to go
   * on. @throws BallonetError `device-lied`.
   */
  turnRanges(now: number, reservePages: number): number {
    let againMs = Number.POSITIVE_INFINITY;
    if (this.hasQueue(HINTQ)) {
      const settled = this.checked(HINTQ, this.core.hint_settle());
      this.hinting.turn(reservePages);
      this.publish(HINTQ);
      againMs = this.hinting.lookAgainMs(now, settled > 0);
      if (this.hinting.isDue) againMs = now;
    }
    if (this.hasQueue(REPORTQ)) {
      againMs = Math.min(againMs, this.reporting.turn(now) ?? againMs);
      this.publish(REPORTQ);
    }
    return againMs;
  }

  /** Whether an inflate of so many pages should wait for reports that were sent ahead of it. */
  reportsAhead(pages: number, now: number): boolean {
    if (!this.hasQueue(REPORTQ)) return false;
    const waits = this.reporting.ahead(pages, now);
    this.publish(REPORTQ);
    return waits;
  }

  /** False while the inflateq is being reset: it takes no buffers. */
  get canInflate(): boolean {
    return this.resettingSinceMs === undefined;
  }

  /** Takes back what hangs on the inflateq, where RING_RESET allows it (virtio 1.3, 2.6.1). */
  resetInflateq(now: number): void {
    if (this.resettingSinceMs !== undefined || !this.has(FEATURE.RING_RESET)) return;
    this.transport.resetQueue(INFLATEQ);
    this.resettingSinceMs = now;
  }

  /**
   * Goes on with the reset of the inflateq once the device has completed it. False when it has had
   * `patienceMs` and has not: there are devices that offer the feature and do not have it.
   */
  awaitInflateqReset(now: number, patienceMs: number): boolean {
    const { core, settings } = this.options;
    const { transport } = this;
    if (this.resettingSinceMs === undefined || this.negotiation === undefined) return true;
    if (!transport.isQueueReset(INFLATEQ)) return now - this.resettingSinceMs < patienceMs;
    core.balloon_abandon_inflates();
    const { negotiation } = this;
    transport.setUpQueue(openQueue({ core, transport, settings, negotiation }, INFLATEQ, INFLATEQ));
    this.resettingSinceMs = undefined;
    return true;
  }

  private checked(queue: number, answer: number): number {
    if (answer >= 0) return answer;
    throw new BallonetError({
      code: "device-lied",
      what: `used ring of the ${QUEUE_ROLES[queue]}`,
      seen: describeFault(answer),
      todo: "report it to the device's makers; the guest goes on without the balloon",
    });
  }

  /** The device says that its configuration changed. */
  configChanged(now: number): void {
    if (this.hasQueue(HINTQ)) this.hinting.tell(now);
  }

  /**
   * num_pages, or "reset" when the device needs one: it says so, or somebody else did it already.
   * With FREE_PAGE_HINT its command, too.
   * @throws BallonetError `device-gone`.
   */
  readTarget(now: number): number | "reset" {
    const { transport } = this;
    const listens = this.hasQueue(HINTQ) && this.hinting.listens;
    const command = listens ? transport.readConfig(BALLOON_CONFIG.freePageHintCmdId) : undefined;
    const target = transport.readConfig(BALLOON_CONFIG.numPages);
    // Last: while the device was there until now, what was read before came from it.
    const status = transport.status();
    if (status === STATUS_GONE) throw goneError(transport);
    if (status === 0 || (status & STATUS.DEVICE_NEEDS_RESET) !== 0) return "reset";
    if (command !== undefined) this.hinting.command(command, now);
    return target;
  }

  /**
   * One 32-bit store, and only when there is something new to say (virtio 1.3, 5.5.6.1 and .2);
   * some drivers say it buffer by buffer.
   */
  updateActual(): void {
    const { actualWrites, pfnsPerBuffer } = this.options.settings;
    const stride = actualWrites === "each-buffer" ? pfnsPerBuffer : Number.POSITIVE_INFINITY;
    const pages = this.actualPages;
    while (this.actualWritten !== pages) {
      const change = pages - this.actualWritten;
      this.writeActual(this.actualWritten + Math.max(-stride, Math.min(stride, change)));
    }
  }

  /** Says `actual` once more, changed or not. */
  repeatActual(): void {
    this.writeActual(this.actualWritten);
  }

  private writeActual(pages: number): void {
    this.transport.writeConfig(BALLOON_CONFIG.actual, pages);
    this.actualWritten = pages;
    this.totals.actualWrites += 1;
    if (this.options.settings.actualReadBack) this.transport.readConfig(BALLOON_CONFIG.actual);
  }

  /** Shows the device what was posted, and notifies it if it wants to be. */
  publish(queue: number): void {
    const index = this.queues.indices[queue];
    if (index === undefined || this.core.queue_publish(queue) === 0) return;
    this.totals.notifications += 1;
    this.transport.notify(index, this.core.queue_next_place(queue));
  }

  /**
   * Asks for one interrupt per burst: when the last buffer in flight is back. True when something
   * came back meanwhile, so that no interrupt will tell of it.
   */
  arm(): boolean {
    let pending = false;
    for (const queue of ALL_QUEUES) {
      if (!this.hasQueue(queue)) continue;
      const after = Math.max(0, this.core.queue_buffers_in_flight(queue) - 1);
      if (this.core.queue_arm(queue, after) !== 0) pending = true;
    }
    return pending;
  }
}
