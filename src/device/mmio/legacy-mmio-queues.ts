/**
 * The queue registers of an MMIO device, version 1, and the guest's page size, by which QueuePFN
 * counts (virtio 1.3, 4.2.4).
 */

import type { Context } from "../judge/context.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";
import { MMIO } from "../spec/numbers.ts";
import { LegacyQueues } from "../virtio/legacy-queues.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import { isPowerOfTwo, type QueueRegisters, takeSize } from "./mmio-queues.ts";
import type { RegisterMaker } from "./register-maker.ts";

export class LegacyMmioQueues implements QueueRegisters {
  readonly fields: readonly RegisterField[];
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly queues: LegacyQueues;
  /** GuestPageSize, 0 until it is written. It belongs to the guest, so a reset keeps it. */
  private pageBytes = 0;
  /** Queues whose size is set, and the alignments that are set; both by queue index. */
  private sized = new Set<number>();
  private aligns = new Map<number, number>();

  constructor(context: Context, virtio: VirtioDevice, make: RegisterMaker) {
    this.context = context;
    this.virtio = virtio;
    this.queues = new LegacyQueues(context, virtio, "M-QUEUE-ABSENT");
    this.fields = this.makeFields(make);
  }

  reset(): void {
    this.queues.reset();
    this.sized.clear();
    this.aligns.clear();
  }

  save() {
    const { queues, pageBytes, sized, aligns } = this;
    return { queues: queues.save(), pageBytes, sized: [...sized], aligns: [...aligns] };
  }

  load({ queues, pageBytes, sized, aligns }: ReturnType<LegacyMmioQueues["save"]>): void {
    this.queues.load(queues);
    this.pageBytes = pageBytes;
    this.sized = new Set(sized);
    this.aligns = new Map(aligns);
  }

  /** This version has nothing to read back. */
  judgeReadBack(): void {}

  private makeFields(make: RegisterMaker): RegisterField[] {
    const { queues } = this;
    return [
      make.writable("GuestPageSize", MMIO.guestPageSize, (value) => this.writePageSize(value)),
      make.writable("QueueSel", MMIO.queueSel, (value) => {
        queues.selected = value;
      }),
      make.readable("QueueNumMax", MMIO.queueNumMax, () => {
        this.isFree("QueueNumMax", queues.queue);
        return queues.readSize();
      }),
      make.writable("QueueNum", MMIO.queueNum, (value) => {
        const queue = this.free("QueueNum");
        if (queue !== undefined && takeSize(this.context, queue, value))
          this.sized.add(queue.index);
      }),
      make.writable("QueueAlign", MMIO.queueAlign, (value) => {
        const queue = this.free("QueueAlign");
        if (queue === undefined) return;
        if (isPowerOfTwo(value)) this.aligns.set(queue.index, value);
        else this.context.judge.breach("M-QUEUE-ALIGN", `${queue.options.name}: ${value}`);
      }),
      make.both("QueuePFN", MMIO.queuePfn, {
        read: () => queues.readNumber(),
        write: (value) => this.writeNumber(value),
      }),
    ];
  }

  /** Returns the selected queue, if it exists and is not in use. */
  private free(what: string): Virtqueue | undefined {
    const queue = this.queues.existing(what);
    return this.isFree(what, queue) ? queue : undefined;
  }

  private isFree(what: string, queue: Virtqueue | undefined): boolean {
    if (!queue?.enabled) return true;
    this.context.judge.breach("M-QUEUE-BUSY", `${what} of ${queue.options.name}, which is in use`);
    return false;
  }

  private writePageSize(value: number): void {
    const { judge } = this.context;
    if (!isPowerOfTwo(value)) {
      judge.breach("M-PAGE-SIZE", `GuestPageSize ${value}`);
    } else if (this.virtio.queues.some(({ enabled }) => enabled)) {
      judge.breach("M-PAGE-SIZE", `GuestPageSize ${value} while a queue is in use`);
    } else {
      this.pageBytes = value;
    }
  }

  private writeNumber(value: number): void {
    const { judge } = this.context;
    const { queue } = this.queues;
    const align = queue && this.aligns.get(queue.index);
    if (value === 0 || queue === undefined || queue.enabled) {
      this.queues.writeNumber(value, this.pageBytes, align ?? 1);
    } else if (this.pageBytes === 0) {
      judge.breach("M-PAGE-SIZE", `${queue.options.name}: QueuePFN before any GuestPageSize`);
    } else if (align === undefined || !this.sized.has(queue.index)) {
      judge.breach("M-QUEUE-UNSET", `${queue.options.name} is placed before all of it is set`);
    } else {
      this.queues.writeNumber(value, this.pageBytes, align);
    }
  }
}
