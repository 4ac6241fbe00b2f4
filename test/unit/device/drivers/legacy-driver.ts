/**
 * The raw driver on the legacy PCI interface (virtio 1.3, 4.1.4.10).
 *
 * The header stands in for the common configuration: fields that both have go by the same names. As
 * for the raw driver, it breaks no rule by itself.
 */
import { createMachine, type MachineOptions } from "../../../../src/device/index.ts";
import { type FIELD, FRAMES, POISON, RawDriver } from "./raw-driver.ts";

type Width = 1 | 2 | 4;

/** Offset and width of the header's fields; `desc` is a page number here. */
const HEADER: { readonly [name in keyof typeof FIELD]?: readonly [number, Width] } = {
  offer: [0, 4],
  features: [4, 4],
  desc: [8, 4],
  queueSize: [12, 2],
  queueSelect: [14, 2],
  status: [18, 1],
  configVector: [20, 2],
  queueVector: [22, 2],
};

const NOTIFY = 16;
const ISR = 19;
const CONFIG = 20;
const CONFIG_WITH_MSIX = 24;

export class LegacyDriver extends RawDriver {
  override discover(): void {
    this.bdf = this.find();
    const base = this.configRead(0x10) - 1;
    const place = (type: number, at: number) =>
      this.structures.set(type, { kind: "io", base: base + at });
    place(1, 0);
    place(2, NOTIFY);
    place(3, ISR);
    place(4, CONFIG);
    this.configWrite(4, 2, this.configRead(4, 2) | 7);
  }

  override movesConfig(isOn: boolean): void {
    const { base } = this.structures.get(1) as { base: number };
    this.structures.set(4, { kind: "io", base: base + (isOn ? CONFIG_WITH_MSIX : CONFIG) });
  }

  override get(field: keyof typeof FIELD): number {
    const [offset, width] = HEADER[field] as readonly [number, Width];
    return this.read(1, offset, width);
  }

  override set(field: keyof typeof FIELD, value: number): void {
    const [offset, width] = HEADER[field] as readonly [number, Width];
    this.write(1, offset, width, value);
  }

  override negotiate(leaveOut: readonly number[] = [], add: readonly number[] = []): number {
    this.set("status", 1);
    this.set("status", 3);
    this.accept(this.wanted(leaveOut, add));
    return this.get("status");
  }

  override readOffer(): bigint {
    return BigInt(this.get("offer"));
  }

  override accept(features: bigint): void {
    this.set("features", Number(features));
    this.accepted = features;
    this.eventIdx = this.has(29);
  }

  override setUpQueues(): void {
    for (let n = 0; n < this.queues; n += 1) {
      this.set("queueSelect", n);
      if (this.get("queueSize") > 0) this.setUpQueue(n);
    }
  }

  override setUpQueue(n: number, enable = true): void {
    this.set("queueSelect", n);
    const desc = n < 3 ? 0x1000 + n * 0x8000 : 0x80000 + (n - 3) * 0x8000;
    const size = this.get("queueSize");
    const driver = desc + size * 16;
    const device = Math.ceil((driver + 6 + size * 2) / 4096) * 4096;
    new Uint8Array(this.memory.buffer, desc, 0x8000).fill(0);
    this.rings[n] = { size, desc, driver, device, notifyOff: 0, idx: 0, seen: 0, order: [] };
    if (enable) this.set("desc", desc / 4096);
  }

  override start(): void {
    if (this.has(4)) this.write(4, 12, 4, POISON);
    this.set("status", 7);
    this.writeActual(0);
    if (this.has(1) && this.rings[2] !== undefined) this.postStats();
  }
}

/** A machine of 4 MiB with a legacy device, and a driver for it. */
export function legacyRig(options: Partial<MachineOptions> = {}): LegacyDriver {
  const memory = new WebAssembly.Memory({ initial: (FRAMES * 4096) / 65536 });
  const machine = createMachine({ memory, transport: "legacy", ...options });
  const driver = new LegacyDriver(machine, memory);
  driver.knows |= 1n << 27n;
  return driver;
}
