/**
 * The driver's side of a split virtqueue once more, in plain TypeScript (virtio 1.3, 2.7).
 *
 * It must share no code with the core. Invariant: indices are counted without a limit and cut to 16
 * bits only where they meet memory, so that no wrap-around can be wrong twice in the same way.
 */
import { ModelTrap } from "./ledger.ts";

export const NOTHING = -1;
export const FAULT_INDEX = -2;
export const FAULT_ID = -3;
export const FAULT_NOT_IN_FLIGHT = -4;

const DESCRIPTOR_BYTES = 16;
const USED_BYTES = 8;
const NO_NOTIFY = 1;

export function cut16(index: number): number {
  return index & 0xffff;
}

function up(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Where the three parts of a ring of `size` entries at 0 lie, and where the last one ends. */
export function layOut(size: number, alignment: number) {
  const driver = DESCRIPTOR_BYTES * size;
  const device = up(driver + 6 + 2 * size, alignment);
  return { driver, device, end: device + 6 + USED_BYTES * size };
}

export interface RingOptions {
  readonly view: DataView;
  readonly ptr: number;
  readonly size: number;
  readonly ids: number;
  readonly eventIndex: boolean;
  readonly alignment: number;
  fence(): void;
}

export class RingModel {
  readonly descriptorPtr: number;
  readonly driverPtr: number;
  readonly devicePtr: number;
  readonly inFlight = new Set<number>();
  /** The one returned last is used next, as on a stack. */
  private readonly free: number[];
  private readonly options: RingOptions;
  posted = 0;
  private published = 0;
  private taken = 0;

  constructor(options: RingOptions) {
    const { view, ptr, size, ids, alignment } = options;
    const { driver, device, end } = layOut(size, alignment);
    this.options = options;
    this.descriptorPtr = ptr;
    this.driverPtr = ptr + driver;
    this.devicePtr = ptr + device;
    this.free = Array.from({ length: Math.min(ids, size) }, (_, id) => id).reverse();
    for (let at = ptr; at < ptr + end; at++) view.setUint8(at, 0);
  }

  get nextId(): number | undefined {
    return this.free.at(-1);
  }

  post(address: number, bytes: number): void {
    const { view, size } = this.options;
    const id = this.free.pop();
    if (id === undefined) throw new ModelTrap("no id is free");
    this.inFlight.add(id);
    const descriptor = this.descriptorPtr + DESCRIPTOR_BYTES * id;
    view.setBigUint64(descriptor, BigInt(address), true);
    view.setUint32(descriptor + 8, bytes, true);
    view.setUint16(descriptor + 12, 0, true);
    view.setUint16(descriptor + 14, 0, true);
    view.setUint16(this.driverPtr + 4 + 2 * (this.posted % size), id, true);
    this.posted += 1;
  }

  /** Notifies when the entry that the device named is among the new ones (virtio 1.3, 2.7.10). */
  publish(): boolean {
    const { view, size, eventIndex, fence } = this.options;
    if (this.posted === this.published) return false;
    const before = this.published;
    fence();
    view.setUint16(this.driverPtr + 2, cut16(this.posted), true);
    this.published = this.posted;
    fence();
    if (!eventIndex) return (view.getUint16(this.devicePtr, true) & NO_NOTIFY) === 0;
    const event = view.getUint16(this.devicePtr + 4 + USED_BYTES * size, true);
    for (let index = before; index < this.posted; index++) {
      if (cut16(index) === event) return true;
    }
    return false;
  }

  arm(after: number): boolean {
    const { view, size, eventIndex, fence } = this.options;
    if (eventIndex) {
      view.setUint16(this.driverPtr + 4 + 2 * size, cut16(this.taken + after), true);
    }
    fence();
    return this.usedIndex() !== cut16(this.taken);
  }

  private usedIndex(): number {
    return this.options.view.getUint16(this.devicePtr + 2, true);
  }

  /** How many came back, or a fault. */
  returned(): number {
    const ahead = cut16(this.usedIndex() - this.taken);
    this.options.fence();
    return ahead > this.inFlight.size ? FAULT_INDEX : ahead;
  }

  /** The id of the next one, or a fault. */
  take(): number {
    const { view, size, ids } = this.options;
    const entry = this.devicePtr + 4 + USED_BYTES * (this.taken % size);
    const id = view.getUint32(entry, true);
    if (id >= Math.min(ids, size)) return FAULT_ID;
    if (!this.inFlight.delete(id)) return FAULT_NOT_IN_FLIGHT;
    this.free.push(id);
    this.taken += 1;
    return id;
  }
}
