/**
 * The queue registers of an MMIO device, version 2 (virtio 1.3, 4.2.2 and 4.2.3.2). Writes to them
 * take effect only while the selected queue is not ready.
 */

import type { Context } from "../judge/context.ts";
import { type AreaKey, judgeAreas, QUEUE_AREAS } from "../queue/queue-areas.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";
import type { Part } from "../snapshot/part.ts";
import { FEATURE, MMIO } from "../spec/numbers.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import type { RegisterMaker } from "./register-maker.ts";

const TWO_32 = 0x1_0000_0000;

const PLACES: Readonly<Record<AreaKey, { readonly name: string; readonly offset: number }>> = {
  descAddress: { name: "QueueDesc", offset: MMIO.queueDesc },
  driverAddress: { name: "QueueDriver", offset: MMIO.queueDriver },
  deviceAddress: { name: "QueueDevice", offset: MMIO.queueDevice },
};

/** Bits of `Virtqueue.written`: QueueNum, then the low and the high half of each area. */
const SIZE = 1;
const FIRST_HALF = 2;
const ALL = 0b111_1111;

/** The queue registers of either version. */
export interface QueueRegisters extends Part {
  readonly fields: readonly RegisterField[];
  /** The device was reset. */
  reset(): void;
  /** Judges that a cleared QueueReady was read back before the driver does `what`. */
  judgeReadBack(what: string): void;
}

export class MmioQueues implements QueueRegisters {
  readonly fields: readonly RegisterField[];
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly hasReset: boolean;
  private select = 0;
  /** The queue whose QueueReady was cleared and is not read back yet. */
  private unread: Virtqueue | undefined;

  /** `hasReset`: whether a device that offers RING_RESET has the register for it, too. */
  constructor(context: Context, virtio: VirtioDevice, make: RegisterMaker, hasReset: boolean) {
    this.context = context;
    this.virtio = virtio;
    this.hasReset = hasReset;
    this.fields = [...this.sizeFields(make), ...this.stateFields(make), ...this.areaFields(make)];
  }

  reset(): void {
    this.select = 0;
    this.unread = undefined;
  }

  save() {
    return { select: this.select, unread: this.unread?.index };
  }

  load({ select, unread }: ReturnType<MmioQueues["save"]>): void {
    this.select = select;
    this.unread = unread === undefined ? undefined : this.virtio.queues[unread];
  }

  judgeReadBack(what: string): void {
    if (this.unread === undefined) return;
    const { name } = this.unread.options;
    this.unread = undefined;
    const seen = `${name}: ${what}, and QueueReady was not read since it was cleared`;
    this.context.judge.breach("M-READY-READ-BACK", seen);
  }

  private sizeFields(make: RegisterMaker): RegisterField[] {
    return [
      make.writable("QueueSel", MMIO.queueSel, (value) => {
        this.select = value;
      }),
      make.readable("QueueNumMax", MMIO.queueNumMax, () => this.queue?.offeredSize ?? 0),
      make.writable("QueueNum", MMIO.queueNum, (value) => {
        const queue = this.settable("QueueNum");
        if (queue !== undefined && takeSize(this.context, queue, value)) queue.written |= SIZE;
      }),
    ];
  }

  private stateFields(make: RegisterMaker): RegisterField[] {
    return [
      make.both("QueueReady", MMIO.queueReady, {
        read: () => {
          this.unread = undefined;
          return this.queue?.showsEnabled ? 1 : 0;
        },
        write: (value) => this.writeReady(value),
      }),
      {
        ...make.both("QueueReset", MMIO.queueReset, {
          read: () => (this.queue?.readReset() ? 1 : 0),
          write: (value) => this.writeReset(value),
        }),
        // The register is there only once the feature was accepted (virtio 1.3, 4.2.2).
        exists: () => this.virtio.has(FEATURE.ringReset),
      },
    ];
  }

  private areaFields(make: RegisterMaker): RegisterField[] {
    return QUEUE_AREAS.flatMap(({ key }, part) => {
      const { name, offset } = PLACES[key];
      return ["Low", "High"].map((half, n) =>
        make.writable(`${name}${half}`, offset + 4 * n, (value) => {
          const queue = this.settable(`${name}${half}`);
          if (queue === undefined) return;
          queue.written |= FIRST_HALF << (2 * part + n);
          const low = queue[key] % TWO_32;
          queue[key] = n === 0 ? queue[key] - low + value : low + value * TWO_32;
        }),
      );
    });
  }

  private get queue(): Virtqueue | undefined {
    const queue = this.virtio.queues[this.select];
    return queue?.exists ? queue : undefined;
  }

  private existing(what: string): Virtqueue | undefined {
    const { queue } = this;
    if (queue !== undefined) return queue;
    const seen = `${what} of queue ${this.select}, which is not there`;
    this.context.judge.breach("M-QUEUE-ABSENT", seen);
    return undefined;
  }

  /** Returns the queue to set up; `undefined` when there is none or it is ready. */
  private settable(what: string): Virtqueue | undefined {
    const queue = this.existing(what);
    queue?.judgeReset(what);
    if (!queue?.enabled) return queue;
    this.context.judge.breach("M-QUEUE-BUSY", `${what} of ${queue.options.name}, which is ready`);
    return undefined;
  }

  private writeReady(value: number): void {
    const { context } = this;
    if (value > 1) {
      context.judge.breach("M-READY-VALUE", `queue ${this.select}: QueueReady ${value}`);
      return;
    }
    if (value === 0) {
      this.unread = this.existing("QueueReady");
      if (this.unread !== undefined && this.virtio.options.lapses.servesUnready) {
        this.unread.enabled = false;
        return;
      }
      this.unread?.stop();
      return;
    }
    const queue = this.settable("QueueReady");
    if (queue === undefined) return;
    if (queue.written === ALL) {
      if (judgeAreas(context, queue)) this.virtio.enableQueue(queue);
      return;
    }
    const seen = `${queue.options.name} is made ready before all of it is set`;
    context.judge.breach("M-QUEUE-UNSET", seen);
  }

  private writeReset(value: number): void {
    const queue = this.existing("QueueReset");
    if (queue === undefined) return;
    if (value === 1) {
      if (this.hasReset) queue.resetAlone();
      return;
    }
    this.context.judge.breach("M-RESET-VALUE", `${queue.options.name}: QueueReset ${value}`);
  }
}

/** Takes a write to QueueNum. Returns whether the value was a valid size. */
export function takeSize({ judge }: Context, queue: Virtqueue, value: number): boolean {
  const { offeredSize, packed, options } = queue;
  if (!(packed ? value > 0 : isPowerOfTwo(value))) {
    judge.breach("M-QUEUE-SIZE", `${options.name}: QueueNum ${value}`);
    return false;
  }
  if (value > offeredSize) {
    judge.breach("M-QUEUE-LARGER", `${options.name}: ${value}, QueueNumMax is ${offeredSize}`);
  }
  queue.size = Math.min(value, offeredSize);
  return true;
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
