/**
 * The least that a device can be: it reads a ring from memory and gives buffers back.
 *
 * It must know nothing of the driver but where the three areas of the ring lie. It throws on
 * whatever no driver of a balloon may put on a page queue (virtio 1.3, 2.7.5, 2.7.13 and 5.5.6):
 * other than one device-readable descriptor, a PFN array that is empty, too long or does not
 * ascend, a page that is in flight already. Indices run on without a limit.
 */
import type { PageExports } from "./model/core.ts";

export interface PostedBuffer {
  /** What the device names it by: a head in a split ring, a buffer id in a packed one. */
  readonly id: number;
  readonly pfns: readonly number[];
}

export interface TinyDeviceOptions {
  readonly view: DataView;
  readonly core: PageExports;
  readonly queue: number;
  readonly size: number;
  /** Most PFNs that a buffer may hold. */
  readonly pfns: number;
  readonly eventIndex: boolean;
  readonly inOrder: boolean;
}

/** What decides about notifications: the ring's flags, and the index of the entry waited for. */
export interface Wish {
  readonly flags: number;
  readonly event: number;
}

/** One descriptor as read. `flags` without those that only make it available. */
interface Descriptor {
  readonly id: number;
  readonly address: number;
  readonly bytes: number;
  readonly flags: number;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the driver broke a rule: ${what}`);
}

export abstract class TinyDevice {
  /** Buffers that the device has, in the order of their arrival. */
  readonly held: PostedBuffer[] = [];
  /** Buffers read, and buffers given back, in all. */
  seen = 0;
  used = 0;
  protected readonly view: DataView;
  protected readonly size: number;
  protected readonly eventIndex: boolean;
  protected readonly inOrder: boolean;
  protected readonly descriptors: number;
  protected readonly driverArea: number;
  protected readonly deviceArea: number;
  protected wished: Wish = { flags: 0, event: 0 };
  private readonly pfns: number;
  /** Pages in flight that the driver will not have back before the device says so. */
  private readonly pages = new Set<number>();

  constructor({ view, core, queue, size, pfns, eventIndex, inOrder }: TinyDeviceOptions) {
    this.view = view;
    this.size = size;
    this.pfns = pfns;
    this.eventIndex = eventIndex;
    this.inOrder = inOrder;
    this.descriptors = core.queue_descriptor_area(queue) >>> 0;
    this.driverArea = core.queue_driver_area(queue) >>> 0;
    this.deviceArea = core.queue_device_area(queue) >>> 0;
  }

  /** How many buffers the driver has made available in all. */
  abstract get shown(): number;
  /** Where the driver asks to be interrupted next, as it stands in memory. */
  abstract get armedAt(): number;
  /** How the index of an entry stands in memory. */
  abstract eventOf(index: number): number;
  /** What the device wrote last about notifications. */
  abstract wish(wish: Wish): void;
  /** Whether it wants to be notified of the buffers from `before` up to `now`. */
  abstract wants(before: number, now: number): boolean;
  /** Makes visible what was put, true or not. */
  abstract show(index?: number): void;
  /** Writes a used entry, true or not, that stands for the next `buffers`. */
  abstract putUsed(id: number, buffers?: number): void;
  /** How many ids fit the field of a used entry. */
  abstract readonly fieldOfIds: number;
  /** Overwrites bytes that a device may write. */
  abstract scribble(offset: number, value: number): void;
  protected abstract descriptorAt(index: number): Descriptor;

  /** Reads all that is new. `untold`: the pages are the guest's already. */
  collect(untold = false): PostedBuffer[] {
    const { shown } = this;
    check(this.held.length + shown - this.seen <= this.size, "more buffers than entries");
    const buffers: PostedBuffer[] = [];
    for (; this.seen < shown; this.seen += 1) {
      const descriptor = this.descriptorAt(this.seen);
      const { id } = descriptor;
      check(!this.held.some((buffer) => buffer.id === id), `id ${id} is in flight already`);
      const buffer = { id, pfns: this.readPfns(descriptor) };
      if (!untold) this.own(buffer.pfns);
      this.held.push(buffer);
      buffers.push(buffer);
    }
    return buffers;
  }

  private readPfns({ address, bytes, flags }: Descriptor): number[] {
    check(flags === 0, "one direct, device-readable one");
    check(bytes > 0 && bytes % 4 === 0 && bytes <= 4 * this.pfns, `${bytes} bytes`);
    check(address % 4 === 0, `array at ${address}`);
    const pfns: number[] = [];
    for (let at = address; at < address + bytes; at += 4) pfns.push(this.view.getUint32(at, true));
    pfns.reduce((below, pfn) => {
      check(below < pfn, `PFN ${pfn} after ${below}`);
      return pfn;
    });
    return pfns;
  }

  private own(pfns: readonly number[]): void {
    for (const pfn of pfns) {
      check(!this.pages.has(pfn), `PFN ${pfn} is in flight already`);
      this.pages.add(pfn);
    }
  }

  /**
   * Takes the buffer at `index` out of the device's hands, and with IN_ORDER all before it, by one
   * used entry (virtio 1.3, 2.7.9 and 2.8.8); the driver learns of it by `show`.
   */
  finish(index: number): PostedBuffer {
    const done = this.inOrder ? this.held.splice(0, index + 1) : this.held.splice(index, 1);
    const last = done.at(-1);
    if (last === undefined) throw new Error(`the device has no buffer at ${index}`);
    for (const { pfns } of done) for (const pfn of pfns) this.pages.delete(pfn);
    this.putUsed(last.id, done.length);
    return last;
  }
}

export class TinySplitDevice extends TinyDevice {
  readonly fieldOfIds = 2 ** 32;

  get shown(): number {
    check(this.view.getUint16(this.driverArea, true) === 0, "avail.flags is not 0");
    const index = this.view.getUint16(this.driverArea + 2, true);
    return this.seen + ((index - this.seen) & 0xffff);
  }

  get armedAt(): number {
    return this.view.getUint16(this.driverArea + 4 + 2 * this.size, true);
  }

  eventOf(index: number): number {
    return index & 0xffff;
  }

  protected descriptorAt(index: number): Descriptor {
    const id = this.view.getUint16(this.driverArea + 4 + 2 * (index % this.size), true);
    check(id < this.size, `id ${id} is past the table`);
    // Virtio 1.3, 2.7.5: in order, descriptors are used in the table's order.
    if (this.inOrder) check(id === index % this.size, `head ${id} at index ${index}`);
    const at = this.descriptors + 16 * id;
    return {
      id,
      address: Number(this.view.getBigUint64(at, true)),
      bytes: this.view.getUint32(at + 8, true),
      flags: this.view.getUint16(at + 12, true),
    };
  }

  /** The length is nonsense on purpose: nobody may rely on it. */
  putUsed(id: number, buffers = 1): void {
    const entry = this.deviceArea + 4 + 8 * (this.used % this.size);
    this.view.setUint32(entry, id, true);
    this.view.setUint32(entry + 4, 0xdead_beef, true);
    this.used += buffers;
  }

  /** Writes used.idx. */
  show(index = this.used): void {
    this.view.setUint16(this.deviceArea + 2, index & 0xffff, true);
  }

  wish(wish: Wish): void {
    this.wished = wish;
    this.view.setUint16(this.deviceArea, wish.flags, true);
    this.view.setUint16(this.deviceArea + 4 + 8 * this.size, wish.event & 0xffff, true);
  }

  /** Virtio 1.3, 2.7.10: whether the entry waited for is among those just made available. */
  wants(before: number, now: number): boolean {
    const { flags, event } = this.wished;
    if (!this.eventIndex) return (flags & 1) === 0;
    return ((now - event - 1) & 0xffff) < now - before;
  }

  scribble(offset: number, value: number): void {
    this.view.setUint8(this.deviceArea + (offset % (6 + 8 * this.size)), value);
  }
}

const AVAILABLE = 1 << 7;
const USED = 1 << 15;
const EVENTS_AT_PLACE = 2;

export class TinyPackedDevice extends TinyDevice {
  readonly fieldOfIds = 2 ** 16;
  /** Used entries that are put and not shown: the index of each. */
  private readonly unshown: number[] = [];

  private place(index: number): number {
    return this.descriptors + 16 * (index % this.size);
  }

  private wrap(index: number): boolean {
    return Math.floor(index / this.size) % 2 === 0;
  }

  get shown(): number {
    let index = this.seen;
    for (; index < this.seen + this.size; index++) {
      const flags = this.view.getUint16(this.place(index) + 14, true);
      const isAvailable = ((flags & AVAILABLE) !== 0) === this.wrap(index);
      const isUsed = ((flags & USED) !== 0) === this.wrap(index);
      if (!isAvailable || isUsed) break;
    }
    return index;
  }

  get armedAt(): number {
    return this.view.getUint16(this.driverArea, true);
  }

  /** Virtio 1.3, 2.8.14: the place, and the wrap counter above it. */
  eventOf(index: number): number {
    return (index % this.size) + (this.wrap(index) ? 0x8000 : 0);
  }

  protected descriptorAt(index: number): Descriptor {
    const at = this.place(index);
    return {
      id: this.view.getUint16(at + 12, true),
      address: Number(this.view.getBigUint64(at, true)),
      bytes: this.view.getUint32(at + 8, true),
      flags: this.view.getUint16(at + 14, true) & ~(AVAILABLE | USED),
    };
  }

  putUsed(id: number, buffers = 1): void {
    const at = this.place(this.used);
    this.view.setUint16(at + 12, id, true);
    this.view.setUint32(at + 8, 0xdead_beef, true);
    this.unshown.push(this.used);
    this.used += buffers;
  }

  show(index?: number): void {
    const shown = index === undefined ? this.unshown.splice(0) : [index - 1];
    for (const one of shown) {
      const flags = this.wrap(one) ? AVAILABLE | USED : 0;
      this.view.setUint16(this.place(one) + 14, flags, true);
    }
  }

  /** An index before the first lap names a place that the ring has not come to yet. */
  wish({ flags, event }: Wish): void {
    this.wished = { flags, event: Math.max(0, event) };
    this.view.setUint16(this.deviceArea, this.eventOf(this.wished.event), true);
    this.view.setUint16(this.deviceArea + 2, flags, true);
  }

  /** Virtio 1.3, 2.8.14. Flags 3 are reserved: better once too often. */
  wants(before: number, now: number): boolean {
    const { flags, event } = this.wished;
    if ((flags & 3) === 1) return false;
    if ((flags & 3) !== EVENTS_AT_PLACE || !this.eventIndex) return true;
    const wanted = this.eventOf(event);
    for (let index = before; index < now; index++) if (this.eventOf(index) === wanted) return true;
    return false;
  }

  scribble(offset: number, value: number): void {
    const at = offset % (16 * this.size + 4);
    // The device area is four bytes behind the descriptors: between them is the driver's.
    this.view.setUint8(this.descriptors + (at < 16 * this.size ? at : at + 4), value);
  }
}
