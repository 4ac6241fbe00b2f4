/**
 * The device's side of a split virtqueue (virtio 1.3, 2.7).
 *
 *   descriptor table   16 bytes x size    written by the driver
 *   driver area        flags:16 idx:16 ring[size]:16 used_event:16          written by the driver
 *   device area        flags:16 idx:16 ring[size]{id:32 len:32} avail_event:16   written here
 */

import type { Context } from "../judge/context.ts";
import { DESC, RING, RING_FLAG } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import type { Area, Chains, Returned, Ring, RingFault, RingLayout, Taken } from "./ring.ts";
import { areasOf, byHead, chainsOf, loadChains } from "./ring.ts";
import { type Chain, unchanged, walkChain } from "./split-chain.ts";

export class SplitRing implements Ring {
  readonly layout: RingLayout;
  inFlight = new Map<number, Taken>();
  broken: RuleId | undefined;
  private readonly context: Context;
  /** Chains taken since the ring was made. */
  private takes = 0;
  /** The available idx up to which buffers were taken. */
  private takenIdx = 0;
  /** With IN_ORDER: the descriptor that the next buffer starts with. */
  private nextHead = 0;
  /** The used idx with all entries written, and the one that the driver can see. */
  private usedIdx = 0;
  private shownIdx = 0;
  /** The used idx of the last interrupt. */
  private signalledIdx = 0;
  private hasSignalled = false;
  /** flags and avail_event as the device last wrote them. */
  private usedFlags = 0;
  private availEvent = 0;

  constructor(context: Context, layout: RingLayout) {
    this.context = context;
    this.layout = layout;
    context.memory.write16(layout.deviceAddress, 0);
    this.allowKicks(true);
  }

  save() {
    const { broken, takes, takenIdx, nextHead, usedIdx, shownIdx, signalledIdx } = this;
    const { usedFlags, availEvent, hasSignalled } = this;
    const taken = [...this.inFlight.values()];
    return {
      chains: taken.map(({ id, chain }) => ({ id, chain })),
      inFlight: taken.map(({ id }) => id),
      broken,
      takes,
      takenIdx,
      nextHead,
      usedIdx,
      shownIdx,
      signalledIdx,
      hasSignalled,
      usedFlags,
      availEvent,
    };
  }

  load(state: ReturnType<SplitRing["save"]>): Chains {
    const { chains: saved, inFlight, ...plain } = state;
    const chains = loadChains(this.context, this.layout, saved);
    this.inFlight = byHead(chainsOf(chains, inFlight));
    Object.assign(this, plain);
    return chains;
  }

  get waiting(): number {
    return (this.availIdx - this.takenIdx) & 0xffff;
  }

  /** See virtio 1.3, 2.7.10. */
  get kickOwed(): boolean {
    if (this.waiting === 0) return false;
    if (!this.layout.eventIdx) return (this.usedFlags & RING_FLAG.noNotify) === 0;
    return passes(this.availEvent, this.availIdx, this.takenIdx);
  }

  get used(): number {
    return this.usedIdx;
  }

  areas(): readonly Area[] {
    return areasOf(false, this.layout);
  }

  allowKicks(allow: boolean): void {
    const { memory } = this.context;
    if (this.layout.eventIdx) {
      this.availEvent = (allow ? this.takenIdx : this.takenIdx - 1) & 0xffff;
      memory.write16(this.availEventAddress, this.availEvent);
      this.usedFlags = this.layout.strayFlags ? RING_FLAG.noNotify : 0;
    } else {
      this.usedFlags = allow ? 0 : RING_FLAG.noNotify;
    }
    memory.write16(this.layout.deviceAddress, this.usedFlags);
  }

  take(): Taken[] {
    const taken: Taken[] = [];
    if (this.broken !== undefined || !this.judgeIdx()) return taken;
    this.judgeFlags();
    const count = this.waiting;
    for (let i = 0; i < count && this.broken === undefined; i += 1) {
      const one = this.takeOne();
      if (one !== undefined) taken.push(one);
    }
    return taken;
  }

  push(done: readonly Returned[]): void {
    const last = done.at(-1);
    if (this.layout.inOrder && last !== undefined) {
      this.write(last.taken.chain.head, last.length);
      this.usedIdx = (this.usedIdx + done.length) & 0xffff;
    } else {
      for (const { taken, length } of done) this.add(taken.chain.head, length);
    }
    for (const { taken } of done) this.inFlight.delete(taken.chain.head);
  }

  pushFaulty(fault: RingFault, one: Returned): void {
    const { size } = this.layout;
    const { head } = one.taken.chain;
    switch (fault) {
      case "used-id-out-of-range":
        this.add(size + 7, 0);
        return;
      case "used-id-not-in-flight":
        this.add(this.idleHead(), 0);
        return;
      case "used-id-twice":
        this.push([one]);
        this.add(head, one.length);
        return;
      case "used-idx-jump":
        this.push([one]);
        this.usedIdx = (this.usedIdx + size + 1) & 0xffff;
        return;
      case "used-idx-back":
        this.inFlight.delete(head);
        this.usedIdx = (this.usedIdx - 1) & 0xffff;
        return;
      case "used-unseen":
        this.inFlight.delete(head);
        this.write(head, one.length);
        return;
    }
  }

  publish(): boolean {
    const isWanted = this.show();
    return isWanted || (this.layout.notifyOnEmpty && this.waiting === 0);
  }

  /** Shows the driver what is used. Returns whether it suppresses no interrupt for it. */
  private show(): boolean {
    const { memory } = this.context;
    memory.write16(this.layout.deviceAddress + 2, this.usedIdx);
    this.shownIdx = this.usedIdx;
    const from = this.signalledIdx;
    if (this.layout.eventIdx) {
      const isFirst = this.layout.lapses.firstUseInterrupts && !this.hasSignalled;
      const isWanted = passes(memory.read16(this.usedEventAddress), this.usedIdx, from);
      if (!isWanted && !isFirst) return false;
      this.hasSignalled = true;
      this.signalledIdx = this.usedIdx;
      return true;
    }
    this.signalledIdx = this.usedIdx;
    return (memory.read16(this.layout.driverAddress) & RING_FLAG.noInterrupt) === 0;
  }

  audit(): void {
    this.judgeOwnArea();
    for (const taken of this.inFlight.values()) this.judgeUnchanged(taken);
    this.judgeFlags();
  }

  judgeOwnArea(): void {
    const { memory, judge } = this.context;
    const { name, deviceAddress, eventIdx } = this.layout;
    const flags = memory.read16(deviceAddress);
    const idx = memory.read16(deviceAddress + 2);
    const event = eventIdx ? memory.read16(this.availEventAddress) : this.availEvent;
    if (flags === this.usedFlags && idx === this.shownIdx && event === this.availEvent) return;
    const seen = `flags ${flags}, idx ${idx}, avail_event ${event}; idx was ${this.shownIdx}`;
    judge.breach("R-USED-WRITTEN", `${name}: ${seen}`);
  }

  judgeUnchanged(taken: Taken): void {
    if (unchanged(this.context, taken.chain)) return;
    const seen = `${this.layout.name}: chain ${taken.chain.head} was changed in flight`;
    this.context.judge.breach("R-DESC-CHANGED", seen, [taken.entry]);
  }

  get notifyOffset(): number {
    return this.availIdx;
  }

  private get availIdx(): number {
    return this.context.memory.read16(this.layout.driverAddress + 2);
  }

  private get usedEventAddress(): number {
    return this.layout.driverAddress + RING.headerBytes + this.layout.size * RING.driverBytes;
  }

  private get availEventAddress(): number {
    return this.layout.deviceAddress + RING.headerBytes + this.layout.size * RING.deviceBytes;
  }

  /** One used entry; the driver sees it after `publish`. */
  private add(id: number, length: number): void {
    this.write(id, length);
    this.usedIdx = (this.usedIdx + 1) & 0xffff;
  }

  private write(id: number, length: number): void {
    const { memory } = this.context;
    const slot = this.usedIdx & (this.layout.size - 1);
    const at = this.layout.deviceAddress + RING.headerBytes + slot * RING.deviceBytes;
    memory.write32(at, id);
    memory.write32(at + 4, length);
  }

  /**
   * A head that is neither in flight nor waits to be taken: a driver that gave the buffer could not
   * tell that it comes back too early. When there is none, one beyond the table, which is as wrong.
   */
  private idleHead(): number {
    const { size } = this.layout;
    const busy = new Set(this.inFlight.keys());
    for (let n = 0; n < this.waiting; n += 1) busy.add(this.availableHead(this.takenIdx + n));
    for (let id = 0; id < size; id += 1) if (!busy.has(id)) return id;
    return size;
  }

  /** The head in the available ring's entry of an index. */
  private availableHead(index: number): number {
    const { size, driverAddress } = this.layout;
    const slot = index & (size - 1);
    return this.context.memory.read16(driverAddress + RING.headerBytes + slot * RING.driverBytes);
  }

  private takeOne(): Taken | undefined {
    const { trace } = this.context;
    const { name, size, descAddress, indirect, reachBytes, lapses } = this.layout;
    const { onlyFirstIsTable } = lapses;
    const head = this.availableHead(this.takenIdx);
    this.takenIdx = (this.takenIdx + 1) & 0xffff;
    if (head >= size) return this.unreadable("R-HEAD-RANGE", head);
    const table = {
      ...{ descAddress, size, indirectNegotiated: indirect, onlyFirstIsTable, reachBytes },
    };
    const chain = walkChain(this.context, table, head);
    if (typeof chain === "string") return this.unreadable(chain, head);
    if (this.overlapsInFlight(chain)) return this.unreadable("R-HEAD-BUSY", head);
    if (this.layout.inOrder) this.judgeOrder(chain);
    const bytes = chain.readableBytes + chain.writableBytes;
    const entry = trace.add("queue", `${name} take`, { head, bytes });
    this.takes += 1;
    const taken = { id: `${name} ${this.takes}`, chain, entry };
    this.inFlight.set(head, taken);
    return taken;
  }

  private unreadable(rule: RuleId, head: number): undefined {
    if (!this.layout.lapses.neverNeedsReset) this.broken = rule;
    this.context.judge.breach(rule, `${this.layout.name}: head ${head}; the queue stops here`);
    return undefined;
  }

  private overlapsInFlight(chain: Chain): boolean {
    if (this.inFlight.size === 0) return false;
    const busy = new Set<number>();
    for (const { chain: other } of this.inFlight.values()) {
      for (const descriptor of other.descriptors) busy.add(descriptor.index);
    }
    return chain.descriptors.some(({ index }) => index >= 0 && busy.has(index));
  }

  private judgeOrder(chain: Chain): void {
    const { judge } = this.context;
    const { name, size } = this.layout;
    const { head } = chain;
    if (head !== this.nextHead) {
      judge.breach("R-IN-ORDER-HEAD", `${name}: head ${head}, expected was ${this.nextHead}`);
    }
    const own = chain.descriptors.filter(({ index }) => index >= 0);
    const table = chain.descriptors.filter(({ index }) => index < 0);
    const straight =
      own.every(({ flags, index, next }) => !linked(flags) || next === (index + 1) % size) &&
      table.every(({ flags, next }, place) => !linked(flags) || next === place + 1);
    if (!straight) judge.breach("R-IN-ORDER-NEXT", `${name}: chain ${head} is not in table order`);
    this.nextHead = ((own.at(-1)?.index ?? head) + 1) % size;
  }

  private judgeIdx(): boolean {
    const ahead = this.waiting;
    const room = this.layout.size - this.inFlight.size;
    if (ahead <= room) return true;
    const rule = ahead > RING.maxSize ? "R-AVAIL-BACK" : "R-AVAIL-JUMP";
    this.broken = rule;
    const seen = `${this.layout.name}: idx ${this.availIdx}, taken ${this.takenIdx}, room ${room}`;
    this.context.judge.breach(rule, seen);
    return false;
  }

  private judgeFlags(): void {
    const flags = this.context.memory.read16(this.layout.driverAddress);
    const allowed = this.layout.eventIdx ? 0 : RING_FLAG.noInterrupt;
    if (flags <= allowed) return;
    this.context.judge.breach("R-AVAIL-FLAGS", `${this.layout.name}: flags is ${flags}`);
  }
}

function linked(flags: number): boolean {
  return (flags & DESC.next) !== 0;
}

/** Whether going from `from` to `to` passes the event index, all modulo 2^16 (2.7.7 and 2.7.10). */
function passes(event: number, to: number, from: number): boolean {
  return ((to - event - 1) & 0xffff) < ((to - from) & 0xffff);
}
