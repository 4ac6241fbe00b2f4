/**
 * Which MSI-X vector each event of a virtio device has (virtio 1.3, 4.1.5.1.2). A register reads
 * NO_VECTOR when its event has none or was refused one.
 */

import type { Context } from "../judge/context.ts";
import type { Virtqueue } from "../queue/virtqueue.ts";
import { NO_VECTOR } from "../spec/numbers.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import type { MsixTable } from "./msix-table.ts";

/** The key of a change of the configuration; queues have their index. */
const CONFIG_EVENT = -1;

/** A queue's used buffers, or with `undefined` a change of the configuration. */
type Event = Virtqueue | undefined;

export class MsixVectors {
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly table: MsixTable | undefined;
  /** The vector of each event that has one, by `keyOf`. */
  private mapped = new Map<number, number>();
  /** Events that were mapped and whose register was not read back yet. */
  private unread = new Set<number>();

  constructor(context: Context, virtio: VirtioDevice, table: MsixTable | undefined) {
    this.context = context;
    this.virtio = virtio;
    this.table = table;
  }

  /** Whether the device sends messages instead of raising its line. */
  get enabled(): boolean {
    return this.table?.enabled ?? false;
  }

  /** The device is reset: no event has a vector (4.1.5.1.2.1). */
  reset(): void {
    this.mapped.clear();
    this.unread.clear();
  }

  /** The queue is reset by itself. */
  forget(queue: Virtqueue): void {
    this.mapped.delete(queue.index);
    this.unread.delete(queue.index);
  }

  save() {
    return { mapped: [...this.mapped], unread: [...this.unread] };
  }

  load({ mapped, unread }: ReturnType<MsixVectors["save"]>): void {
    this.mapped = new Map(mapped);
    this.unread = new Set(unread);
  }

  /** The register `config_msix_vector`. */
  configField(offset: number): RegisterField {
    return {
      name: "config_msix_vector",
      offset,
      width: 2,
      read: () => this.read(undefined),
      write: (vector) => this.map(undefined, vector),
    };
  }

  /** The register `queue_msix_vector` of the queue that is selected; `settable` is asked first. */
  queueField(offset: number, ways: QueueWays): RegisterField {
    return {
      name: "queue_msix_vector",
      offset,
      width: 2,
      read: () => {
        const queue = ways.queue();
        return queue === undefined ? NO_VECTOR : this.read(queue);
      },
      write: (vector) => {
        const queue = ways.settable();
        if (queue !== undefined) this.map(queue, vector);
      },
    };
  }

  /** Sends the message of an event. Returns false when MSI-X is off and the device has its line. */
  signal(event: Event): boolean {
    if (!this.enabled) return false;
    const vector = this.mapped.get(keyOf(event));
    if (vector !== undefined) this.table?.raise(vector);
    return true;
  }

  /** Judges that a queue's vector was read back before the queue is used. */
  judgeRead(event: Event): void {
    if (!this.unread.delete(keyOf(event))) return;
    const seen = `${nameOf(event)}: a vector was written and not read back`;
    this.context.judge.breach("P-MSIX-READ-BACK", seen);
  }

  /** The ISR status is read. */
  judgeIsr(): void {
    if (!this.enabled) return;
    this.context.judge.breach("P-MSIX-ISR", "the ISR status is read while MSI-X is enabled");
  }

  /** The driver is at rest. */
  judgeRest(): void {
    if (!this.table?.hasPending) return;
    this.context.judge.breach("P-MSIX-PENDING", "a message waits behind a mask");
  }

  /** The driver has set DRIVER_OK. */
  judgeStart(): void {
    for (const key of [...this.unread]) this.judgeRead(this.virtio.queues[key]);
    if (!this.enabled || this.mapped.size > 0) return;
    this.context.judge.breach("P-MSIX-LEFT-ON", "MSI-X is enabled and no event has a vector");
  }

  private read(event: Event): number {
    this.unread.delete(keyOf(event));
    return this.mapped.get(keyOf(event)) ?? NO_VECTOR;
  }

  private map(event: Event, vector: number): void {
    const key = keyOf(event);
    this.mapped.delete(key);
    this.unread.delete(key);
    if (vector === NO_VECTOR) return;
    const { judge } = this.context;
    const what = nameOf(event);
    const vectors = this.table?.vectors ?? 0;
    if (vector >= vectors) {
      judge.breach("P-MSIX-VECTOR", `${what}: vector ${vector}, there are ${vectors}`);
      return;
    }
    if (!this.enabled) judge.breach("P-MSIX-ORDER", `${what}: vector ${vector}, MSI-X is off`);
    this.unread.add(key);
    if (this.virtio.faults.strikes("vector-refused", key)) {
      this.context.trace.add("fault", `${what}: vector ${vector} is refused`);
      return;
    }
    this.mapped.set(key, vector);
  }
}

function keyOf(event: Event): number {
  return event?.index ?? CONFIG_EVENT;
}

function nameOf(event: Event): string {
  return event?.options.name ?? "configuration";
}

interface QueueWays {
  /** The queue that is selected. */
  queue(): Virtqueue | undefined;
  /** The same, for a write: judges it, and returns `undefined` when it comes too late. */
  settable(): Virtqueue | undefined;
}
