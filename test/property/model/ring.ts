/**
 * The driver's side of a virtqueue once more, in plain TypeScript: what both kinds of ring share.
 *
 * It must share no code with the core. Indices are counted without a limit and cut only where they
 * meet memory, so that no wrap-around can be wrong twice in the same way.
 */
import { ModelTrap } from "./ledger.ts";

export const NOTHING = -1;
export const FAULT_INDEX = -2;
export const FAULT_ID = -3;
export const FAULT_NOT_IN_FLIGHT = -4;

/** The argument of queue_open, a bit each. */
export const EVENT_INDEX = 1;
export const PACKED = 2;
export const IN_ORDER = 4;

export interface RingOptions {
  readonly view: DataView;
  readonly ptr: number;
  readonly size: number;
  readonly ids: number;
  readonly features: number;
  readonly alignment: number;
}

export abstract class RingModel {
  abstract readonly descriptorPtr: number;
  abstract readonly driverPtr: number;
  abstract readonly devicePtr: number;
  /** Oldest first. */
  readonly inFlight: number[] = [];
  posted = 0;
  protected published = 0;
  protected taken = 0;
  protected readonly view: DataView;
  protected readonly size: number;
  protected readonly ids: number;
  protected readonly hasEventIndex: boolean;
  protected readonly inOrder: boolean;
  /** The one returned last is used next, as on a stack. */
  private readonly free: number[];
  /** With IN_ORDER: the last id of the batch that is being taken. */
  private batchEnd: number | undefined;

  constructor({ view, size, ids, features }: RingOptions) {
    this.view = view;
    this.size = size;
    this.ids = Math.min(ids, size);
    this.hasEventIndex = (features & EVENT_INDEX) !== 0;
    this.inOrder = (features & IN_ORDER) !== 0;
    this.free = Array.from({ length: this.ids }, (_, id) => id).reverse();
  }

  get nextId(): number | undefined {
    return this.free.at(-1);
  }

  post(address: number, bytes: number): void {
    const id = this.free.pop();
    if (id === undefined) throw new ModelTrap("no id is free");
    this.inFlight.push(id);
    this.write(id, address, bytes);
    this.posted += 1;
  }

  /** Shows the device what was posted. Whether it must be notified. */
  publish(): boolean {
    if (this.posted === this.published) return false;
    const before = this.published;
    this.show(before);
    this.published = this.posted;
    return this.isAwaited(before);
  }

  /** The next one that came back: its id, NOTHING, or a fault. */
  take(): number {
    if (this.batchEnd === undefined) {
      const id = this.returned();
      if (id < 0) return id;
      if (!this.inFlight.includes(id)) return FAULT_NOT_IN_FLIGHT;
      if (!this.inOrder) return this.pass(id);
      this.batchEnd = id;
    }
    if (!this.coversNext()) return FAULT_INDEX;
    const id = this.pass(this.inFlight[0] ?? Number.NaN);
    if (id === this.batchEnd) this.batchEnd = undefined;
    return id;
  }

  private pass(id: number): number {
    this.inFlight.splice(this.inFlight.indexOf(id), 1);
    this.free.push(id);
    this.taken += 1;
    return id;
  }

  protected clear(bytes: number): void {
    for (let at = 0; at < bytes; at++) this.view.setUint8(this.descriptorPtr + at, 0);
  }

  /** Where the next buffer will go, as NOTIFICATION_DATA has it. */
  abstract nextPlace(): number;
  abstract arm(after: number): boolean;
  /** Describes a buffer; it is shown later. */
  protected abstract write(id: number, address: number, bytes: number): void;
  /** Makes all buffers from the one numbered `before` on available. */
  protected abstract show(before: number): void;
  /** Whether the device waits for one of those. */
  protected abstract isAwaited(before: number): boolean;
  /** The id in the next used entry, NOTHING, or a fault. */
  protected abstract returned(): number;
  /** Whether what the device shows reaches to the next buffer of a batch. */
  protected abstract coversNext(): boolean;
}
