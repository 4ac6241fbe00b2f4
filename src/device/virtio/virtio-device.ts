/**
 * The part of a virtio device that is the same for every transport and device type: status,
 * features, queues, configuration changes, interrupts (virtio 1.3, chapters 2 and 3).
 */

import { BringUpCheck } from "../checks/bring-up-check.ts";
import { KickCheck } from "../checks/kick-check.ts";
import type { Context } from "../judge/context.ts";
import { DriverLife } from "../judge/outcome.ts";
import { judgeApart } from "../queue/queue-areas.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";
import type { FaultInjector } from "../sim/faults.ts";
import { hasBit } from "../spec/bits.ts";
import type { Lapses } from "../spec/lapses.ts";
import { FEATURE, ISR, STATUS } from "../spec/numbers.ts";
import type { DriverSignal } from "./driver-signal.ts";
import { DEFAULT_HOOKS, type TransportHooks } from "./transport-hooks.ts";

/** A device type: its configuration space, and the events that it is told of. */
export interface DeviceType {
  /** Bytes of configuration that exist. */
  readonly configBytes: number;
  /** Reads the 32-bit field at a multiple of 4. */
  readConfig(offset: number): number;
  /** With `complete` off more bytes of the field are to come. */
  writeConfig(offset: number, value: number, complete: boolean): void;
  /** Features are settled. */
  negotiated(features: bigint): void;
  /** The driver has set DRIVER_OK. */
  started(): void;
  reset(): void;
}

export interface VirtioOptions {
  readonly offered: bigint;
  /** Bits that have a meaning for this device type or for rings. */
  readonly described: bigint;
  /** Whether the driver's features start as everything offered, as one device does. */
  readonly driverFeaturesStart: "none" | "offered";
  readonly generation: "changes" | "when up" | "never";
  readonly lapses: Lapses;
}

/** Every device that has a legacy interface offers this bit over it (virtio 1.3, 6.3). */
const ANY_LAYOUT = 1n << BigInt(FEATURE.anyLayout);
/** A device may offer this one over it (virtio 1.3, 6.3). */
const NOTIFY_ON_EMPTY = 1n << BigInt(FEATURE.notifyOnEmpty);

export class VirtioDevice {
  readonly options: VirtioOptions;
  readonly queues: Virtqueue[] = [];
  readonly bringUp: BringUpCheck;
  readonly life: DriverLife;
  readonly faults: FaultInjector;
  readonly type: DeviceType;
  /** Notifications counted since the machine was made. */
  notifications = 0;
  readonly kicks: KickCheck;
  interrupts = 0;
  private readonly context: Context;
  private readonly signal: DriverSignal;
  private hooks: TransportHooks = DEFAULT_HOOKS;
  private status = 0;
  /** When the device began to ask for a reset. */
  private haltedMs = 0;
  /** What device_status reads until the reset is over. */
  private resetShows = 0;
  private accepted: bigint;
  private refused = false;
  /** Over a legacy interface: the first use of features settled them (virtio 1.3, 3.1.2). */
  private firstUsed = false;
  private isr = 0;
  private generation = 0;
  private configRead = false;
  /** Queues that were notified before DRIVER_OK. They are served when it is set, as hosts do. */
  private readonly early = new Set<Virtqueue>();

  constructor(
    context: Context,
    type: DeviceType,
    options: VirtioOptions,
    parts: { readonly faults: FaultInjector; readonly signal: DriverSignal },
  ) {
    this.context = context;
    this.options = options;
    this.type = type;
    this.faults = parts.faults;
    this.signal = parts.signal;
    this.bringUp = new BringUpCheck(context);
    this.life = new DriverLife(context.trace, () => context.clock.nowMs);
    this.kicks = new KickCheck(context);
    this.accepted = this.startFeatures();
  }

  get currentStatus(): number {
    return this.status;
  }

  /** Whether the device asks to be reset. Until then it serves nothing. */
  get halted(): boolean {
    return (this.status & STATUS.needsReset) !== 0;
  }

  get driverFeatures(): bigint {
    return this.accepted;
  }

  /** Puts the device on a bus, where a driver finds the interface `first` at the beginning. */
  connect(hooks: TransportHooks, first: "legacy" | "modern"): void {
    this.hooks = hooks;
    this.useInterface(first);
  }

  /** Whether the driver uses the interface from before virtio 1.0. */
  get legacy(): boolean {
    return this.bringUp.legacy;
  }

  /** The driver uses this interface. A change of the interface starts the features anew. */
  useInterface(one: "legacy" | "modern"): void {
    const legacy = one === "legacy";
    if (legacy === this.bringUp.legacy) return;
    this.bringUp.legacy = legacy;
    this.accepted = this.startFeatures();
  }

  /** Whether the device can reach guest memory now. */
  get reachesMemory(): boolean {
    return this.hooks.reachesMemory();
  }

  /** The features offered over the interface in use. */
  get offered(): bigint {
    return this.offeredOver(this.legacy ? "legacy" : "modern");
  }

  /** A legacy interface offers 32 bits, ANY_LAYOUT among them (virtio 1.3, 4.1.4.10 and 6.3). */
  offeredOver(one: "legacy" | "modern"): bigint {
    const { offered } = this.options;
    const modern = offered & ~NOTIFY_ON_EMPTY;
    return one === "legacy" ? (offered & 0xffff_ffffn) | ANY_LAYOUT : modern;
  }

  /** Whether the accepted features cannot change any more until a reset. */
  get settled(): boolean {
    return this.firstUsed || (this.status & STATUS.featuresOk) !== 0;
  }

  get interruptPending(): boolean {
    return this.isr !== 0 && this.hooks.raisesLine();
  }

  /** Set up, not failed, not asking to be reset. */
  get live(): boolean {
    const bits = STATUS.driverOk | STATUS.failed | STATUS.needsReset;
    return (this.status & bits) === STATUS.driverOk;
  }

  has(feature: number): boolean {
    return hasBit(this.accepted & this.offered, feature);
  }

  readOffer(word: number): number {
    const value = word > 1 ? 0 : Number((this.offered >> BigInt(word * 32)) & 0xffff_ffffn);
    this.bringUp.offerRead(word, value);
    return value;
  }

  readFeatures(word: number): number {
    return word > 1 ? 0 : Number((this.accepted >> BigInt(word * 32)) & 0xffff_ffffn);
  }

  writeFeatures(word: number, value: number): void {
    const { settled } = this;
    this.bringUp.featuresWrite(word, settled, value);
    if (word > 1 || settled) return;
    const shift = BigInt(word * 32);
    this.accepted = (this.accepted & ~(0xffff_ffffn << shift)) | (BigInt(value) << shift);
    // A legacy driver sets up its queues before anything settles the features.
    if (this.legacy) this.type.negotiated(this.accepted & this.offered);
  }

  readStatus(): number {
    const value = this.statusShown();
    this.bringUp.statusRead(value, this.halted);
    return value;
  }

  writeStatus(value: number): void {
    if (value === 0) this.reset();
    else this.changeStatus(value);
    this.life.statusWritten(value, this.status);
  }

  private changeStatus(value: number): void {
    const old = this.status;
    const wanted = this.legacy ? this.withoutFeaturesOk(value) : value;
    this.bringUp.statusWrite(old, wanted);
    const added = wanted & ~old;
    if ((added & STATUS.featuresOk) !== 0 && !this.refused) this.refused = !this.settleFeatures();
    this.status = (wanted | (old & STATUS.needsReset)) & ~this.withheld();
    if ((this.status & added & STATUS.driverOk) !== 0) this.start();
  }

  /** A driver or a power cycle resets the device. */
  reset(): void {
    this.refused = false;
    this.firstUsed = false;
    // A device that was never used shows what a firmware's driver left.
    this.resetShows = this.status || STATUS.acknowledge;
    this.status = 0;
    this.accepted = this.startFeatures();
    this.isr = 0;
    this.kicks.reset();
    this.early.clear();
    for (const queue of this.queues) queue.reset();
    this.type.reset();
    this.hooks.reset();
    this.bringUp.reset();
    this.context.judge.reset();
    this.context.trace.add("host", "reset");
  }

  /** The power goes. A driver finds the device as new. */
  powerOff(): void {
    this.reset();
    this.resetShows = 0;
    this.bringUp.forget();
    this.life.begin();
  }

  readIsr(): number {
    const value = this.isr;
    this.isr = 0;
    return value;
  }

  /** The ISR bits that the driver has not acknowledged. */
  get events(): number {
    return this.isr;
  }

  /** The driver has handled these events; others keep the interrupt up. */
  acknowledge(events: number): void {
    this.isr &= ~events;
  }

  readGeneration(): number {
    if (this.faults.lasts("generation-never-settles")) this.generation += 1;
    return this.generation & 0xff;
  }

  readConfig(offset: number): number {
    this.configRead = true;
    this.life.looked();
    return this.type.readConfig(offset);
  }

  /** With `complete` off more bytes of the field are to come. */
  writeConfig(offset: number, value: number, complete: boolean): void {
    this.bringUp.configWritten(this.status);
    this.type.writeConfig(offset, value, complete);
  }

  /** The host changed the configuration: a new generation, and an interrupt if the driver is up. */
  configChanged(): void {
    const { generation } = this.options;
    const isUp = (this.status & STATUS.driverOk) !== 0;
    if (this.configRead && (generation === "changes" || (generation === "when up" && isUp))) {
      this.generation += 1;
      this.configRead = false;
    }
    if (isUp) this.raise(ISR.config);
  }

  /** The device cannot go on (virtio 1.3, 2.1.2). */
  needReset(): void {
    if ((this.status & STATUS.needsReset) !== 0) return;
    this.status |= STATUS.needsReset;
    this.haltedMs = this.context.clock.nowMs;
    this.context.trace.add("host", "DEVICE_NEEDS_RESET");
    if ((this.status & STATUS.driverOk) !== 0) this.raise(ISR.config);
  }

  /** Buffers were returned on a queue and the driver wants to know. */
  usedBuffers(queue: Virtqueue): void {
    const isEarly = this.options.lapses.servesEarly && (this.status & STATUS.driverOk) === 0;
    if (this.live || isEarly) this.raise(ISR.queue, queue);
  }

  /** Raises the interrupt without a cause. With messages it sends the message of every event. */
  raiseSpurious(): void {
    this.interrupts += 1;
    this.context.trace.add("interrupt", "spurious");
    if (this.hooks.interrupt({ queue: undefined }) === "line") this.signal.give();
    else for (const queue of this.queues) this.hooks.interrupt({ queue });
  }

  enableQueue(queue: Virtqueue): void {
    const { role, name } = queue.options;
    this.bringUp.queueEnabled(this.status);
    this.useLegacy();
    if (role === undefined) this.context.judge.breach("Q-STRANGE-QUEUE", `${name} is enabled`);
    queue.enable({
      packed: this.has(FEATURE.ringPacked),
      notifyOnEmpty: this.has(FEATURE.notifyOnEmpty),
      eventIdx: this.has(FEATURE.ringEventIdx),
      indirect: this.has(FEATURE.ringIndirectDesc),
      inOrder: this.has(FEATURE.inOrder),
    });
    judgeApart(this.context, queue, this.queues);
  }

  /** The driver notifies a queue; `data` is what comes with NOTIFICATION_DATA (2.9). */
  notify(queue: Virtqueue, data?: number): void {
    const { name } = queue.options;
    this.notifications += 1;
    if (!this.bringUp.notified(this.status, name)) {
      if ((this.status & STATUS.driverOk) !== 0) return;
      if (!this.options.lapses.servesEarly) this.early.add(queue);
      else if (queue.ring !== undefined && this.reachesMemory) queue.process();
      return;
    }
    queue.judgeReset("a notification");
    if (queue.ring === undefined) {
      this.context.judge.breach("P-NOTIFY-QUEUE", `${name} is notified and not enabled`);
      return;
    }
    if (!this.judgeReach(name)) return;
    this.kicks.notified(queue, (feature) => this.has(feature), data);
    queue.process();
  }

  /** Notifies the queue of this index, where one register serves all queues. */
  notifyByIndex(index: number, data?: number): void {
    const queue = this.queues[index];
    if (queue !== undefined) this.notify(queue, data);
    else this.context.judge.breach("P-NOTIFY-VALUE", `value ${index}, and no such queue`);
  }

  save() {
    const { status, resetShows, accepted, refused, firstUsed, isr, generation } = this;
    const { configRead, early } = this;
    return {
      ...{ status, resetShows, accepted: accepted.toString(), refused, firstUsed, isr, generation },
      ...{ configRead, early: [...early].map(({ options }) => options.index) },
      bringUp: this.bringUp.save(),
    };
  }

  load({ accepted, early, bringUp, ...plain }: ReturnType<VirtioDevice["save"]>): void {
    Object.assign(this, plain);
    this.accepted = BigInt(accepted);
    this.bringUp.load(bringUp);
    this.life.movedIn(this.status);
    this.early.clear();
    for (const index of early) {
      const queue = this.queues[index];
      if (queue !== undefined) this.early.add(queue);
    }
  }

  /** Judges a driver at rest whose device was up and asks for a reset. */
  checkHalted(): void {
    const { status, haltedMs } = this;
    const bits = STATUS.driverOk | STATUS.needsReset;
    if ((status & (bits | STATUS.failed)) !== bits) return;
    this.bringUp.judgeHalted(this.context.clock.nowMs - haltedMs);
  }

  /** Judges what only shows when the driver is at rest. */
  check(): void {
    this.hooks.check();
    if (!this.interruptPending || this.signal.listener === undefined) return;
    this.context.judge.breach(this.hooks.lineRule, "the interrupt is still asserted");
  }

  /** Refused features leave the device unusable until it is reset (virtio 1.3, 3.1.1 step 6). */
  private withheld(): number {
    return this.refused ? STATUS.featuresOk | STATUS.driverOk : 0;
  }

  /** DRIVER_OK was set: queues that were notified too early are looked at now. */
  private start(): void {
    const { halted } = this;
    this.useLegacy();
    this.judgeReach("DRIVER_OK");
    this.hooks.started();
    this.type.started();
    for (const queue of this.early) queue.process();
    if (halted) this.raise(ISR.config);
  }

  private judgeReach(what: string): boolean {
    if (this.reachesMemory) return true;
    this.context.judge.breach("P-BUS-MASTER", `${what} while bus mastering is off`);
    return false;
  }

  /** Over a legacy interface the first use of features settles them (virtio 1.3, 3.1.2). */
  private useLegacy(): void {
    if (!this.legacy || this.firstUsed) return;
    this.firstUsed = true;
    const { offered } = this;
    this.bringUp.accepted(offered, this.accepted, this.options.described | ANY_LAYOUT);
    this.accepted &= offered;
    this.type.negotiated(this.accepted);
  }

  private withoutFeaturesOk(status: number): number {
    if ((status & STATUS.featuresOk) !== 0) {
      this.context.judge.breach("L-FEATURES-OK", `status ${status} is written`);
    }
    return status & ~STATUS.featuresOk;
  }

  private settleFeatures(): boolean {
    const { described } = this.options;
    const { offered, accepted } = this;
    this.bringUp.accepted(offered, accepted, described & ~this.hooks.unusable);
    let kept = (accepted & ~offered) === 0n || this.options.lapses.acceptsAll;
    if (hasBit(offered & ~accepted, FEATURE.version1)) kept = false;
    if (this.faults.lasts("refuse-without-must-tell-host") && !this.has(FEATURE.mustTellHost)) {
      kept = false;
    }
    if (this.faults.strikes("refuse-features")) {
      this.context.trace.add("fault", "FEATURES_OK is refused");
      kept = false;
    }
    this.bringUp.featuresOk(kept);
    if (!kept) return false;
    this.type.negotiated(accepted & offered);
    for (const queue of this.queues) queue.settle(this.has(FEATURE.ringPacked));
    return true;
  }

  private statusShown(): number {
    if (this.status !== 0 || this.resetShows === 0) return this.status;
    if (this.faults.lasts("reset-never-clears") || this.faults.strikes("reset-slow")) {
      return this.resetShows;
    }
    this.resetShows = 0;
    return 0;
  }

  private startFeatures(): bigint {
    return this.options.driverFeaturesStart === "offered" ? this.offered : 0n;
  }

  private raise(bit: number, queue?: Virtqueue): void {
    const was = this.isr;
    this.interrupts += 1;
    if (bit === ISR.config && this.live) this.life.told();
    this.context.trace.add("interrupt", queue?.options.name ?? "config", { isr: was | bit });
    if (this.hooks.interrupt({ queue }) === "message") {
      // Of the two bits messages leave one in use (virtio 1.3, 4.1.4.5.1).
      this.isr |= bit & ISR.config;
      return;
    }
    this.isr |= bit;
    if (was === 0 && this.hooks.raisesLine()) this.signal.give();
  }
}
