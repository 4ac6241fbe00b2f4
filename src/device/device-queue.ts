/**
 * One virtqueue of the device: its registers, its ring once enabled, and its way of returning.
 *
 * It must not know the balloon; a `QueueServant` does the work. Invariant: nothing is taken from or
 * written to guest memory unless the queue is enabled and live.
 */

import { type Completion, CompletionQueue } from "./completion.ts";
import type { Context } from "./context.ts";
import type { FaultBox } from "./faults.ts";
import type { QueueRole } from "./queue-plan.ts";
import type { Taken } from "./ring.ts";
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
  readonly maxSize: number;
  readonly notifyOff: number;
  readonly completion: Completion;
  /** Whether the device asks for no notifications while it still has buffers to return. */
  readonly quietWhileBusy: boolean;
  /** Where the guest's memory ends for ranges that are only named. */
  readonly reachBytes: number;
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
  enabled = false;
  descAddress = 0;
  driverAddress = 0;
  deviceAddress = 0;
  /** Which of the three addresses were written since the reset, as a bit mask. */
  written = 0;
  ring: SplitRing | undefined;
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
    this.size = options.maxSize;
    this.completions = this.freshCompletions();
  }

  /** Becomes another queue, as numbering by accepted features makes it; only while not enabled. */
  become(options: QueueOptions, servant: QueueServant | undefined): void {
    this.completions.forget();
    this.options = options;
    this.servant = servant;
    this.size = options.maxSize;
    this.completions = this.freshCompletions();
  }

  get exists(): boolean {
    return this.options.maxSize > 0;
  }

  reset(): void {
    this.size = this.options.maxSize;
    this.enabled = false;
    this.descAddress = 0;
    this.driverAddress = 0;
    this.deviceAddress = 0;
    this.written = 0;
    this.ring = undefined;
    this.completions.forget();
  }

  enable(eventIdx: boolean, indirect: boolean): void {
    const { size, descAddress, driverAddress, deviceAddress } = this;
    const { name, reachBytes } = this.options;
    const addresses = { descAddress, driverAddress, deviceAddress };
    const layout = { name, size, ...addresses, eventIdx, indirect, reachBytes };
    this.enabled = true;
    this.ring = new SplitRing(this.context, layout);
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
    for (const taken of done) {
      ring.judgeUnchanged(taken);
      this.giveBack(ring, servant, taken);
    }
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

  private giveBack(ring: SplitRing, servant: QueueServant, taken: Taken): void {
    const { head } = taken.chain;
    const { index, name } = this.options;
    const { faults, context } = this;
    if (faults.strikes("used-id-out-of-range", index)) {
      context.trace.add("fault", `${name} returns id ${ring.layout.size + 7} for ${head}`);
      ring.pushUsed(ring.layout.size + 7, 0);
      return;
    }
    if (faults.strikes("used-id-not-in-flight", index)) {
      const id = idleHead(ring);
      context.trace.add("fault", `${name} returns idle id ${id} for ${head}`);
      ring.pushUsed(id, 0);
      return;
    }
    const length = servant.returned(taken);
    ring.inFlight.delete(head);
    if (faults.strikes("used-idx-back", index)) {
      context.trace.add("fault", `${name} moves used idx back`);
      ring.skipUsed(-1);
      return;
    }
    ring.pushUsed(head, length);
    context.trace.add("queue", `${name} return`, { head });
    if (faults.strikes("used-id-twice", index)) {
      context.trace.add("fault", `${name} returns id ${head} again`);
      ring.pushUsed(head, length);
    }
    if (faults.strikes("used-idx-jump", index)) {
      context.trace.add("fault", `${name} lets used idx jump`);
      ring.skipUsed(ring.layout.size + 1);
    }
  }
}

/** A head that is not in flight; when all are, one beyond the table, which lies just as well. */
function idleHead(ring: SplitRing): number {
  for (let id = 0; id < ring.layout.size; id += 1) {
    if (!ring.inFlight.has(id)) return id;
  }
  return ring.layout.size;
}
