/**
 * The least that a device can be: it reads a split ring from memory and gives buffers back.
 *
 * It must know nothing of the driver but where the three areas of the ring lie. Invariant: it
 * throws on whatever no driver of a balloon may put on a page queue (virtio 1.3, 2.7.5, 2.7.13 and
 * 5.5.6): other than one device-readable descriptor, a PFN array that is empty, too long or does
 * not ascend, a page that is in flight already.
 */
import type { PageExports } from "../../runtime/core.ts";

export interface PostedBuffer {
  readonly id: number;
  readonly pfns: readonly number[];
}

interface Areas {
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
}

export interface TinyDeviceOptions {
  readonly view: DataView;
  readonly core: PageExports;
  readonly queue: number;
  readonly size: number;
  /** Most PFNs that a buffer may hold. */
  readonly pfns: number;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the driver broke a rule: ${what}`);
}

export class TinyDevice {
  /** Buffers that the device has, in the order of their arrival. */
  readonly held: PostedBuffer[] = [];
  /** avail.idx as last seen, and the number of entries seen in all. */
  seen = 0;
  used = 0;
  private readonly view: DataView;
  private readonly size: number;
  private readonly pfns: number;
  private readonly areas: Areas;
  /** Pages in flight that the driver will not have back before the device says so. */
  private readonly pages = new Set<number>();

  constructor({ view, core, queue, size, pfns }: TinyDeviceOptions) {
    this.view = view;
    this.size = size;
    this.pfns = pfns;
    this.areas = {
      descriptor: core.queue_descriptor_area(queue) >>> 0,
      driver: core.queue_driver_area(queue) >>> 0,
      device: core.queue_device_area(queue) >>> 0,
    };
  }

  get availIndex(): number {
    return this.view.getUint16(this.areas.driver + 2, true);
  }

  get availFlags(): number {
    return this.view.getUint16(this.areas.driver, true);
  }

  /** Where the driver asks to be interrupted next. */
  get usedEvent(): number {
    return this.view.getUint16(this.areas.driver + 4 + 2 * this.size, true);
  }

  /** Reads all that is new in the driver area. `untold`: the pages are the guest's already. */
  collect(untold = false): PostedBuffer[] {
    const fresh = (this.availIndex - this.seen) & 0xffff;
    check(this.held.length + fresh <= this.size, "more buffers than entries");
    const buffers: PostedBuffer[] = [];
    for (let i = 0; i < fresh; i++) {
      const entry = this.areas.driver + 4 + 2 * (this.seen % this.size);
      const id = this.view.getUint16(entry, true);
      check(!this.held.some((buffer) => buffer.id === id), `id ${id} is in flight already`);
      const buffer = { id, pfns: this.readPfns(id) };
      if (!untold) this.own(buffer.pfns);
      this.held.push(buffer);
      buffers.push(buffer);
      this.seen = (this.seen + 1) & 0xffff;
    }
    return buffers;
  }

  private readPfns(id: number): number[] {
    check(id < this.size, `id ${id} is past the table`);
    const descriptor = this.areas.descriptor + 16 * id;
    const address = Number(this.view.getBigUint64(descriptor, true));
    const bytes = this.view.getUint32(descriptor + 8, true);
    check(this.view.getUint16(descriptor + 12, true) === 0, "one direct, device-readable one");
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

  /** Takes the buffer at `index` out of the device's hands; the driver learns of it by `show`. */
  finish(index: number): PostedBuffer {
    const [buffer] = this.held.splice(index, 1);
    if (buffer === undefined) throw new Error(`the device has no buffer at ${index}`);
    for (const pfn of buffer.pfns) this.pages.delete(pfn);
    this.putUsed(buffer.id);
    return buffer;
  }

  /** Writes a used entry, true or not. The length is nonsense on purpose: nobody may rely on it. */
  putUsed(id: number): void {
    const entry = this.areas.device + 4 + 8 * (this.used % this.size);
    this.view.setUint32(entry, id, true);
    this.view.setUint32(entry + 4, 0xdead_beef, true);
    this.used = (this.used + 1) & 0xffff;
  }

  /** Writes used.idx, true or not. */
  show(index = this.used): void {
    this.view.setUint16(this.areas.device + 2, index, true);
  }

  /** What decides about notifications: used.flags and avail_event. */
  wish({ flags, event }: { readonly flags: number; readonly event: number }): void {
    this.view.setUint16(this.areas.device, flags, true);
    this.view.setUint16(this.areas.device + 4 + 8 * this.size, event, true);
  }

  /** Overwrites bytes of the device area, the only one that a device may write. */
  scribble(offset: number, value: number): void {
    const bytes = 6 + 8 * this.size;
    this.view.setUint8(this.areas.device + (offset % bytes), value);
  }
}
