/**
 * One virtqueue of the device: its registers, its ring once enabled, and its way of returning.
 *
 * It must not know the balloon; a `QueueServant` does the work. Invariant: nothing is taken from or
 * written to guest memory unless the queue is enabled and live.
 */

import { type Completion, CompletionQueue } from "./completion.ts";
import type { Context } from "./context.ts";
import type { FaultBox } from "./faults.ts";
import { PackedRing } from "./packed-ring.ts";
import type { QueueRole } from "./queue-plan.ts";
import { type Returned, RING_LIES, type Ring, type Taken } from "./ring.ts";
import { SplitRing } from "./split-ring.ts";

/** What becomes of a buffer: returned by schedule, kept for later, or lost for ever. */
export type Fate = "return" | "hold" | "lose";

export interface QueueServant {
  /** Does what the buffer asks for. */
  serve(taken: Taken): Fate;
  /** The buffer is about to be returned. Gives the used length. */
  returned(taken: Taken): number;
}

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
  /** Where the guest's memory ends for ranges that are only named. */
  readonly reachBytes: number;
}

/** What was negotiated about rings. */
export interface RingFeatures {
  readonly packed: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
}

/** The device's ways out of a queue. */
export interface QueueExits {
  /** The driver wants to know that buffers came back. */
  interrupt(): void;
  /** The ring cannot be read any more. */
  broken(): void;
  /** Whether the device has stopped until it is reset, or cannot reach memory. */
  halted(): boolean;
}

export class DeviceQueue {
  options: QueueOptions;
  size: number;
  packed = false;
  enabled = false;
  descAddress = 0;
  driverAddress = 0;
  deviceAddress = 0;
  /** Which of the three addresses were written since the reset, as a bit mask. */
  written = 0;
  ring: Ring | undefined;
  servant: QueueServant | undefined;
  private readonly context: Context;
  private readonly exits: QueueExits;
  private readonly faults: FaultBox;
  private completions: CompletionQueue<Taken>;

  constructor(context: Context, options: QueueOptions, exits: QueueExits, faults: FaultBox) {
    this.context = context;
    this.options = options;
    this.exits = exits;
    this.faults = faults;
    this.size = this.offeredSize;
    this.completions = this.freshCompletions();
  }

  /** Becomes another queue, as numbering by accepted features makes it; only while not enabled. */
  become(options: QueueOptions, servant: QueueServant | undefined): void {
    this.completions.forget();
    this.options = options;
    this.servant = servant;
    this.size = this.offeredSize;
    this.completions = this.freshCompletions();
  }

  /** Features are settled: from now on the queue is of one kind. */
  settle(packed: boolean): void {
    this.packed = packed;
    this.size = this.offeredSize;
  }

  /** Entries that the driver may use: any number in a packed queue, else a power of two. */
  get offeredSize(): number {
    const { maxSize } = this.options;
    if (this.packed || maxSize === 0) return maxSize;
    return 2 ** Math.floor(Math.log2(maxSize));
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
    this.completions.forget();
  }

  enable({ packed, ...features }: RingFeatures): void {
    const { size, descAddress, driverAddress, deviceAddress } = this;
    const { name, reachBytes } = this.options;
    const addresses = { descAddress, driverAddress, deviceAddress };
    const layout = { name, size, ...addresses, ...features, reachBytes };
    this.enabled = true;
    this.ring = packed ? new PackedRing(this.context, layout) : new SplitRing(this.context, layout);
  }

  /** Takes and serves everything that is available. */
  process(): void {
    const { ring, servant } = this;
    if (ring === undefined || servant === undefined) return;
    const back: Taken[] = [];
    let lost = false;
    for (const taken of ring.take()) {
      const fate = servant.serve(taken);
      if (fate === "return") back.push(taken);
      if (fate === "lose") lost = true;
    }
    if (lost) this.context.trace.add("queue", `${this.options.name} loses a buffer`);
    if (ring.broken !== undefined) this.exits.broken();
    this.completions.add(back);
    ring.allowKicks(!this.quiet);
  }

  /** Returns buffers now, in this order, with one look at whether an interrupt is wanted. */
  finish(done: readonly Taken[]): void {
    const { ring, servant } = this;
    if (ring === undefined || servant === undefined || this.exits.halted()) return;
    ring.judgeOwnArea();
    for (const taken of done) ring.judgeUnchanged(taken);
    this.giveBack(ring, servant, done);
    const wanted = ring.publish();
    this.context.trace.add("queue", `${this.options.name} used`, { idx: ring.used });
    if (wanted) this.exits.interrupt();
    if (!this.options.quietWhileBusy) return;
    // Whoever asks for silence has to look again before it listens (virtio 1.3, 2.7.10).
    if (ring.waiting > 0) this.process();
    else ring.allowKicks(!this.quiet);
  }

  private freshCompletions(): CompletionQueue<Taken> {
    const { completion } = this.options;
    return new CompletionQueue(this.context, completion, (done) => this.finish(done));
  }

  private get quiet(): boolean {
    return this.options.quietWhileBusy && this.completions.pending > 0;
  }

  private giveBack(ring: Ring, servant: QueueServant, done: readonly Taken[]): void {
    const { index, name } = this.options;
    const { faults, context } = this;
    let batch: Returned[] = [];
    for (const taken of done) {
      const { head } = taken.chain;
      const lie = RING_LIES.find((one) => faults.strikes(one, index));
      if (lie === "used-id-out-of-range" || lie === "used-id-not-in-flight") {
        // The buffer itself stays in flight: the device speaks of another one.
        ring.push(batch);
        batch = [];
        ring.lie(lie, { taken, length: 0 });
      } else {
        batch.push({ taken, length: servant.returned(taken) });
        context.trace.add("queue", `${name} return`, { head });
      }
      if (lie === undefined) continue;
      context.trace.add("fault", `${name}: ${lie}`, { head });
      const one = batch.pop();
      ring.push(batch);
      batch = [];
      if (one !== undefined) ring.lie(lie, one);
    }
    ring.push(batch);
  }
}
