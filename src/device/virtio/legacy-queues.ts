/**
 * The queue registers of the interfaces from before virtio 1.0 (virtio 1.3, 2.7.2, 4.1.5.1.3.1 and
 * 4.2.4). A driver selects a queue, reads its size and places it by one page number, which reads 0
 * while the queue is not in use.
 */

import type { Context } from "../judge/context.ts";
import { judgeAreas, placeInOnePiece } from "../queue/queue-areas.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";
import type { RuleId } from "../spec/rules.ts";
import type { VirtioDevice } from "./virtio-device.ts";

export class LegacyQueues {
  /** The queue index that the driver selected. */
  selected = 0;
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly absentRule: RuleId;
  /** Queues whose size was read, and the page numbers of queues in use; both by queue index. */
  private sizesRead = new Set<number>();
  private numbers = new Map<number, number>();

  /** `absentRule` is the transport's rule against writes to a queue that does not exist. */
  constructor(context: Context, virtio: VirtioDevice, absentRule: RuleId) {
    this.context = context;
    this.virtio = virtio;
    this.absentRule = absentRule;
  }

  get queue(): Virtqueue | undefined {
    const queue = this.virtio.queues[this.selected];
    return queue?.exists ? queue : undefined;
  }

  reset(): void {
    this.selected = 0;
    this.sizesRead.clear();
    this.numbers.clear();
  }

  save() {
    const { selected, sizesRead, numbers } = this;
    return { selected, sizesRead: [...sizesRead], numbers: [...numbers] };
  }

  load({ selected, sizesRead, numbers }: ReturnType<LegacyQueues["save"]>): void {
    this.selected = selected;
    this.sizesRead = new Set(sizesRead);
    this.numbers = new Map(numbers);
  }

  /** Returns the size that the device offers: 0 where there is no queue. */
  readSize(): number {
    const { queue } = this;
    if (queue === undefined) return 0;
    this.sizesRead.add(queue.index);
    return queue.offeredSize;
  }

  /** Returns the queue's page number; 0 when it is not in use. */
  readNumber(): number {
    const { queue } = this;
    return (queue && this.numbers.get(queue.index)) ?? 0;
  }

  /** The queue starts at page `number` of `pageBytes` each; its used ring is aligned to `align`. */
  writeNumber(number: number, pageBytes: number, align: number): void {
    const queue = this.settable(number);
    if (queue === undefined) return;
    if (number === 0) {
      this.numbers.delete(queue.index);
      queue.reset();
      return;
    }
    const { judge } = this.context;
    const { name } = queue.options;
    if (!this.sizesRead.has(queue.index)) {
      judge.breach("L-SIZE-READ", `${name} is placed, and its size was not read`);
    }
    placeInOnePiece(queue, number * pageBytes, align);
    if (!judgeAreas(this.context, queue)) return;
    this.numbers.set(queue.index, number);
    this.virtio.enableQueue(queue);
  }

  /** Returns the selected queue for a write of its `what`; judges that it exists. */
  existing(what: string): Virtqueue | undefined {
    const { queue } = this;
    if (queue !== undefined) return queue;
    const seen = `${what} of queue ${this.selected}, which is not there`;
    this.context.judge.breach(this.absentRule, seen);
    return undefined;
  }

  /** Returns the queue to place or to stop; `undefined` when there is none or it is in use. */
  private settable(number: number): Virtqueue | undefined {
    const queue = this.existing("page number");
    if (queue === undefined || !queue.enabled) return queue;
    const seen = `${queue.options.name} is in use; its page number becomes ${number}`;
    this.context.judge.breach("L-QUEUE-MOVED", seen);
    return number === 0 ? queue : undefined;
  }
}
