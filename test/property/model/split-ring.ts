/** A split virtqueue's driver side in plain TypeScript (virtio 1.3, 2.7). See ring.ts. */
import {
  FAULT_ID,
  FAULT_INDEX,
  FAULT_NOT_IN_FLIGHT,
  NOTHING,
  RingModel,
  type RingOptions,
} from "./ring.ts";

const DESCRIPTOR_BYTES = 16;
const USED_BYTES = 8;
const NO_NOTIFY = 1;

function cut16(index: number): number {
  return index & 0xffff;
}

function up(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Where the parts of a ring of `size` entries at 0 lie, and where the last one ends. */
export function layOut(size: number, alignment: number) {
  const driver = DESCRIPTOR_BYTES * size;
  const device = up(driver + 6 + 2 * size, alignment);
  return { driver, device, end: device + 6 + USED_BYTES * size };
}

export class SplitRingModel extends RingModel {
  readonly descriptorPtr: number;
  readonly driverPtr: number;
  readonly devicePtr: number;
  /** Shown by the device and not taken yet. */
  private ahead = 0;

  constructor(options: RingOptions) {
    super(options);
    const { ptr, size, alignment } = options;
    const { driver, device, end } = layOut(size, alignment);
    this.descriptorPtr = ptr;
    this.driverPtr = ptr + driver;
    this.devicePtr = ptr + device;
    this.clear(end);
  }

  nextPlace(): number {
    return cut16(this.posted);
  }

  protected write(id: number, address: number, bytes: number): void {
    const { view, size } = this;
    const head = this.inOrder ? this.posted % size : id;
    const descriptor = this.descriptorPtr + DESCRIPTOR_BYTES * head;
    view.setBigUint64(descriptor, BigInt(address), true);
    view.setUint32(descriptor + 8, bytes, true);
    view.setUint16(descriptor + 12, 0, true);
    view.setUint16(descriptor + 14, 0, true);
    view.setUint16(this.driverPtr + 4 + 2 * (this.posted % size), head, true);
  }

  protected show(): void {
    this.view.setUint16(this.driverPtr + 2, cut16(this.posted), true);
  }

  /** Virtio 1.3, 2.7.10. */
  protected isAwaited(before: number): boolean {
    const { view, size, devicePtr } = this;
    if (!this.hasEventIndex) return (view.getUint16(devicePtr, true) & NO_NOTIFY) === 0;
    const event = view.getUint16(devicePtr + 4 + USED_BYTES * size, true);
    for (let index = before; index < this.posted; index++) {
      if (cut16(index) === event) return true;
    }
    return false;
  }

  arm(after: number): boolean {
    const usedEvent = this.driverPtr + 4 + 2 * this.size;
    if (this.hasEventIndex) this.view.setUint16(usedEvent, cut16(this.taken + after), true);
    return this.usedIndex() !== cut16(this.taken);
  }

  private usedIndex(): number {
    return this.view.getUint16(this.devicePtr + 2, true);
  }

  protected returned(): number {
    if (this.ahead === 0) {
      const ahead = cut16(this.usedIndex() - this.taken);
      if (ahead === 0) return NOTHING;
      if (ahead > this.inFlight.length) return FAULT_INDEX;
      this.ahead = ahead;
    }
    const { size, taken } = this;
    const head = this.view.getUint32(this.devicePtr + 4 + USED_BYTES * (taken % size), true);
    if (!this.inOrder) return head < this.ids ? head : FAULT_ID;
    if (head >= size) return FAULT_ID;
    const older = (head + size - (taken % size)) % size;
    return this.inFlight[older] ?? FAULT_NOT_IN_FLIGHT;
  }

  protected coversNext(): boolean {
    return this.ahead > 0;
  }

  override take(): number {
    const id = super.take();
    if (id >= 0) this.ahead -= 1;
    return id;
  }
}
