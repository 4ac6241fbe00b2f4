/**
 * The raw driver on packed virtqueues.
 *
 * `describe` writes down what a buffer is made of, `offer` puts it into the ring: descriptors in
 * ring order, the buffer's id in the last of them, the first one's flags last. As for the raw
 * driver, it breaks no rule by itself.
 */
import { createMachine, type MachineOptions } from "../../../../src/device/index.ts";
import { FRAMES, RawDriver } from "./raw-driver.ts";

const AVAIL = 0x80;
const USED = 0x8000;

interface Part {
  address: number;
  length: number;
  flags: number;
  next: number;
}

export class PackedDriver extends RawDriver {
  private readonly parts = new Map<string, Part>();
  /** Descriptors of each buffer in flight, by queue and id. */
  private readonly counts = new Map<string, number>();
  /** Positions count two laps: the wrap counter is 1 on the first. */
  private readonly nextPosition = new Map<number, number>();

  override setUpQueue(n: number, enable = true): void {
    this.nextPosition.set(n, 0);
    super.setUpQueue(n, enable);
  }

  override describe(
    n: number,
    index: number,
    address: number,
    length: number,
    flags = 0,
    next = 0,
  ) {
    this.parts.set(`${n}:${index}`, { address, length, flags, next });
  }

  override offer(n: number, head: number): void {
    const list: Part[] = [];
    for (let at = head; ; at = list.at(-1)?.next ?? 0) {
      list.push(this.parts.get(`${n}:${at}`) as Part);
      if (((list.at(-1)?.flags ?? 0) & 1) === 0) break;
    }
    const first = this.position(n);
    for (let i = list.length - 1; i >= 0; i -= 1) {
      this.put(n, this.moved(n, first, i), list[i] as Part, head);
    }
    this.counts.set(`${n}:${head}`, list.length);
    this.remember(n, head);
    this.nextPosition.set(n, this.moved(n, first, list.length));
  }

  override collect(n: number): number[] {
    const ring = this.ring(n);
    const ids: number[] = [];
    for (;;) {
      const at = ring.desc + (ring.seen % ring.size) * 16;
      const wrap = ring.seen < ring.size;
      const flags = this.view.getUint16(at + 14, true);
      if (((flags & AVAIL) !== 0) !== wrap || ((flags & USED) !== 0) !== wrap) break;
      for (const id of this.upTo(n, this.view.getUint16(at + 12, true))) {
        ids.push(id);
        ring.seen = this.moved(n, ring.seen, this.counts.get(`${n}:${id}`) ?? 1);
      }
    }
    if (this.eventIdx) {
      this.view.setUint16(ring.driver, this.offset(n, ring.seen), true);
      this.view.setUint16(ring.driver + 2, 2, true);
    }
    return ids;
  }

  override notifyOffset(n: number): number {
    return this.offset(n, this.position(n));
  }

  /** Where the next descriptor goes. */
  position(n: number): number {
    return this.nextPosition.get(n) ?? 0;
  }

  /** Guest address of a slot. */
  slot(n: number, index: number): number {
    return this.ring(n).desc + index * 16;
  }

  moved(n: number, position: number, by: number): number {
    return (position + by) % (2 * this.ring(n).size);
  }

  /** Writes one descriptor at a position, available on its lap. */
  put(n: number, position: number, part: Part, id: number): void {
    const { size } = this.ring(n);
    const at = this.slot(n, position % size);
    this.view.setBigUint64(at, BigInt(part.address), true);
    this.view.setUint32(at + 8, part.length, true);
    this.view.setUint16(at + 12, id, true);
    this.view.setUint16(at + 14, part.flags | (position < size ? AVAIL : USED), true);
  }

  private offset(n: number, position: number): number {
    const { size } = this.ring(n);
    return (position % size) | (position < size ? 0x8000 : 0);
  }
}

/** A machine of 4 MiB that offers packed queues, and a driver for it. */
export function packedRig(options: Partial<MachineOptions> = {}): PackedDriver {
  const memory = new WebAssembly.Memory({ initial: (FRAMES * 4096) / 65536 });
  const offer = { packed: true, ...options.offer };
  const driver = new PackedDriver(createMachine({ memory, ...options, offer }), memory);
  driver.knows |= 1n << 34n;
  return driver;
}
