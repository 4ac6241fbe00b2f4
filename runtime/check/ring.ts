/**
 * Rings that a check writes by hand: nothing keeps it from posting what no driver would post.
 * Layouts: virtio 1.3, 2.7 (split) and 2.8 (packed).
 */
import type { Bench } from "./bench.ts";

/** Flags of a descriptor (virtio 1.3, 2.7.5 and 2.8.13). */
export const DESC = { NEXT: 1, WRITE: 2, INDIRECT: 4, AVAIL: 0x80, USED: 0x8000 } as const;

/** A piece of memory in a buffer. */
export interface Part {
  readonly address: number;
  readonly length: number;
  /** Whether the device writes it. */
  readonly writable?: boolean;
}

/** A buffer that came back. */
export interface Used {
  readonly id: number;
  readonly length: number;
}

/** How a buffer is posted. */
export interface Posting {
  /** The parts from this one on stand in an indirect table. */
  readonly indirectFrom?: number;
  /** Whether the descriptor of the table is marked device-writable, which means nothing. */
  readonly strayWrite?: boolean;
}

/** What is not zero and no length: the device has to replace it. */
export const UNSET = 0xa5a5_a5a5;

/** One queue's ring. */
export interface Ring {
  readonly index: number;
  readonly size: number;
  readonly areas: readonly [descriptor: number, driver: number, device: number];
  /** Writes a buffer and shows it to the device; `notify` is another thing. Returns its id. */
  post(parts: readonly Part[], how?: Posting): number;
  /** Returns the next buffer that came back; undefined: none did. */
  takeUsed(): Used | undefined;
  /** Whether the driver wants interrupts: the plain way, without an event index. */
  wantInterrupts(wants: boolean): void;
  /** What comes with a notification when NOTIFICATION_DATA is negotiated. */
  readonly nextPlace: number;
}

/** Writes descriptors of an indirect table. */
function writeTable(bench: Bench, parts: readonly Part[], isPacked: boolean): number {
  const at = bench.take(16 * parts.length);
  parts.forEach((part, n) => {
    const isLast = n === parts.length - 1;
    const flags = (part.writable ? DESC.WRITE : 0) | (isLast || isPacked ? 0 : DESC.NEXT);
    writeDescriptor(bench, at + 16 * n, part, isPacked ? [0, flags] : [flags, isLast ? 0 : n + 1]);
  });
  return at;
}

/** The last two halves are flags and next in a split ring, id and flags in a packed one. */
export function writeDescriptor(
  { memory }: Bench,
  at: number,
  { address, length }: Part,
  halves: readonly [number, number],
): void {
  memory.write(at, 4, address % 2 ** 32);
  memory.write(at + 4, 4, Math.floor(address / 2 ** 32));
  memory.write(at + 8, 4, length);
  memory.write(at + 12, 2, halves[0]);
  memory.write(at + 14, 2, halves[1]);
}

/** The descriptors of a buffer in its queue: its parts, the last of which may be a table. */
function queued(bench: Bench, parts: readonly Part[], how: Posting, isPacked: boolean) {
  const { indirectFrom, strayWrite = false } = how;
  const plain = parts.slice(0, indirectFrom).map((part) => {
    return { part, flags: part.writable ? DESC.WRITE : 0 };
  });
  if (indirectFrom === undefined) return plain;
  const inTable = parts.slice(indirectFrom);
  const part = { address: writeTable(bench, inTable, isPacked), length: 16 * inTable.length };
  return [...plain, { part, flags: DESC.INDIRECT | (strayWrite ? DESC.WRITE : 0) }];
}

export class SplitRing implements Ring {
  readonly index: number;
  readonly size: number;
  readonly areas: readonly [number, number, number];
  private readonly bench: Bench;
  private nextFree = 0;
  private availIdx = 0;
  private usedSeen = 0;

  /** @param areas where its parts are. Default: anywhere. */
  constructor(bench: Bench, index: number, size: number, areas?: SplitRing["areas"]) {
    this.bench = bench;
    this.index = index;
    this.size = size;
    this.areas = areas ?? [
      bench.take(16 * size),
      bench.take(6 + 2 * size),
      bench.take(Math.ceil((6 + 8 * size) / 4) * 4),
    ];
    for (let n = 0; n < size; n++) {
      bench.memory.write(this.areas[2] + 4 + 8 * n, 4, UNSET);
      bench.memory.write(this.areas[2] + 8 + 8 * n, 4, UNSET);
    }
  }

  post(parts: readonly Part[], how: Posting = {}): number {
    const head = this.nextFree;
    const all = queued(this.bench, parts, how, false);
    all.forEach(({ part, flags }, n) => {
      const isLast = n === all.length - 1;
      const at = (head + n) % this.size;
      const next = (at + 1) % this.size;
      this.setDescriptor(at, part, isLast ? flags : flags | DESC.NEXT, isLast ? 0 : next);
    });
    this.nextFree = (head + all.length) % this.size;
    this.show(head);
    return head;
  }

  setDescriptor(n: number, part: Part, flags: number, next: number): void {
    writeDescriptor(this.bench, this.areas[0] + 16 * n, part, [flags, next]);
  }

  /** Puts a head into the available ring, whatever it is. */
  show(head: number): void {
    const { memory } = this.bench;
    memory.write(this.areas[1] + 4 + 2 * (this.availIdx % this.size), 2, head);
    this.availIdx = (this.availIdx + 1) & 0xffff;
    memory.write(this.areas[1] + 2, 2, this.availIdx);
  }

  /** Moves the available index, whatever is in the ring. */
  jump(by: number): void {
    this.availIdx = (this.availIdx + by) & 0xffff;
    this.bench.memory.write(this.areas[1] + 2, 2, this.availIdx);
  }

  get usedIdx(): number {
    return this.bench.memory.read(this.areas[2] + 2, 2);
  }

  takeUsed(): Used | undefined {
    if (this.usedIdx === this.usedSeen) return undefined;
    const at = this.areas[2] + 4 + 8 * (this.usedSeen % this.size);
    this.usedSeen = (this.usedSeen + 1) & 0xffff;
    const { memory } = this.bench;
    const used = { id: memory.read(at, 4), length: memory.read(at + 4, 4) };
    memory.write(at, 4, UNSET);
    memory.write(at + 4, 4, UNSET);
    return used;
  }

  wantInterrupts(wants: boolean): void {
    this.bench.memory.write(this.areas[1], 2, wants ? 0 : 1);
  }

  set usedEvent(value: number) {
    this.bench.memory.write(this.areas[1] + 4 + 2 * this.size, 2, value);
  }

  get usedFlags(): number {
    return this.bench.memory.read(this.areas[2], 2);
  }

  get nextPlace(): number {
    return this.availIdx;
  }
}

export class PackedRing implements Ring {
  readonly index: number;
  readonly size: number;
  readonly areas: readonly [number, number, number];
  private readonly bench: Bench;
  private nextSlot = 0;
  private wraps = true;
  private usedSlot = 0;
  private usedWraps = true;
  private nextId = 0;
  private readonly slotsOf = new Map<number, number>();

  constructor(bench: Bench, index: number, size: number) {
    this.bench = bench;
    this.index = index;
    this.size = size;
    this.areas = [bench.take(16 * size), bench.take(4), bench.take(4)];
  }

  post(parts: readonly Part[], how: Posting = {}): number {
    const id = this.nextId;
    this.nextId = (id + 1) % this.size;
    const all = queued(this.bench, parts, how, true);
    this.slotsOf.set(id, all.length);
    const first = { slot: this.nextSlot, flags: 0 };
    all.forEach(({ part, flags }, n) => {
      const lap = this.wraps ? DESC.AVAIL : DESC.USED;
      const whole = flags | lap | (n === all.length - 1 ? 0 : DESC.NEXT);
      const at = this.areas[0] + 16 * this.nextSlot;
      // The first descriptor's flags are written last: they show the whole buffer.
      if (n === 0) first.flags = whole;
      const before = this.bench.memory.read(at + 14, 2);
      writeDescriptor(this.bench, at, part, [id, n === 0 ? before : whole]);
      this.pass(1);
    });
    this.bench.memory.write(this.areas[0] + 16 * first.slot + 14, 2, first.flags);
    return id;
  }

  /** Leaves slots out, as a driver must not. */
  pass(count: number): void {
    this.nextSlot += count;
    if (this.nextSlot < this.size) return;
    this.nextSlot -= this.size;
    this.wraps = !this.wraps;
  }

  /** Shows a buffer of one descriptor in the slot behind the next one: there is a gap before it. */
  postBehindGap(part: Part): number {
    const at = this.areas[0] + 16 * (this.nextSlot + 1);
    writeDescriptor(this.bench, at, part, [this.size - 1, DESC.AVAIL]);
    return at;
  }

  takeUsed(): Used | undefined {
    const { memory } = this.bench;
    const at = this.areas[0] + 16 * this.usedSlot;
    const flags = memory.read(at + 14, 2);
    const isUsed = (flags & DESC.USED) !== 0;
    if (isUsed !== this.usedWraps || ((flags & DESC.AVAIL) !== 0) !== this.usedWraps)
      return undefined;
    const used = { id: memory.read(at + 12, 2), length: memory.read(at + 8, 4) };
    this.usedSlot += this.slotsOf.get(used.id) ?? 1;
    if (this.usedSlot >= this.size) {
      this.usedSlot -= this.size;
      this.usedWraps = !this.usedWraps;
    }
    return used;
  }

  wantInterrupts(wants: boolean): void {
    this.bench.memory.write(this.areas[1] + 2, 2, wants ? 0 : 1);
  }

  get nextPlace(): number {
    return this.nextSlot | (this.wraps ? 0x8000 : 0);
  }
}
