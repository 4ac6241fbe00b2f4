/**
 * A driver as small and as literal as can be, to poke the device with.
 *
 * Each step is a method, so that a test can leave one out or bend it. Used as `bringUp` and the
 * helpers use it, it breaks no rule.
 *
 * Guest memory: rings of queues 0 to 2 from 0x1000, arrays from 0x20000, rings of queues 3 and 4
 * from 0x80000, pages to give away from frame 256 on.
 */
import {
  type BalloonHost,
  createMachine,
  type Machine,
  type MachineHal,
  type MachineOptions,
} from "../../../../src/device/index.ts";

export const FRAMES = 1024;
export const FIRST_FRAME = 256;
const ARRAYS = 0x20000;

/** What it writes to poison_val. */
export const POISON = 0xaaaaaaaa;

type Width = 1 | 2 | 4;

/** Offset and width of the common configuration's fields. */
export const FIELD = {
  offerSelect: [0, 4],
  offer: [4, 4],
  featureSelect: [8, 4],
  features: [12, 4],
  configVector: [16, 2],
  numQueues: [18, 2],
  status: [20, 1],
  generation: [21, 1],
  queueSelect: [22, 2],
  queueSize: [24, 2],
  queueVector: [26, 2],
  queueEnable: [28, 2],
  queueNotifyOff: [30, 2],
  desc: [32, 4],
  descHigh: [36, 4],
  driver: [40, 4],
  driverHigh: [44, 4],
  device: [48, 4],
  deviceHigh: [52, 4],
  queueReset: [58, 2],
} as const satisfies Record<string, readonly [number, Width]>;

interface Structure {
  kind: "io" | "memory";
  base: number;
}

interface Ring {
  size: number;
  desc: number;
  driver: number;
  device: number;
  notifyOff: number;
  idx: number;
  seen: number;
  order: number[];
}

export class RawDriver<Of extends BalloonHost & { readonly hal: MachineHal } = Machine> {
  readonly machine: Of;
  readonly memory: WebAssembly.Memory;
  readonly rings: Ring[] = [];
  readonly structures = new Map<number, Structure>();
  bdf = 0;
  multiplier = 0;
  eventIdx = false;
  actual = 0;
  /** Feature bits that it accepts where they are offered. */
  knows = (1n << 28n) | (1n << 29n) | (1n << 32n) | 7n;
  /** Queues that it sets up, from 0 on. */
  queues = 3;
  accepted = 0n;

  constructor(machine: Of, memory: WebAssembly.Memory) {
    this.machine = machine;
    this.memory = memory;
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  configRead(offset: number, width: Width = 4, bdf = this.bdf): number {
    this.machine.hal.portWrite(0xcf8, 4, (0x80000000 + bdf * 256 + (offset & 0xfc)) >>> 0);
    return this.machine.hal.portRead(0xcfc + (offset & 3), width);
  }

  configWrite(offset: number, width: Width, value: number, bdf = this.bdf): void {
    this.machine.hal.portWrite(0xcf8, 4, (0x80000000 + bdf * 256 + (offset & 0xfc)) >>> 0);
    this.machine.hal.portWrite(0xcfc + (offset & 3), width, value);
  }

  /** Where the balloon is on bus 0 and 1, by its ids. */
  find(): number {
    for (let bdf = 0; bdf < 512; bdf += 1) {
      const id = this.configRead(0, 4, bdf);
      if (id === 0x10451af4 || id === 0x10021af4) return bdf;
    }
    return 0;
  }

  /** MSI-X was switched on or off, which moves the configuration of some devices. */
  movesConfig(_isOn: boolean): void {}

  /** Finds the balloon by its ids, and its structures by its capabilities. */
  discover(): void {
    this.bdf = this.find();
    for (let at = this.configRead(0x34, 1); at !== 0; at = this.configRead(at + 1, 1)) {
      const type = this.configRead(at, 1) === 9 ? this.configRead(at + 3, 1) : 0xff;
      const bar = this.configRead(at + 4, 1);
      if (type > 4 || bar > 5 || this.structures.has(type)) continue;
      const low = this.configRead(0x10 + bar * 4);
      const kind = low & 1 ? "io" : "memory";
      let base = kind === "io" ? low - (low % 4) : low - (low % 16);
      if ((low & 7) === 4) base += this.configRead(0x14 + bar * 4) * 2 ** 32;
      this.structures.set(type, { kind, base: base + this.configRead(at + 8) });
      if (type === 2) this.multiplier = this.configRead(at + 16);
    }
    this.configWrite(4, 2, this.configRead(4, 2) | 7);
  }

  read(type: number, offset: number, width: Width): number {
    const { kind, base } = this.structures.get(type) as Structure;
    const { hal } = this.machine;
    return kind === "io" ? hal.portRead(base + offset, width) : hal.mmioRead(base + offset, width);
  }

  write(type: number, offset: number, width: Width, value: number): void {
    const { kind, base } = this.structures.get(type) as Structure;
    const { hal } = this.machine;
    if (kind === "io") hal.portWrite(base + offset, width, value);
    else hal.mmioWrite(base + offset, width, value);
  }

  get(field: keyof typeof FIELD): number {
    const [offset, width] = FIELD[field];
    return this.read(1, offset, width);
  }

  set(field: keyof typeof FIELD, value: number): void {
    const [offset, width] = FIELD[field];
    this.write(1, offset, width, value);
  }

  /** Everything from reset to DRIVER_OK, by the book. `leaveOut` are bits not to accept. */
  bringUp(leaveOut: readonly number[] = []): this {
    this.discover();
    this.reset();
    this.negotiate(leaveOut);
    this.setUpQueues();
    this.start();
    return this;
  }

  reset(): void {
    this.set("status", 0);
    while (this.get("status") !== 0);
    this.rings.length = 0;
    this.actual = 0;
  }

  /** Accepts what it knows of the offer, sets FEATURES_OK and reads it back. Returns that read. */
  negotiate(leaveOut: readonly number[] = [], add: readonly number[] = []): number {
    this.set("status", 1);
    this.set("status", 3);
    this.accept(this.wanted(leaveOut, add));
    this.set("status", 11);
    return this.get("status");
  }

  /** What it knows of the offer, less and more. */
  wanted(leaveOut: readonly number[], add: readonly number[]): bigint {
    let wanted = this.readOffer() & this.knows;
    for (const bit of leaveOut) wanted &= ~(1n << BigInt(bit));
    for (const bit of add) wanted |= 1n << BigInt(bit);
    return wanted;
  }

  readOffer(): bigint {
    this.set("offerSelect", 0);
    const low = BigInt(this.get("offer"));
    this.set("offerSelect", 1);
    return low | (BigInt(this.get("offer")) << 32n);
  }

  accept(features: bigint): void {
    this.set("featureSelect", 0);
    this.set("features", Number(features & 0xffffffffn));
    this.set("featureSelect", 1);
    this.set("features", Number(features >> 32n));
    this.accepted = features;
    this.eventIdx = this.has(29);
  }

  has(bit: number): boolean {
    return ((this.accepted >> BigInt(bit)) & 1n) === 1n;
  }

  /** Also accepts these bits, and sets up all queues. */
  accepts(bits: readonly number[]): this {
    for (const bit of bits) this.knows |= 1n << BigInt(bit);
    this.queues = 5;
    return this;
  }

  setUpQueues(): void {
    for (let n = 0; n < Math.min(this.queues, this.get("numQueues")); n += 1) {
      this.set("queueSelect", n);
      if (this.get("queueSize") > 0) this.setUpQueue(n);
    }
  }

  setUpQueue(n: number, enable = true): void {
    this.set("queueSelect", n);
    const desc = n < 3 ? 0x1000 + n * 0x8000 : 0x80000 + (n - 3) * 0x8000;
    const ring = {
      size: this.get("queueSize"),
      desc,
      driver: desc + 0x4000,
      device: desc + 0x5000,
    };
    new Uint8Array(this.memory.buffer, desc, 0x8000).fill(0);
    this.set("desc", ring.desc);
    this.set("descHigh", 0);
    this.set("driver", ring.driver);
    this.set("driverHigh", 0);
    this.set("device", ring.device);
    this.set("deviceHigh", 0);
    this.rings[n] = { ...ring, notifyOff: this.get("queueNotifyOff"), idx: 0, seen: 0, order: [] };
    if (enable) this.set("queueEnable", 1);
  }

  /** Sets DRIVER_OK, writes `actual` and posts the statistics buffer. */
  start(): void {
    if (this.has(4)) this.write(4, 12, 4, POISON);
    this.set("status", 15);
    this.writeActual(0);
    if (this.has(1) && this.rings[2] !== undefined) this.postStats();
  }

  writeActual(value: number): void {
    this.actual = value;
    this.write(4, 4, 4, value);
  }

  describe(n: number, index: number, address: number, length: number, flags = 0, next = 0): void {
    const at = (this.rings[n] as Ring).desc + index * 16;
    this.view.setBigUint64(at, BigInt(address), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  /** Puts a head into the available ring and moves idx on; does not notify. */
  offer(n: number, head: number): void {
    const ring = this.rings[n] as Ring;
    this.remember(n, head);
    this.view.setUint16(ring.driver + 4 + (ring.idx % ring.size) * 2, head, true);
    ring.idx = (ring.idx + 1) & 0xffff;
    this.view.setUint16(ring.driver + 2, ring.idx, true);
  }

  kick(n: number): void {
    const at = this.ring(n).notifyOff * this.multiplier;
    if (this.has(38)) this.write(2, at, 4, n + this.notifyOffset(n) * 0x10000);
    else this.write(2, at, 2, n);
  }

  /** What a notification carries besides the queue's index, where it carries more. */
  notifyOffset(n: number): number {
    return this.ring(n).idx;
  }

  ring(n: number): Ring {
    return this.rings[n] as Ring;
  }

  /** A buffer is in flight: its place in the order matters when buffers are used in order. */
  remember(n: number, id: number): void {
    this.ring(n).order.push(id);
  }

  /** The buffers that come back when the device says `id`: in order, all up to it. */
  upTo(n: number, id: number): number[] {
    const { order } = this.ring(n);
    const place = order.indexOf(id);
    if (place < 0) return [id];
    return this.has(35) ? order.splice(0, place + 1) : order.splice(place, 1);
  }

  /** Where the array of a queue's descriptor lies. */
  array(n: number, index: number): number {
    return ARRAYS + n * 0x10000 + index * 0x800;
  }

  /** One buffer with these page numbers, at descriptor `index`; does not notify. */
  post(n: number, pfns: readonly number[], index = 0): void {
    const at = this.array(n, index);
    for (const [i, pfn] of pfns.entries()) this.view.setUint32(at + i * 4, pfn, true);
    this.describe(n, index, at, pfns.length * 4);
    this.offer(n, index);
  }

  /** The used ids that are new. Asks for the next interrupt, too. */
  collect(n: number): number[] {
    const ring = this.rings[n] as Ring;
    const ids: number[] = [];
    while (ring.seen !== this.view.getUint16(ring.device + 2, true)) {
      const id = this.view.getUint32(ring.device + 4 + (ring.seen % ring.size) * 8, true);
      const back = this.upTo(n, id);
      ids.push(...back);
      ring.seen = (ring.seen + back.length) & 0xffff;
    }
    if (this.eventIdx) this.view.setUint16(ring.driver + 4 + ring.size * 2, ring.seen, true);
    return ids;
  }

  /** Reads the ISR status if the line is up. */
  interrupt(): number {
    return this.machine.interruptPending ? this.read(3, 0, 1) : 0;
  }

  /** A whole inflate or deflate: post, notify, let the device work, collect, write actual. */
  move(kind: "inflate" | "deflate", pfns: readonly number[]): void {
    const n = kind === "inflate" ? 0 : 1;
    this.post(n, pfns);
    this.kick(n);
    this.machine.run();
    this.interrupt();
    const back = this.collect(n).length > 0 ? pfns.length : 0;
    this.writeActual(this.actual + (kind === "inflate" ? back : -back));
  }

  /** One statistics buffer with these tags, at descriptor `index`, and a notification. */
  postStats(tags: readonly number[] = [4, 5, 6], index = 0): void {
    const at = this.array(2, index);
    for (const [i, tag] of tags.entries()) {
      this.view.setUint16(at + i * 10, tag, true);
      this.view.setBigUint64(at + i * 10 + 2, BigInt(1000 + tag), true);
    }
    this.describe(2, index, at, tags.length * 10);
    this.offer(2, index);
    this.kick(2);
  }

  /** One 4-byte output buffer, and a notification. */
  command(n: number, id: number, index = 0): void {
    this.view.setUint32(this.array(n, index), id, true);
    this.describe(n, index, this.array(n, index), 4);
    this.offer(n, index);
    this.kick(n);
    this.collect(n);
  }

  /** One buffer of device-writable ranges, first page and count each, and a notification. */
  lend(n: number, ranges: readonly (readonly [number, number])[], index = 0): void {
    for (const [i, [first, count]] of ranges.entries()) {
      const more = i + 1 < ranges.length ? 1 : 0;
      this.describe(n, index + i, first * 4096, count * 4096, 2 | more, index + i + 1);
    }
    this.offer(n, index);
    this.kick(n);
    this.collect(n);
  }

  /** Reads free_page_hint_cmd_id. */
  readHintId(): number {
    return this.read(4, 8, 4);
  }

  readTarget(): number {
    return this.read(4, 0, 4);
  }
}

/** `count` page numbers from `first` on. */
export function frames(count: number, first = FIRST_FRAME): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** A machine of 4 MiB and a driver for it that has done nothing yet. */
export function rig(options: Partial<MachineOptions> = {}): RawDriver {
  const memory = new WebAssembly.Memory({ initial: (FRAMES * 4096) / 65536 });
  return new RawDriver(createMachine({ memory, ...options }), memory);
}

/** The ids of the rules broken, in order, each once. */
export function broken(machine: BalloonHost): string[] {
  return [...new Set(machine.verdicts.map((verdict) => verdict.rule))];
}
