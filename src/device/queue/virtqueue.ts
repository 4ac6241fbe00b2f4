/**
 * One virtqueue of the device: its registers, its ring once it is enabled, and the schedule by
 * which buffers are returned. A `QueueHandler` does what the buffers ask for.
 */

import type { Context } from "../judge/context.ts";
import type { FaultInjector } from "../sim/faults.ts";
import type { QueueRole } from "../spec/roles.ts";
import { type Completion, CompletionQueue } from "./completion.ts";
import { PackedRing } from "./packed-ring.ts";
import {
  type Chains,
  chainsOf,
  type Returned,
  RING_FAULTS,
  type Ring,
  type RingLayout,
  type Taken,
} from "./ring.ts";
import { SplitRing } from "./split-ring.ts";

/** What happens to a served buffer: returned by schedule, kept for later, or never returned. */
export type Fate = "return" | "hold" | "lose";

/** Serves the buffers of a queue. */
export interface QueueHandler {
  /** Does what the buffer asks for. */
  serve(taken: Taken, queue: Virtqueue): Fate;
  /** The buffer is about to be returned. Returns the used length in bytes. */
  returned(taken: Taken): number;
  /** The queue was reset by itself: the buffer is never returned. */
  dropped(taken: Taken): void;
}

/** What the device offers as one queue. */
export interface QueueOptions {
  readonly index: number;
  readonly role: QueueRole | undefined;
  /** The feature bit that the queue belongs to, if any. */
  readonly feature: number | undefined;
  readonly name: string;
  /** Entries offered; split queues are offered the power of two below it. */
  readonly maxSize: number;
  readonly notifyOff: number;
  readonly completion: Completion;
  /** Whether the device asks for no notifications while it still has buffers to return. */
  readonly quietWhileBusy: boolean;
  /** End of the guest's memory for ranges that are named, and not read or written. */
  readonly reachBytes: number;
  readonly lapses: RingLayout["lapses"];
  /** With IN_ORDER: whether buffers that are done together have one used entry (2.7.9, 2.8.8). */
  readonly batches: boolean;
}

/** What was negotiated about rings. */
export type RingFeatures = {
  readonly packed: boolean;
  readonly notifyOnEmpty: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
};

/** The device that a queue belongs to. */
export interface QueueOwner {
  /** Buffers were returned in this queue, and the driver wants an interrupt for them. */
  interrupt(queue: Virtqueue): void;
  /** The ring cannot be read any more. */
  broken(): void;
  /** Whether the device has stopped until it is reset, or cannot reach memory. */
  halted(): boolean;
}

export type QueueState = ReturnType<Virtqueue["save"]>;

export class Virtqueue {
  options: QueueOptions;
  size: number;
  packed = false;
  enabled = false;
  descAddress = 0;
  driverAddress = 0;
  deviceAddress = 0;
  /** Which of its registers were written since the reset, as bits that the transport defines. */
  written = 0;
  ring: Ring | undefined;
  private handler: QueueHandler | undefined;
  private readonly context: Context;
  private readonly owner: QueueOwner;
  private readonly faults: FaultInjector;
  private completions: CompletionQueue<Taken>;
  /** With IN_ORDER: the buffers that were not returned, in the order they were made available. */
  private order: Taken[] = [];
  /** With IN_ORDER: the buffers of `order` that are done and wait for an earlier one. */
  private readonly done = new Set<Taken>();
  /** The fault `queue-hangs` struck: the queue takes buffers and returns none. */
  private stuck = false;
  /** The driver reset this queue, and has not read queue_reset as 0 yet. */
  private resetUnread = false;

  constructor(
    context: Context,
    options: QueueOptions,
    handler: QueueHandler | undefined,
    parts: { readonly owner: QueueOwner; readonly faults: FaultInjector },
  ) {
    this.context = context;
    this.options = options;
    this.handler = handler;
    this.owner = parts.owner;
    this.faults = parts.faults;
    this.size = this.offeredSize;
    this.completions = this.freshCompletions();
  }

  save() {
    const { size, packed, enabled, descAddress, driverAddress, deviceAddress, written } = this;
    const { ring, order, done, stuck, resetUnread } = this;
    return {
      size,
      packed,
      enabled,
      descAddress,
      driverAddress,
      deviceAddress,
      written,
      stuck,
      resetUnread,
      ring: ring && { features: featuresOf(packed, ring), state: ring.save() },
      completions: this.completions.save(),
      order: order.map(({ id }) => id),
      done: [...done].map(({ id }) => id),
    };
  }

  /** Opens the ring anew, which writes to it. Returns the chains that it holds. */
  load({ ring, completions, order, done, ...plain }: QueueState): Chains {
    Object.assign(this, plain);
    const chains = this.loadRing(ring);
    this.completions.load(completions, (ids) => chainsOf(chains, ids));
    this.order = chainsOf(chains, order);
    this.done.clear();
    for (const taken of chainsOf(chains, done)) this.done.add(taken);
    return chains;
  }

  private loadRing(saved: QueueState["ring"]): Chains {
    this.ring = undefined;
    if (saved === undefined) return new Map();
    return this.enable(saved.features).load(saved.state);
  }

  /** Becomes another queue when numbers follow the accepted features; before it is enabled. */
  become(options: QueueOptions, handler: QueueHandler | undefined): void {
    this.completions.forget();
    this.options = options;
    this.handler = handler;
    this.size = this.offeredSize;
    this.completions = this.freshCompletions();
  }

  /** Features are settled, and with them the kind of ring. */
  settle(packed: boolean): void {
    this.packed = packed;
    this.size = this.offeredSize;
  }

  /** Entries offered: any number in a packed queue, else a power of two. */
  get offeredSize(): number {
    const { maxSize } = this.options;
    if (this.packed || maxSize === 0) return maxSize;
    return 2 ** Math.floor(Math.log2(maxSize));
  }

  get index(): number {
    return this.options.index;
  }

  get exists(): boolean {
    return this.options.maxSize > 0;
  }

  reset(): void {
    this.packed = false;
    this.size = this.offeredSize;
    this.enabled = false;
    this.descAddress = 0;
    this.driverAddress = 0;
    this.deviceAddress = 0;
    this.written = 0;
    this.ring = undefined;
    this.resetUnread = false;
    this.stuck = false;
    this.order = [];
    this.done.clear();
    this.completions.forget();
  }

  /** The driver resets this queue alone (virtio 1.3, 2.6.1). No buffer in it is returned. */
  resetAlone(): void {
    this.stop();
    this.resetUnread = true;
  }

  /** The driver takes this queue out of use. No buffer in it is returned. */
  stop(): void {
    const { packed, ring, handler } = this;
    this.context.trace.add("queue", `${this.options.name} reset`);
    if (handler !== undefined)
      for (const taken of ring?.inFlight.values() ?? []) handler.dropped(taken);
    this.reset();
    this.settle(packed);
  }

  /** Whether the queue takes buffers and returns none. */
  get hangs(): boolean {
    return this.stuck;
  }

  /** Whether queue_enable reads 1: until a reset of the queue is over, too. */
  get showsEnabled(): boolean {
    return this.enabled || (this.resetUnread && this.faults.lasts("queue-reset-never"));
  }

  /** Whether queue_reset reads 1. */
  readReset(): boolean {
    const { faults, resetUnread } = this;
    if (!resetUnread) return false;
    if (faults.lasts("queue-reset-never") || faults.strikes("queue-reset-slow")) return true;
    this.resetUnread = false;
    return false;
  }

  /** Judges that the driver does `what` with the queue before it has read that a reset is over. */
  judgeReset(what: string): void {
    if (!this.resetUnread) return;
    this.resetUnread = false;
    const seen = `${this.options.name}: ${what} before queue_reset was read as 0`;
    this.context.judge.breach("R-RESET-WAIT", seen);
  }

  enable({ packed, ...features }: RingFeatures): Ring {
    const { size, descAddress, driverAddress, deviceAddress } = this;
    const { name, reachBytes, lapses } = this.options;
    const addresses = { descAddress, driverAddress, deviceAddress };
    const strayFlags = this.faults.lasts("used-flags-stray");
    const layout = { name, size, ...addresses, ...features, strayFlags, reachBytes, lapses };
    this.enabled = true;
    const ring = packed
      ? new PackedRing(this.context, layout)
      : new SplitRing(this.context, layout);
    this.ring = ring;
    return ring;
  }

  /** Takes and serves everything that is available. */
  process(): void {
    const { ring, handler } = this;
    if (ring === undefined || handler === undefined) return;
    const back: Taken[] = [];
    let lost = false;
    for (const taken of ring.take()) {
      if (ring.layout.inOrder) this.order.push(taken);
      if (this.faults.strikes("queue-hangs", this.options.index)) this.hang();
      const fate = handler.serve(taken, this);
      if (fate === "return") back.push(taken);
      if (fate === "lose") lost = true;
    }
    if (lost) this.context.trace.add("queue", `${this.options.name} loses a buffer`);
    if (ring.broken !== undefined) this.owner.broken();
    this.completions.add(back);
    ring.allowKicks(!this.quiet);
  }

  /** Returns buffers now, in this order, with at most one interrupt for all of them. */
  finish(done: readonly Taken[]): void {
    const { ring, handler } = this;
    if (ring === undefined || handler === undefined || this.stuck || this.owner.halted()) return;
    const ready = ring.layout.inOrder ? this.inOrder(done) : done;
    if (ready.length === 0) return;
    ring.judgeOwnArea();
    for (const taken of ready) ring.judgeUnchanged(taken);
    this.giveBack(ring, handler, ready);
    const wanted = ring.publish();
    this.context.trace.add("queue", `${this.options.name} used`, { idx: ring.used });
    if (wanted) this.owner.interrupt(this);
    if (!this.options.quietWhileBusy) return;
    // After it asked for no notifications, the device looks once more before it waits for one, so
    // that it misses no buffer (virtio 1.3, 2.7.10).
    if (ring.waiting > 0) this.process();
    else ring.allowKicks(!this.quiet);
  }

  private hang(): void {
    this.stuck = true;
    this.context.trace.add("fault", `${this.options.name} hangs`);
  }

  private freshCompletions(): CompletionQueue<Taken> {
    const { completion } = this.options;
    return new CompletionQueue(this.context, completion, (done) => this.finish(done));
  }

  private get quiet(): boolean {
    return this.options.quietWhileBusy && this.completions.pending > 0;
  }

  /** Returns the buffers that are done and have no earlier buffer before them. */
  private inOrder(done: readonly Taken[]): Taken[] {
    for (const taken of done) this.done.add(taken);
    const ready: Taken[] = [];
    for (
      let next = this.order[0];
      next !== undefined && this.done.delete(next);
      next = this.order[0]
    ) {
      ready.push(next);
      this.order.shift();
    }
    return ready;
  }

  private giveBack(ring: Ring, handler: QueueHandler, done: readonly Taken[]): void {
    const { faults, context, options } = this;
    const { index, name } = options;
    let batch: Returned[] = [];
    const flush = () => {
      if (options.batches) ring.push(batch);
      else for (const one of batch) ring.push([one]);
      batch = [];
    };
    for (const taken of done) {
      const { head } = taken.chain;
      const fault = RING_FAULTS.find((one) => faults.strikes(one, index));
      // With a wrong id the device names another buffer, and this one stays in flight.
      const stays = fault === "used-id-out-of-range" || fault === "used-id-not-in-flight";
      const one = { taken, length: stays ? 0 : handler.returned(taken) };
      if (!stays) context.trace.add("queue", `${name} return`, { head });
      if (fault === undefined) {
        batch.push(one);
        continue;
      }
      flush();
      context.trace.add("fault", `${name}: ${fault}`, { head });
      ring.pushFaulty(fault, one);
    }
    flush();
  }
}

function featuresOf(packed: boolean, { layout }: Ring): RingFeatures {
  const { notifyOnEmpty, eventIdx, indirect, inOrder } = layout;
  return { packed, notifyOnEmpty, eventIdx, indirect, inOrder };
}
