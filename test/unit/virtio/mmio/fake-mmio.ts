/**
 * A virtio MMIO device of either version, for tests of the transport. It moves no buffers.
 *
 * It is stricter than the specification: control registers take 32 bits, each only in its version,
 * in its direction and in one order of steps; everything else throws.
 */
import type { Hal, Width } from "../../../../runtime/hal.ts";

export const MMIO_BASE = 0xfeb0_0e00;
const MMIO_BYTES = 512;

export interface FakeMmioOptions {
  readonly version?: 1 | 2;
  readonly words?: readonly number[];
  readonly queueSizes?: readonly number[];
  readonly magic?: number;
  readonly deviceId?: number;
  /** How many looks at a queue under reset do not show its end. */
  readonly queueResetReads?: number;
}

interface FakeQueue {
  readonly max: number;
  size: number;
  align: number;
  pfn: number;
  ready: boolean;
  resetReads: number;
  /** The six halves: desc low, desc high, driver low, and so on; undefined until written. */
  readonly areas: (number | undefined)[];
}

const AREAS = new Map([0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4].map((offset, half) => [offset, half]));
const LEGACY_ONLY = new Set([0x28, 0x3c, 0x40]);
const MODERN_ONLY = new Set([0x44, 0xc0, 0xfc, ...AREAS.keys()]);

export class FakeMmio {
  readonly hal: Hal;
  readonly queues: FakeQueue[];
  readonly log: string[] = [];
  readonly accepted = [0, 0];
  readonly deviceConfig = [7, 8];
  readonly notified: number[] = [];
  status = 0;
  interruptStatus = 0;
  pageSize = 0;
  private readonly options: FakeMmioOptions;
  private readonly version: number;
  private deviceFeaturesSel: number | undefined;
  private driverFeaturesSel: number | undefined;
  private queueSel = 0;
  private wasReset = false;
  private reads = 0;

  constructor(options: FakeMmioOptions = {}) {
    this.options = options;
    this.version = options.version ?? 2;
    this.queues = (options.queueSizes ?? [1024, 1024, 1024]).map((max) => ({
      ...{ max, size: 0, align: 0, pfn: 0, ready: false, resetReads: 0, areas: [] },
    }));
    const ports = () => {
      throw new Error("access to a port");
    };
    this.hal = {
      portRead: ports,
      portWrite: ports,
      mmioRead: (at, width) => this.read(this.locate(at), width),
      mmioWrite: (at, width, value) => this.write(this.locate(at), width, value),
      now: () => 0,
      log: () => {},
    };
  }

  /** Registers that were read so far. */
  get readCount(): number {
    return this.reads;
  }

  private get queue(): FakeQueue {
    const queue = this.queues[this.queueSel];
    if (!queue) throw new Error(`queue ${this.queueSel} is not there`);
    return queue;
  }

  private read(offset: number, width: Width): number {
    this.reads += 1;
    if (offset >= 0x100) return this.readConfig(offset - 0x100, width);
    this.check(offset, width);
    const queue = this.queues[this.queueSel];
    switch (offset) {
      case 0x000:
        return this.options.magic ?? 0x7472_6976;
      case 0x004:
        return this.version;
      case 0x008:
        return this.options.deviceId ?? 5;
      case 0x010:
        if (this.deviceFeaturesSel === undefined) throw new Error("features without a selection");
        return this.options.words?.[this.deviceFeaturesSel] ?? 0;
      case 0x034:
        if (queue?.ready || queue?.pfn) throw new Error("QueueNumMax of a queue in use");
        return queue?.max ?? 0;
      case 0x040:
        return queue?.pfn ?? 0;
      case 0x044:
        return queue?.ready ? 1 : 0;
      case 0x060:
        return this.interruptStatus;
      case 0x070:
        return this.status;
      case 0x0c0:
        return this.readQueueReset();
      default:
        throw new Error(`read of offset ${offset.toString(16)}`);
    }
  }

  /** The device is done at the last look; QueueReady falls one look later. */
  private readQueueReset(): number {
    const { queue } = this;
    if (queue.resetReads === 0) queue.ready = false;
    else queue.resetReads -= 1;
    return queue.resetReads > 0 ? 1 : 0;
  }

  private readConfig(offset: number, width: Width): number {
    const value = this.deviceConfig[offset / 4];
    if (width !== 4 || value === undefined) throw new Error(`configuration at ${offset}`);
    return value;
  }

  private write(offset: number, width: Width, value: number): void {
    if (value < 0 || value >= 2 ** 32) throw new Error(`${value} does not fit`);
    this.log.push(`${offset.toString(16)}=${value.toString(16)}`);
    if (offset >= 0x100) {
      this.readConfig(offset - 0x100, width);
      this.deviceConfig[(offset - 0x100) / 4] = value;
      return;
    }
    this.check(offset, width);
    switch (offset) {
      case 0x014:
        this.deviceFeaturesSel = value;
        return;
      case 0x020:
        this.expectStatus("driver features", 2, 4 | 8);
        if (this.driverFeaturesSel === undefined) throw new Error("features without a selection");
        this.accepted[this.driverFeaturesSel] = value;
        return;
      case 0x024:
        this.driverFeaturesSel = value;
        return;
      case 0x030:
        this.queueSel = value;
        return;
      case 0x050:
        this.expectStatus("notification", 4, 0);
        this.notified.push(value);
        return;
      case 0x064:
        if ((value & ~this.interruptStatus) !== 0 || value > 3) throw new Error(`ack ${value}`);
        this.interruptStatus &= ~value;
        return;
      case 0x070:
        this.writeStatus(value);
        return;
      default:
        this.writeQueue(offset, value);
    }
  }

  private writeQueue(offset: number, value: number): void {
    if (offset === 0x28) {
      if (this.queues.some(({ pfn }) => pfn !== 0)) throw new Error("page size of queues in use");
      this.pageSize = value;
      return;
    }
    const { queue } = this;
    if (offset === 0xc0) {
      if (value !== 1 || !queue.ready) throw new Error(`queue reset ${value}`);
      if ((this.accepted[1] ?? 0) !== 0x101) throw new Error("queue reset without RING_RESET");
      queue.resetReads = 1 + (this.options.queueResetReads ?? 0);
      queue.areas.length = 0;
      return;
    }
    this.expectStatus("queue set-up", 2, 0);
    if (queue.ready || queue.pfn !== 0) throw new Error("write to a queue in use");
    const half = AREAS.get(offset);
    if (half !== undefined) queue.areas[half] = value;
    else if (offset === 0x38) queue.size = value;
    else if (offset === 0x3c) queue.align = value;
    else if (offset === 0x40) this.enableLegacy(queue, value);
    else if (offset === 0x44) this.enable(queue, value);
    else throw new Error(`write of offset ${offset.toString(16)}`);
    if (queue.size > queue.max || (queue.size & (queue.size - 1)) !== 0) {
      throw new Error(`QueueNum ${queue.size}`);
    }
  }

  private enable(queue: FakeQueue, value: number): void {
    const known = queue.areas.filter((half) => half !== undefined).length;
    if (value !== 1 || known !== 6 || queue.size === 0) throw new Error("ready too early");
    queue.ready = true;
  }

  private enableLegacy(queue: FakeQueue, value: number): void {
    const isReady = this.pageSize === 4096 && queue.size !== 0 && queue.align === 4096;
    if (value === 0 || !isReady) throw new Error(`QueuePFN ${value} too early`);
    queue.pfn = value;
  }

  private writeStatus(value: number): void {
    if (value === 0) {
      this.wasReset = true;
      this.status = 0;
      this.interruptStatus = 0;
      this.pageSize = 0;
      this.accepted.fill(0);
      for (const queue of this.queues) {
        Object.assign(queue, { size: 0, align: 0, pfn: 0, ready: false, resetReads: 0 });
        queue.areas.length = 0;
      }
      return;
    }
    const added = value & ~this.status;
    const before: Record<number, number> = { 1: 0, 2: 1, 8: 3, 4: this.version === 1 ? 3 : 11 };
    const inOrder = added === 128 || before[added] === this.status;
    if (!this.wasReset || (this.status & ~value) !== 0 || !inOrder) {
      throw new Error(`status ${value} after ${this.status}`);
    }
    this.status = value;
  }

  private locate(at: number): number {
    const offset = at - MMIO_BASE;
    if (offset < 0 || offset >= MMIO_BYTES) throw new Error(`access at ${at.toString(16)}`);
    return offset;
  }

  private check(offset: number, width: Width): void {
    if (width !== 4 || offset % 4 !== 0) throw new Error(`${width} bytes at ${offset}`);
    const foreign = this.version === 1 ? MODERN_ONLY : LEGACY_ONLY;
    if (foreign.has(offset)) throw new Error(`no register ${offset.toString(16)} in this version`);
  }

  private expectStatus(what: string, needed: number, without: number): void {
    if ((this.status & needed) !== needed || (this.status & without) !== 0) {
      throw new Error(`${what} at status ${this.status}`);
    }
  }
}
