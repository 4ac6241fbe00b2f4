/**
 * The device's side of a packed virtqueue (virtio 1.3, 2.8).
 *
 *   descriptor ring   addr:64 len:32 id:16 flags:16, x size   written by both, in turn
 *   driver area       off:15 wrap:1 flags:2 reserved:14       written by the driver
 *   device area       the same                                written here
 *
 * The wrap counter changes each time that the ring starts again at slot 0. A position is a slot
 * together with the wrap counter, counted over two laps of the ring:
 *
 *   position       0 .. size - 1     size .. 2 x size - 1     then 0 again
 *   slot           position          position - size
 *   wrap counter   1                 0
 *
 * The slots from `nextUsed` up to `nextTake` are the device's. The driver leaves each of them alone
 * until the device has passed it, even if the buffer in it was returned: buffers that are used out
 * of order have their used descriptor written into the slot at `nextUsed`, not into their own.
 */

import type { Context } from "../judge/context.ts";
import { DESC, PACKED } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import { readPacked, samePacked, walkPacked } from "./packed-chain.ts";
import type { Area, Chains, Returned, Ring, RingFault, RingLayout, Taken } from "./ring.ts";
import { areasOf, byHead, chainsOf, loadChains } from "./ring.ts";
import type { Descriptor } from "./split-chain.ts";

/** A descriptor as the device took it, and the buffer that it belongs to. */
interface Slot {
  readonly descriptor: Descriptor;
  readonly taken: Taken;
}

export class PackedRing implements Ring {
  readonly layout: RingLayout;
  inFlight = new Map<number, Taken>();
  broken: RuleId | undefined;
  private readonly context: Context;
  /** By slot; `undefined` where the slot is the driver's or a used descriptor is written in it. */
  private readonly slots: (Slot | undefined)[];
  /** Chains taken since the ring was made. */
  private takes = 0;
  /** How many slots are the device's. */
  private occupied = 0;
  /** Position of the next descriptor to take. */
  private nextTake = 0;
  /** Position of the next used descriptor to write. */
  private nextUsed = 0;
  /** `nextUsed` when the driver was last asked whether it wants an interrupt. */
  private signalled = 0;
  /** The device's event structure as the device last wrote it. */
  private event = { off: 0, flags: 0 };

  constructor(context: Context, layout: RingLayout) {
    this.context = context;
    this.layout = layout;
    this.slots = Array.from({ length: layout.size }, () => undefined);
    this.allowKicks(true);
  }

  /** A slot may hold a chain that was returned already; then its id is not in `inFlight`. */
  save() {
    const { broken, takes, occupied, nextTake, nextUsed, signalled, event } = this;
    const taken = [...this.inFlight.values()];
    const inSlots = this.slots.flatMap((slot) => slot?.taken ?? []);
    return {
      chains: [...new Set([...taken, ...inSlots])].map(({ id, chain }) => ({ id, chain })),
      inFlight: taken.map(({ id }) => id),
      slots: this.slots.map((slot) => slot?.taken.id ?? null),
      broken,
      takes,
      occupied,
      nextTake,
      nextUsed,
      signalled,
      event,
    };
  }

  load(state: ReturnType<PackedRing["save"]>): Chains {
    const { chains: saved, inFlight, slots, ...plain } = state;
    const chains = loadChains(this.context, this.layout, saved);
    this.inFlight = byHead(chainsOf(chains, inFlight));
    for (const [index, id] of slots.entries()) {
      const taken = id === null ? undefined : chains.get(id);
      const descriptor = taken?.chain.descriptors.find((one) => one.index === index);
      this.slots[index] = taken && descriptor && { descriptor, taken };
    }
    Object.assign(this, plain);
    return chains;
  }

  get waiting(): number {
    return this.countAvailable().buffers;
  }

  get kickOwed(): boolean {
    const { descriptors } = this.countAvailable();
    if (descriptors === 0) return false;
    if (this.event.flags !== PACKED.eventDesc) return this.event.flags === PACKED.eventEnable;
    return this.distance(this.nextTake, this.positionOf(this.event.off)) < descriptors;
  }

  get used(): number {
    return this.nextUsed % this.layout.size;
  }

  get notifyOffset(): number {
    return this.offsetOf(this.moved(this.nextTake, this.countAvailable().descriptors));
  }

  areas(): readonly Area[] {
    return areasOf(true, this.layout);
  }

  allowKicks(allow: boolean): void {
    const { memory } = this.context;
    const { deviceAddress, eventIdx } = this.layout;
    const on = eventIdx ? PACKED.eventDesc : PACKED.eventEnable;
    this.event = {
      off: eventIdx ? this.offsetOf(this.nextTake) : 0,
      flags: allow ? on : PACKED.eventDisable,
    };
    memory.write16(deviceAddress, this.event.off);
    memory.write16(deviceAddress + 2, this.event.flags);
  }

  take(): Taken[] {
    const taken: Taken[] = [];
    if (this.broken !== undefined) return taken;
    this.judgeEvents();
    while (this.broken === undefined && this.available(this.nextTake)) {
      const one = this.takeOne();
      if (one !== undefined) taken.push(one);
    }
    return taken;
  }

  push(done: readonly Returned[]): void {
    if (this.layout.inOrder) {
      const last = done.at(-1);
      if (last === undefined) return;
      this.writeUsed(this.nextUsed, last.taken.chain.head, last);
      this.passSlots(done.reduce((sum, { taken }) => sum + slotsOf(taken), 0));
    } else {
      for (const one of done) {
        this.writeUsed(this.nextUsed, one.taken.chain.head, one);
        this.passSlots(slotsOf(one.taken));
      }
    }
    for (const { taken } of done) this.inFlight.delete(taken.chain.head);
  }

  pushFaulty(fault: RingFault, one: Returned): void {
    const { nextUsed } = this;
    const { size } = this.layout;
    const id = one.taken.chain.head;
    const slots = slotsOf(one.taken);
    switch (fault) {
      case "used-id-out-of-range":
        this.writeUsed(nextUsed, size + 7, one);
        this.passSlots(slots);
        return;
      case "used-id-not-in-flight":
        this.writeUsed(nextUsed, this.idleId(), one);
        this.passSlots(slots);
        return;
      case "used-id-twice":
        this.push([one]);
        this.writeUsed(this.nextUsed, id, one);
        this.passSlots(1);
        return;
      case "used-idx-jump":
        this.inFlight.delete(id);
        this.writeUsed(this.moved(nextUsed, 1), id, one);
        this.passSlots(slots + 1);
        return;
      case "used-idx-back":
        this.inFlight.delete(id);
        this.writeUsed(this.moved(nextUsed, -1), id, one);
        return;
      case "used-unseen":
        // The same slot on the other lap: its flags look like those of a used descriptor of before.
        this.inFlight.delete(id);
        this.writeUsed(this.moved(nextUsed, size), id, one);
        this.passSlots(slots);
        return;
    }
  }

  publish(): boolean {
    const { memory } = this.context;
    const { driverAddress } = this.layout;
    const from = this.signalled;
    this.signalled = this.nextUsed;
    const flags = memory.read16(driverAddress + 2) & PACKED.eventFlags;
    if (flags === PACKED.eventDisable) return false;
    if (flags !== PACKED.eventDesc) return true;
    const event = this.positionOf(memory.read16(driverAddress));
    return this.distance(from, event) < this.distance(from, this.nextUsed);
  }

  audit(): void {
    this.judgeOwnArea();
    this.judgeEvents();
    this.judgeSkipped();
    const changed = new Set<Taken>();
    for (const slot of this.slots) {
      if (slot !== undefined && !samePacked(this.context, slot.descriptor)) changed.add(slot.taken);
    }
    for (const taken of this.inFlight.values()) {
      if (!this.sameTable(taken)) changed.add(taken);
    }
    for (const taken of changed) this.descriptorsChanged(taken);
  }

  judgeOwnArea(): void {
    const { memory, judge } = this.context;
    const { name, deviceAddress } = this.layout;
    const off = memory.read16(deviceAddress);
    const flags = memory.read16(deviceAddress + 2);
    if (off === this.event.off && flags === this.event.flags) return;
    judge.breach("R-USED-WRITTEN", `${name}: the device's event structure is ${off}, ${flags}`);
  }

  judgeUnchanged(taken: Taken): void {
    const same = taken.chain.descriptors.every(
      (was) =>
        was.index < 0 || this.slots[was.index]?.taken !== taken || samePacked(this.context, was),
    );
    if (!same || !this.sameTable(taken)) this.descriptorsChanged(taken);
  }

  private descriptorsChanged(taken: Taken): void {
    const seen = `${this.layout.name}: buffer ${taken.chain.head} was changed in flight`;
    this.context.judge.breach("R-DESC-CHANGED", seen, [taken.entry]);
  }

  private sameTable({ chain }: Taken): boolean {
    return chain.descriptors.every((was) => was.index >= 0 || samePacked(this.context, was));
  }

  private takeOne(): Taken | undefined {
    const { trace } = this.context;
    const { name, size, descAddress, indirect, reachBytes } = this.layout;
    const chain = walkPacked(this.context, {
      descAddress,
      size,
      indirectNegotiated: indirect,
      reachBytes,
      start: this.nextTake % size,
      room: size - this.occupied,
      available: (n) => this.available(this.moved(this.nextTake, n)),
    });
    if (typeof chain === "string") return this.unreadable(chain);
    if (chain.head >= size) return this.unreadable("R-PACKED-ID-RANGE");
    if (this.inFlight.has(chain.head)) return this.unreadable("R-PACKED-ID-BUSY");
    const bytes = chain.readableBytes + chain.writableBytes;
    const entry = trace.add("queue", `${name} take`, { head: chain.head, bytes });
    this.takes += 1;
    const taken = { id: `${name} ${this.takes}`, chain, entry };
    this.inFlight.set(chain.head, taken);
    for (const descriptor of chain.descriptors) {
      if (descriptor.index >= 0) this.slots[descriptor.index] = { descriptor, taken };
    }
    this.occupied += slotsOf(taken);
    this.nextTake = this.moved(this.nextTake, slotsOf(taken));
    return taken;
  }

  private unreadable(rule: RuleId): undefined {
    this.broken = rule;
    const seen = `${this.layout.name}: slot ${this.nextTake % this.layout.size}; the queue stops`;
    this.context.judge.breach(rule, seen);
    return undefined;
  }

  /** Writes a used descriptor at a position; AVAIL and USED both show its wrap counter. */
  private writeUsed(position: number, id: number, { taken, length }: Returned): void {
    const { memory } = this.context;
    const { size, descAddress } = this.layout;
    const at = descAddress + (position % size) * PACKED.descBytes;
    const written = taken.chain.writableBytes > 0 && length > 0 ? DESC.write : 0;
    memory.write32(at + 8, length);
    memory.write16(at + 12, id);
    const lap = this.wrapCounter(position) ? PACKED.avail | PACKED.used : 0;
    memory.write16(at + 14, written | lap);
    this.slots[position % size] = undefined;
  }

  /** Moves `nextUsed` on; the slots that it passes are the driver's again. */
  private passSlots(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.slots[this.moved(this.nextUsed, n) % this.layout.size] = undefined;
    }
    this.nextUsed = this.moved(this.nextUsed, count);
    this.occupied = Math.max(0, this.occupied - count);
  }

  /** Counts what is marked available without a gap, from `nextTake` on. */
  private countAvailable(): { readonly descriptors: number; readonly buffers: number } {
    const { size, descAddress } = this.layout;
    let buffers = 0;
    let descriptors = 0;
    for (; descriptors < size - this.occupied; descriptors += 1) {
      const position = this.moved(this.nextTake, descriptors);
      if (!this.available(position)) break;
      const one = readPacked(this.context, descAddress, position % size);
      if (one !== undefined && (one.flags & DESC.next) === 0) buffers += 1;
    }
    return { descriptors, buffers: Math.max(buffers, Math.min(1, descriptors)) };
  }

  /** Whether a descriptor is available: AVAIL shows the wrap counter, and USED does not (2.8.1). */
  private available(position: number): boolean {
    const { size, descAddress } = this.layout;
    const at = descAddress + (position % size) * PACKED.descBytes + 14;
    const flags = this.context.memory.read16(at);
    const wrap = this.wrapCounter(position);
    return ((flags & PACKED.avail) !== 0) === wrap && ((flags & PACKED.used) !== 0) !== wrap;
  }

  /** Judges that no available descriptor comes after one that is not available. */
  private judgeSkipped(): void {
    const { name, size } = this.layout;
    const room = size - this.occupied;
    const { descriptors } = this.countAvailable();
    for (let n = descriptors + 1; n < room; n += 1) {
      const position = this.moved(this.nextTake, n);
      if (!this.available(position)) continue;
      const next = this.moved(this.nextTake, descriptors) % size;
      const seen = `${name}: slot ${position % size} is available, slot ${next} is not`;
      this.context.judge.breach("R-PACKED-SKIP", seen);
      return;
    }
  }

  private judgeEvents(): void {
    const { memory, judge } = this.context;
    const { name, size, driverAddress, eventIdx } = this.layout;
    const off = memory.read16(driverAddress);
    const flags = memory.read16(driverAddress + 2);
    const highest = eventIdx ? PACKED.eventDesc : PACKED.eventDisable;
    const far = flags === PACKED.eventDesc && (off & PACKED.eventOffset) >= size;
    if (flags <= highest && !far) return;
    judge.breach("R-EVENT-FLAGS", `${name}: the driver's event structure is ${off}, ${flags}`);
  }

  /**
   * An id that is neither in flight nor waits to be taken, as a split ring's idle head. The ids of
   * a chain's other descriptors count as busy, too.
   */
  private idleId(): number {
    const { size, descAddress } = this.layout;
    const busy = new Set(this.inFlight.keys());
    for (let n = 0; n < this.countAvailable().descriptors; n += 1) {
      const slot = this.moved(this.nextTake, n) % size;
      const one = readPacked(this.context, descAddress, slot);
      if (one !== undefined) busy.add(one.next);
    }
    for (let id = 0; id < size; id += 1) if (!busy.has(id)) return id;
    return size;
  }

  /** Returns the position `by` slots further on. */
  private moved(position: number, by: number): number {
    const laps = 2 * this.layout.size;
    return (position + by + laps) % laps;
  }

  /** Returns how many slots `to` is further on than `from`. */
  private distance(from: number, to: number): number {
    return this.moved(to, -from);
  }

  private wrapCounter(position: number): boolean {
    return position < this.layout.size;
  }

  /** Returns a position as event structures have it: the slot, and the wrap counter in bit 15. */
  private offsetOf(position: number): number {
    const wrap = this.wrapCounter(position) ? PACKED.eventWrap : 0;
    return (position % this.layout.size) | wrap;
  }

  /** Returns the position that a slot and a wrap counter of an event structure name. */
  private positionOf(offset: number): number {
    const { size } = this.layout;
    const slot = (offset & PACKED.eventOffset) % size;
    return (offset & PACKED.eventWrap) !== 0 ? slot : slot + size;
  }
}

function slotsOf({ chain }: Taken): number {
  return chain.descriptors.reduce((sum, { index }) => sum + (index >= 0 ? 1 : 0), 0);
}
