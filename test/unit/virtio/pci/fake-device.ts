/**
 * A modern virtio PCI device for tests of the transport and of bring-up. It moves no buffers.
 *
 * It is stricter than the specification: a field takes one width, in one order of steps, and every
 * access that a driver has no business with throws. What it lets pass is recorded in `log`.
 */
import type { Hal, Width } from "../../../../runtime/hal.ts";
import { type PciConfigAccess, portConfigAccess } from "../../../../runtime/pci/config.ts";
import { FakeConfigSpace, FakeFunction, virtioCap } from "../../pci/config-space.ts";
import { MsixTable, msixCap } from "../../pci/msix-table.ts";

export const FAKE_ADDRESS = { bus: 0, device: 0x0b, function: 0 };

export interface FakeQueue {
  readonly max: number;
  size: number;
  enabled: boolean;
  vector: number;
  resetReads: number;
  wasReset: boolean;
  readonly notifyOff: number;
  /** The six halves: desc low, desc high, driver low, and so on; undefined until written. */
  readonly areas: (number | undefined)[];
}

export interface FakeDeviceOptions {
  /** Offered features, as words. */
  readonly words?: readonly number[];
  readonly queueSizes?: readonly number[];
  readonly config?: readonly number[];
  readonly space?: "io" | "memory" | "memory-64";
  readonly notifyOffMultiplier?: number;
  /** Queue index to queue_notify_off. Default: the index itself. */
  readonly notifyOff?: (index: number) => number;
  /** How many reads of the status after a reset do not show 0. */
  readonly resetReads?: number;
  /** Whether FEATURES_OK sticks with these accepted words. */
  readonly accepts?: (words: readonly number[]) => boolean;
  /** Whether the device sets DEVICE_NEEDS_RESET as soon as it sees DRIVER_OK. */
  readonly breaksAtDriverOk?: boolean;
  /** Bytes of common configuration. Default 0x38, which has no queue_reset. */
  readonly commonLength?: number;
  /** Entries of the MSI-X table, which lies in memory. Default 0: no MSI-X. */
  readonly vectors?: number;
}

const BASE = { io: 0xd000, memory: 0xfebf_0000, "memory-64": 0x80_0000_0000 } as const;
const TABLE_BASE = 0xfe00_0000;
const CAPABILITY_MSIX_AT = 0xd0;
const COMMON_AT = 0x000;
const ISR_AT = 0x101;
const DEVICE_AT = 0x200;
const NOTIFY_AT = 0x800;
const END = 0x1000;

export class FakeDevice {
  readonly log: string[] = [];
  readonly space = new FakeConfigSpace();
  readonly config: PciConfigAccess = portConfigAccess(this.space.hal);
  readonly hal: Hal = this.space.hal;
  readonly fake: FakeFunction;
  readonly queues: FakeQueue[];
  readonly deviceConfig: number[];
  readonly table: MsixTable;
  configVector = 0xffff;
  readonly accepted = [0, 0];
  readonly notified: { readonly offset: number; readonly value: number }[] = [];
  status = 0;
  isr = 0;
  gone = false;
  private readonly options: FakeDeviceOptions;
  private readonly base: number;
  private resetReadsLeft = 0;
  private wasReset = false;
  private deviceFeatureSelect = 0;
  private driverFeatureSelect = 0;
  private queueSelect = -1;

  constructor(options: FakeDeviceOptions = {}) {
    this.options = options;
    this.deviceConfig = [...(options.config ?? [0, 0])];
    this.queues = (options.queueSizes ?? [128, 128, 128]).map((max, index) => ({
      max,
      size: max,
      enabled: false,
      vector: 0xffff,
      resetReads: 0,
      wasReset: false,
      notifyOff: options.notifyOff?.(index) ?? index,
      areas: [],
    }));
    const kind = options.space ?? "io";
    this.base = BASE[kind];
    this.fake = this.space.add("00:0b.0", new FakeFunction(0x1af4, 0x1045));
    this.describe(kind, options.notifyOffMultiplier ?? 2);
    this.table = new MsixTable(this.fake, CAPABILITY_MSIX_AT, options.vectors ?? 0);
    const read = (at: number, width: Width) => this.read(at, width);
    const write = (at: number, width: Width, value: number) => this.write(at, width, value);
    if (kind === "io") {
      this.space.otherPorts = { portRead: read, portWrite: write };
      this.space.memory = {
        mmioRead: (at, width) => this.table.read(at - TABLE_BASE, width),
        mmioWrite: (at, width, value) => this.table.write(at - TABLE_BASE, width, value),
      };
    } else {
      this.space.memory = { mmioRead: read, mmioWrite: write };
    }
  }

  private describe(kind: "io" | "memory" | "memory-64", multiplier: number): void {
    const type = { io: 1, memory: 0, "memory-64": 0xc }[kind];
    this.fake.set(0x10, 4, 0); // a decoy: BAR 0 is not there
    this.fake.set(0x18, 4, (this.base % 2 ** 32) + type);
    if (kind === "memory-64") this.fake.set(0x1c, 4, Math.floor(this.base / 2 ** 32));
    const vectors = this.options.vectors ?? 0;
    this.fake.set(0x20, 4, TABLE_BASE).set(0x3d, 1, 1);
    const msix = { at: CAPABILITY_MSIX_AT, bytes: msixCap(vectors, 4, 0) };
    this.fake.capabilities([
      { at: 0x40, bytes: [0x05, 0, 0, 0] },
      { at: 0x48, bytes: virtioCap(1, 7, 0, 0x1000) }, // reserved BAR value
      { at: 0x58, bytes: virtioCap(77, 2, 0, 0x1000) }, // reserved cfg_type
      { at: 0x68, bytes: virtioCap(1, 2, COMMON_AT, this.options.commonLength ?? 0x38) },
      { at: 0x78, bytes: virtioCap(1, 0, 0, 0x1000) }, // a second one, which must not be preferred
      { at: 0x88, bytes: virtioCap(2, 2, NOTIFY_AT, 0x800, [multiplier]) },
      { at: 0x9c, bytes: virtioCap(3, 2, ISR_AT, 1) },
      { at: 0xac, bytes: virtioCap(4, 2, DEVICE_AT, 4 * this.deviceConfig.length) },
      { at: 0xbc, bytes: virtioCap(5, 0, 0, 0, [0]) },
      ...(vectors > 0 ? [msix] : []),
    ]);
  }

  private read(at: number, width: Width): number {
    if (this.gone) return 2 ** (8 * width) - 1;
    const offset = this.locate(at);
    if (offset === ISR_AT) return this.readIsr(width);
    if (offset >= DEVICE_AT && offset < NOTIFY_AT) return this.readDeviceConfig(offset, width);
    const value = this.readCommon(offset, width);
    this.log.push(`read ${offset.toString(16)}`);
    return value;
  }

  private readIsr(width: Width): number {
    this.expectWidth("isr", width, 1);
    const isr = this.isr;
    this.isr = 0;
    return isr;
  }

  private readDeviceConfig(offset: number, width: Width): number {
    this.expectWidth("device configuration", width, 4);
    const value = this.deviceConfig[(offset - DEVICE_AT) / 4];
    if (value === undefined) throw new Error(`no device configuration at ${offset - DEVICE_AT}`);
    return value;
  }

  private readCommon(offset: number, width: Width): number {
    if (offset !== 0x14 && this.resetReadsLeft > 0) throw new Error("access amid a reset");
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case 0x04:
        this.expectWidth("device_feature", width, 4);
        return this.options.words?.[this.deviceFeatureSelect] ?? 0;
      case 0x10:
        this.expectWidth("config_msix_vector", width, 2);
        return this.configVector;
      case 0x12:
        this.expectWidth("num_queues", width, 2);
        return this.queues.length;
      case 0x14:
        this.expectWidth("device_status", width, 1);
        if (this.resetReadsLeft > 0) {
          this.resetReadsLeft--;
          return 0x0f;
        }
        return this.status;
      case 0x18:
        this.expectWidth("queue_size", width, 2);
        return queue?.size ?? 0;
      case 0x1a:
        this.expectWidth("queue_msix_vector", width, 2);
        return queue?.vector ?? 0xffff;
      case 0x3a:
        this.expectWidth("queue_reset", width, 2);
        return queue ? this.readQueueReset(queue) : 0;
      case 0x1c:
        this.expectWidth("queue_enable", width, 2);
        return queue?.enabled ? 1 : 0;
      case 0x1e:
        this.expectWidth("queue_notify_off", width, 2);
        return queue?.notifyOff ?? 0;
      default:
        throw new Error(`read of offset ${offset.toString(16)}`);
    }
  }

  /** The device is done at the last look; queue_enable falls one look later. */
  private readQueueReset(queue: FakeQueue): number {
    if (queue.resetReads === 0) queue.enabled = false;
    else queue.resetReads -= 1;
    return queue.resetReads > 0 ? 1 : 0;
  }

  private write(at: number, width: Width, value: number): void {
    if (this.gone) return;
    const offset = this.locate(at);
    if (value < 0 || value >= 2 ** (8 * width)) throw new Error(`${value} does not fit ${width}`);
    if (offset >= NOTIFY_AT) {
      const wantsPlace = ((this.accepted[1] ?? 0) & 0x40) !== 0;
      this.expectWidth("notify", width, wantsPlace ? 4 : 2);
      if ((this.status & 4) === 0) throw new Error("notification before DRIVER_OK");
      this.notified.push({ offset: offset - NOTIFY_AT, value });
      return;
    }
    this.log.push(`write ${offset.toString(16)}=${value.toString(16)}`);
    if (offset >= DEVICE_AT) {
      this.expectWidth("device configuration", width, 4);
      this.deviceConfig[(offset - DEVICE_AT) / 4] = value;
      return;
    }
    if (offset === 0x14) this.writeStatus(width, value);
    else this.writeCommon(offset, width, value);
  }

  private writeCommon(offset: number, width: Width, value: number): void {
    if (this.resetReadsLeft > 0) throw new Error("access amid a reset");
    switch (offset) {
      case 0x00:
        this.expectWidth("device_feature_select", width, 4);
        this.expectStatus("device_feature_select", 2, 4);
        this.deviceFeatureSelect = value;
        return;
      case 0x08:
        this.expectWidth("driver_feature_select", width, 4);
        this.driverFeatureSelect = value;
        return;
      case 0x0c:
        this.expectWidth("driver_feature", width, 4);
        this.expectStatus("driver_feature", 2, 8);
        this.accepted[this.driverFeatureSelect] = value;
        return;
      case 0x10:
        this.expectWidth("config_msix_vector", width, 2);
        this.configVector = this.acceptedVector(value);
        return;
      case 0x16:
        this.expectWidth("queue_select", width, 2);
        this.queueSelect = value;
        return;
      default:
        this.writeQueue(offset, width, value);
    }
  }

  private writeQueue(offset: number, width: Width, value: number): void {
    const queue = this.queues[this.queueSelect];
    if (!queue) throw new Error(`write to queue ${this.queueSelect}, which is not there`);
    if (offset === 0x3a) {
      this.expectWidth("queue_reset", width, 2);
      if (value !== 1 || !queue.enabled) throw new Error(`queue_reset ${value}`);
      if (((this.accepted[1] ?? 0) & 0x100) === 0) throw new Error("reset without RING_RESET");
      Object.assign(queue, { resetReads: 3, size: queue.max, vector: 0xffff, wasReset: true });
      return;
    }
    this.expectStatus("queue set-up", 8, queue.wasReset ? 0 : 4);
    if (queue.enabled) throw new Error("write to an enabled queue");
    if (offset === 0x1a) {
      this.expectWidth("queue_msix_vector", width, 2);
      queue.vector = this.acceptedVector(value);
    } else if (offset === 0x18) {
      this.expectWidth("queue_size", width, 2);
      if (value === 0 || value > queue.max || (value & (value - 1)) !== 0) {
        throw new Error(`queue_size ${value}`);
      }
      queue.size = value;
    } else if (offset === 0x1c) {
      this.expectWidth("queue_enable", width, 2);
      if (value !== 1) throw new Error(`queue_enable ${value}`);
      for (let half = 0; half < 6; half++) {
        if (queue.areas[half] === undefined) throw new Error(`enabled without address ${half}`);
      }
      queue.enabled = true;
    } else if (offset >= 0x20 && offset < 0x38) {
      this.expectWidth("queue address", width, 4);
      queue.areas[(offset - 0x20) / 4] = value;
    } else {
      throw new Error(`write of offset ${offset.toString(16)}`);
    }
  }

  private acceptedVector(value: number): number {
    if (!this.table.isEnabled) throw new Error("a vector while MSI-X is off");
    return value < (this.options.vectors ?? 0) ? value : 0xffff;
  }

  private writeStatus(width: Width, value: number): void {
    this.expectWidth("device_status", width, 1);
    if (value === 0) {
      this.reset();
      return;
    }
    if (this.resetReadsLeft > 0) throw new Error("status written amid a reset");
    if (!this.wasReset) throw new Error("status written before any reset");
    if ((this.status & ~value) !== 0) throw new Error(`status bits cleared: ${value}`);
    const before: Record<number, number> = { 2: 1, 8: 3, 4: 11, 1: 0 };
    const added = value & ~this.status;
    if (added !== 128 && before[added] !== this.status) {
      throw new Error(`status bit ${added} added to ${this.status}`);
    }
    const refused = added === 8 && this.options.accepts?.(this.accepted) === false;
    this.status = refused ? value & ~8 : value;
    if (added === 4 && this.options.breaksAtDriverOk) this.status |= 64;
  }

  private reset(): void {
    this.status = 0;
    this.wasReset = true;
    this.resetReadsLeft = this.options.resetReads ?? 0;
    this.accepted.fill(0);
    this.configVector = 0xffff;
    for (const queue of this.queues) {
      Object.assign(queue, { size: queue.max, enabled: false, vector: 0xffff, wasReset: false });
      queue.areas.length = 0;
    }
  }

  private locate(at: number): number {
    const command = this.fake.get(0x04, 2);
    const needed = this.base < 0x1_0000 ? 1 : 2;
    if ((command & needed) === 0) throw new Error("access while decoding is off");
    const offset = at - this.base;
    if (offset < 0 || offset >= END) throw new Error(`access at ${at.toString(16)}`);
    return offset;
  }

  private expectWidth(field: string, width: Width, wanted: Width): void {
    if (width !== wanted) throw new Error(`${field} accessed with ${width} bytes, not ${wanted}`);
  }

  private expectStatus(what: string, needed: number, without: number): void {
    if ((this.status & needed) === 0 || (this.status & without) !== 0) {
      throw new Error(`${what} at status ${this.status}`);
    }
  }
}
