/**
 * The raw driver over MMIO, in both versions of the registers.
 *
 * Used as `bringUp` and the helpers use it, it breaks no rule.
 */
import { createMachine, type MachineOptions } from "../../../../src/device/index.ts";
import { type FIELD, FRAMES, RawDriver } from "./raw-driver.ts";

/** Where the machine puts the registers unless it is told. */
export const BASE = 0xfeb0_0e00;
const SLOT = 0x200;
/** The slots before the balloon's, by what they have that a balloon has not. */
export const NEIGHBOUR = {
  magic: BASE - 4 * SLOT,
  version: BASE - 3 * SLOT,
  empty: BASE - 2 * SLOT,
  entropy: BASE - SLOT,
} as const;

/** Offsets of the registers. */
export const REGISTER = {
  magic: 0x00,
  version: 0x04,
  deviceId: 0x08,
  vendorId: 0x0c,
  offer: 0x10,
  offerSelect: 0x14,
  features: 0x20,
  featureSelect: 0x24,
  pageSize: 0x28,
  queueSelect: 0x30,
  queueSizeMax: 0x34,
  queueSize: 0x38,
  queueAlign: 0x3c,
  queuePfn: 0x40,
  queueReady: 0x44,
  notify: 0x50,
  interruptStatus: 0x60,
  interruptAck: 0x64,
  status: 0x70,
  desc: 0x80,
  descHigh: 0x84,
  driver: 0x90,
  driverHigh: 0x94,
  device: 0xa0,
  deviceHigh: 0xa4,
  sharedSelect: 0xac,
  sharedLength: 0xb0,
  sharedLengthHigh: 0xb4,
  sharedBase: 0xb8,
  sharedBaseHigh: 0xbc,
  queueReset: 0xc0,
  generation: 0xfc,
} as const;

const CONFIG = 0x100;
const DEVICE_CONFIG = 4;
const PAGE = 4096;
const ANY_LAYOUT = 1n << 27n;

export class MmioDriver extends RawDriver {
  base = BASE;
  version = 0;

  look(register: keyof typeof REGISTER): number {
    return this.machine.hal.mmioRead(this.base + REGISTER[register], 4);
  }

  put(register: keyof typeof REGISTER, value: number): void {
    this.machine.hal.mmioWrite(this.base + REGISTER[register], 4, value);
  }

  override discover(): void {
    this.look("magic");
    this.version = this.look("version");
    this.look("deviceId");
    if (this.version === 1) this.put("pageSize", PAGE);
  }

  /** There is one structure that this transport shares with PCI: the device configuration. */
  override read(type: number, offset: number, width: 1 | 2 | 4): number {
    expectConfig(type);
    return this.machine.hal.mmioRead(this.base + CONFIG + offset, width);
  }

  override write(type: number, offset: number, width: 1 | 2 | 4, value: number): void {
    expectConfig(type);
    this.machine.hal.mmioWrite(this.base + CONFIG + offset, width, value);
  }

  override get(field: keyof typeof FIELD): number {
    return this.look(field as keyof typeof REGISTER);
  }

  override set(field: keyof typeof FIELD, value: number): void {
    this.put(field as keyof typeof REGISTER, value);
  }

  override negotiate(leaveOut: readonly number[] = [], add: readonly number[] = []): number {
    if (this.version === 2) return super.negotiate(leaveOut, add);
    this.put("status", 1);
    this.put("status", 3);
    this.accept(this.readOffer() & (this.knows | ANY_LAYOUT));
    return this.look("status");
  }

  override setUpQueues(): void {
    for (let n = 0; n < this.queues; n += 1) {
      this.put("queueSelect", n);
      if (this.look("queueSizeMax") > 0) this.setUpQueue(n);
    }
  }

  override setUpQueue(n: number, enable = true): void {
    this.put("queueSelect", n);
    const desc = n < 3 ? 0x1000 + n * 0x8000 : 0x80000 + (n - 3) * 0x8000;
    const size = this.look("queueSizeMax");
    new Uint8Array(this.memory.buffer, desc, 0x8000).fill(0);
    this.put("queueSize", size);
    const legacy = this.version === 1;
    const driver = legacy ? desc + 16 * size : desc + 0x4000;
    const device = legacy ? Math.ceil((driver + 6 + 2 * size) / PAGE) * PAGE : desc + 0x5000;
    if (legacy) this.put("queueAlign", PAGE);
    else this.putAreas(desc, driver, device);
    this.rings[n] = { size, desc, driver, device, notifyOff: 0, idx: 0, seen: 0, order: [] };
    if (enable) this.put(legacy ? "queuePfn" : "queueReady", legacy ? desc / PAGE : 1);
  }

  override start(): void {
    if (this.version === 2) {
      super.start();
      return;
    }
    this.put("status", 7);
    this.writeActual(0);
    if (this.has(1)) this.postStats();
  }

  override kick(n: number): void {
    this.put("notify", this.has(38) ? n + this.notifyOffset(n) * 0x10000 : n);
  }

  override interrupt(): number {
    if (!this.machine.interruptPending) return 0;
    const events = this.look("interruptStatus");
    this.put("interruptAck", events);
    return events;
  }

  private putAreas(desc: number, driver: number, device: number): void {
    this.put("desc", desc);
    this.put("descHigh", 0);
    this.put("driver", driver);
    this.put("driverHigh", 0);
    this.put("device", device);
    this.put("deviceHigh", 0);
  }
}

function expectConfig(type: number): void {
  if (type !== DEVICE_CONFIG) throw new Error(`structure ${type} is not there over MMIO`);
}

/** As `rig`, with the balloon behind memory-mapped registers of this version. */
export function mmioRig(version: 1 | 2, options: Partial<MachineOptions> = {}): MmioDriver {
  const memory = new WebAssembly.Memory({ initial: (FRAMES * PAGE) / 65536 });
  const transport = version === 1 ? "legacy-mmio" : "mmio";
  return new MmioDriver(createMachine({ memory, transport, ...options }), memory);
}
