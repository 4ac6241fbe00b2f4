/** A packed virtqueue's driver side in plain TypeScript (virtio 1.3, 2.8). See ring.ts. */
import { FAULT_ID, NOTHING, RingModel, type RingOptions } from "./ring.ts";

const DESCRIPTOR_BYTES = 16;
const AVAILABLE = 1 << 7;
const USED = 1 << 15;
const EVENTS_OFF = 1;
const EVENTS_AT_PLACE = 2;

export class PackedRingModel extends RingModel {
  readonly descriptorPtr: number;
  readonly driverPtr: number;
  readonly devicePtr: number;

  constructor(options: RingOptions) {
    super(options);
    this.descriptorPtr = options.ptr;
    this.driverPtr = options.ptr + DESCRIPTOR_BYTES * options.size;
    this.devicePtr = this.driverPtr + 4;
    this.clear(DESCRIPTOR_BYTES * options.size + 8);
  }

  private descriptorAt(index: number): number {
    return this.descriptorPtr + DESCRIPTOR_BYTES * (index % this.size);
  }

  /** Whether the lap that `index` is in counts as 1 (virtio 1.3, 2.8.1). */
  private wraps(index: number): boolean {
    return Math.floor(index / this.size) % 2 === 0;
  }

  private eventAt(index: number): number {
    return (index % this.size) | (this.wraps(index) ? 0x8000 : 0);
  }

  nextPlace(): number {
    return this.eventAt(this.posted);
  }

  protected write(id: number, address: number, bytes: number): void {
    const descriptor = this.descriptorAt(this.posted);
    this.view.setBigUint64(descriptor, BigInt(address), true);
    this.view.setUint32(descriptor + 8, bytes, true);
    this.view.setUint16(descriptor + 12, id, true);
  }

  protected show(before: number): void {
    for (let index = this.posted - 1; index >= before; index--) {
      const flags = this.wraps(index) ? AVAILABLE : USED;
      this.view.setUint16(this.descriptorAt(index) + 14, flags, true);
    }
  }

  /** Virtio 1.3, 2.8.10. */
  protected isAwaited(before: number): boolean {
    const flags = this.view.getUint16(this.devicePtr + 2, true) & 3;
    if (flags === EVENTS_OFF) return false;
    if (flags !== EVENTS_AT_PLACE || !this.hasEventIndex) return true;
    const event = this.view.getUint16(this.devicePtr, true);
    for (let index = before; index < this.posted; index++) {
      if (this.eventAt(index) === event) return true;
    }
    return false;
  }

  arm(after: number): boolean {
    if (this.hasEventIndex) {
      this.view.setUint16(this.driverPtr, this.eventAt(this.taken + after), true);
      this.view.setUint16(this.driverPtr + 2, EVENTS_AT_PLACE, true);
    }
    return this.isUsed();
  }

  private isUsed(): boolean {
    const flags = this.view.getUint16(this.descriptorAt(this.taken) + 14, true);
    const wanted = this.wraps(this.taken) ? AVAILABLE | USED : 0;
    return (flags & (AVAILABLE | USED)) === wanted;
  }

  protected returned(): number {
    if (this.inFlight.length === 0 || !this.isUsed()) return NOTHING;
    const id = this.view.getUint16(this.descriptorAt(this.taken) + 12, true);
    return id < this.ids ? id : FAULT_ID;
  }

  protected coversNext(): boolean {
    return true;
  }
}
