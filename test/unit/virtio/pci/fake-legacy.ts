/**
 * A legacy virtio PCI device for tests of the transport and of bring-up. It moves no buffers.
 *
 * It is stricter than the specification: each field takes its own width, in one order of steps, and
 * every access that a driver has no business with throws.
 */
import type { Hal, InterruptMessage, Width } from "../../../../runtime/hal.ts";
import { type PciConfigAccess, portConfigAccess } from "../../../../runtime/pci/config.ts";
import { FakeConfigSpace, FakeFunction } from "../../pci/config-space.ts";
import { MsixTable, msixCap } from "../../pci/msix-table.ts";

export const LEGACY_ADDRESS = { bus: 0, device: 3, function: 0 };
const IO_BASE = 0xc040;
const IO_BYTES = 64;
const TABLE_BASE = 0xfebf_0000;
const TABLE_OFFSET = 0x800;
const CAPABILITY = 0x40;

export interface FakeLegacyOptions {
  readonly features?: number;
  readonly queueSizes?: readonly number[];
  /** Entries of the MSI-X table. Default 0: no MSI-X. */
  readonly vectors?: number;
  /** Below which number the device accepts vectors. Default: all of the table. */
  readonly acceptsVectors?: number;
  /** The same for one of the two kinds alone. */
  readonly acceptsConfigVectors?: number;
  readonly acceptsQueueVectors?: number;
  /** How many messages the machine has to give. */
  readonly messages?: number;
  readonly config?: readonly number[];
}

interface FakeQueue {
  readonly size: number;
  pfn: number;
  vector: number;
}

export class FakeLegacy {
  readonly space = new FakeConfigSpace();
  readonly config: PciConfigAccess = portConfigAccess(this.space.hal);
  readonly hal: Hal;
  readonly fake: FakeFunction;
  readonly table: MsixTable;
  readonly queues: FakeQueue[];
  readonly deviceConfig: number[];
  readonly log: string[] = [];
  readonly notified: number[] = [];
  accepted = 0;
  status = 0;
  isr = 0;
  configVector = 0xffff;
  gone = false;
  /** Messages that the machine has given away. */
  handedOut = 0;
  private readonly options: FakeLegacyOptions;
  private queueSelect = 0;
  private wasReset = false;

  constructor(options: FakeLegacyOptions = {}) {
    this.options = options;
    this.deviceConfig = [...(options.config ?? [7, 8])];
    const sizes = options.queueSizes ?? [128, 128, 128];
    this.queues = sizes.map((size) => ({ size, pfn: 0, vector: 0xffff }));
    this.fake = this.space.add("00:03.0", new SizedFunction(0x1af4, 0x1002));
    this.fake
      .set(0x10, 4, IO_BASE + 1)
      .set(0x14, 4, TABLE_BASE)
      .set(0x3d, 1, 1);
    const vectors = options.vectors ?? 0;
    if (vectors > 0) {
      this.fake.capabilities([{ at: CAPABILITY, bytes: msixCap(vectors, 1, TABLE_OFFSET) }]);
    }
    this.table = new MsixTable(this.fake, CAPABILITY, vectors);
    this.space.otherPorts = {
      portRead: (port, width) => (this.gone ? 2 ** (8 * width) - 1 : this.read(port, width)),
      portWrite: (port, width, value) => this.gone || this.write(port, width, value),
    };
    this.space.memory = {
      mmioRead: (at, width) => this.table.read(this.inTable(at), width),
      mmioWrite: (at, width, value) => this.table.write(this.inTable(at), width, value),
    };
    const messages = options.messages;
    this.hal = {
      ...this.space.hal,
      ...(messages !== undefined && {
        interrupts: { allocate: (count) => this.allocate(count, messages) },
      }),
    };
  }

  private allocate(count: number, most: number): InterruptMessage[] | undefined {
    if (this.handedOut + count > most) return undefined;
    const first = this.handedOut;
    this.handedOut += count;
    return Array.from({ length: count }, (_, index) => ({
      address: 0xfee0_0000,
      data: 0x40 + first + index,
    }));
  }

  private inTable(at: number): number {
    if ((this.fake.get(0x04, 2) & 2) === 0) throw new Error("memory access while decoding is off");
    return at - TABLE_BASE - TABLE_OFFSET;
  }

  private get hasVectors(): boolean {
    return this.options.vectors !== undefined && this.table.isEnabled;
  }

  private read(port: number, width: Width): number {
    const offset = this.locate(port);
    const start = this.hasVectors ? 0x18 : 0x14;
    if (offset >= start) return this.readConfig(offset - start, width);
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case 0x00:
        this.expect("features", width, 4);
        return this.options.features ?? 0;
      case 0x08:
        this.expect("queue address", width, 4);
        return queue?.pfn ?? 0;
      case 0x0c:
        this.expect("queue size", width, 2);
        return queue?.size ?? 0;
      case 0x12:
        this.expect("status", width, 1);
        return this.status;
      case 0x13: {
        this.expect("ISR", width, 1);
        const isr = this.isr;
        this.isr = 0;
        return isr;
      }
      case 0x14:
        this.expect("config vector", width, 2);
        return this.configVector;
      case 0x16:
        this.expect("queue vector", width, 2);
        return queue?.vector ?? 0xffff;
      default:
        throw new Error(`read of offset ${offset}`);
    }
  }

  private readConfig(offset: number, width: Width): number {
    this.expect("device configuration", width, 4);
    const value = this.deviceConfig[offset / 4];
    if (value === undefined) throw new Error(`no device configuration at ${offset}`);
    return value;
  }

  private write(port: number, width: Width, value: number): void {
    const offset = this.locate(port);
    if (value < 0 || value >= 2 ** (8 * width)) throw new Error(`${value} does not fit ${width}`);
    const start = this.hasVectors ? 0x18 : 0x14;
    if (offset >= start) {
      this.expect("device configuration", width, 4);
      this.log.push(`config ${offset - start}=${value}`);
      this.deviceConfig[(offset - start) / 4] = value;
      return;
    }
    this.log.push(`${offset.toString(16)}=${value.toString(16)}`);
    switch (offset) {
      case 0x04:
        this.expect("driver features", width, 4);
        this.expectStatus("driver features", 2, 4);
        if ((value & ~(this.options.features ?? 0)) !== 0) throw new Error(`features ${value}`);
        this.accepted = value;
        return;
      case 0x0e:
        this.expect("queue select", width, 2);
        this.queueSelect = value;
        return;
      case 0x10:
        this.expect("queue notify", width, 2);
        this.expectStatus("notification", 4, 0);
        if ((this.queues[value]?.pfn ?? 0) === 0) throw new Error(`notification of ${value}`);
        this.notified.push(value);
        return;
      case 0x12:
        this.writeStatus(width, value);
        return;
      default:
        this.writeQueue(offset, width, value);
    }
  }

  private writeQueue(offset: number, width: Width, value: number): void {
    this.expectStatus("queue set-up", 2, 4);
    const { vectors = 0, acceptsVectors = vectors } = this.options;
    const { acceptsConfigVectors = acceptsVectors, acceptsQueueVectors = acceptsVectors } =
      this.options;
    if (offset === 0x14) {
      this.expect("config vector", width, 2);
      this.configVector = value < acceptsConfigVectors ? value : 0xffff;
      return;
    }
    const queue = this.queues[this.queueSelect];
    if (!queue) throw new Error(`write to queue ${this.queueSelect}, which is not there`);
    if (offset === 0x08) {
      this.expect("queue address", width, 4);
      if (value === 0 || queue.pfn !== 0) throw new Error(`queue address ${value}`);
      queue.pfn = value;
    } else if (offset === 0x16) {
      this.expect("queue vector", width, 2);
      queue.vector = value < acceptsQueueVectors ? value : 0xffff;
    } else {
      throw new Error(`write of offset ${offset}`);
    }
  }

  private writeStatus(width: Width, value: number): void {
    this.expect("status", width, 1);
    if (value === 0) {
      this.wasReset = true;
      this.status = 0;
      this.accepted = 0;
      this.configVector = 0xffff;
      for (const queue of this.queues) Object.assign(queue, { pfn: 0, vector: 0xffff });
      return;
    }
    if (!this.wasReset) throw new Error("status written before any reset");
    const added = value & ~this.status;
    const before: Record<number, number> = { 1: 0, 2: 1, 4: 3 };
    if ((this.status & ~value) !== 0) throw new Error(`status bits cleared: ${value}`);
    if (added !== 128 && before[added] !== this.status) {
      throw new Error(`status bit ${added} added to ${this.status}`);
    }
    this.status = value;
  }

  private locate(port: number): number {
    if ((this.fake.get(0x04, 2) & 1) === 0) throw new Error("port access while decoding is off");
    const offset = port - IO_BASE;
    if (offset < 0 || offset >= IO_BYTES) throw new Error(`access of port ${port.toString(16)}`);
    return offset;
  }

  private expect(field: string, width: Width, wanted: Width): void {
    if (width !== wanted) throw new Error(`${field} accessed with ${width} bytes, not ${wanted}`);
  }

  private expectStatus(what: string, needed: number, without: number): void {
    if ((this.status & needed) !== needed || (this.status & without) !== 0) {
      throw new Error(`${what} at status ${this.status}`);
    }
  }
}

/** Its BAR 0 says how large it is, and is sized only while nothing is decoded. */
class SizedFunction extends FakeFunction {
  override set(offset: number, width: Width, value: number): this {
    if (offset !== 0x10 || this.bytes.getUint32(0x10, true) === 0) {
      return super.set(offset, width, value);
    }
    if ((this.get(0x04, 2) & 3) !== 0) throw new Error("BAR written while it is decoded");
    return super.set(offset, width, ((value & ~(IO_BYTES - 1)) | 1) >>> 0);
  }
}
