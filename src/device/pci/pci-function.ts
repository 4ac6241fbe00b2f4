/**
 * One PCI function: its configuration space and its BARs (PCI 3.0, chapter 6). A write changes only
 * the bits that the mask allows, so sizing a BAR needs no code of its own.
 */

import type { BarSpec } from "../host/profile.ts";
import { PCI, PCI_COMMAND } from "../spec/numbers.ts";
import type { RegisterAccess } from "../virtio/register-block.ts";

const CONFIG_BYTES = 256;
const BARS = 6;

/** A part of a BAR that answers accesses. */
export interface Region extends RegisterAccess {
  readonly bar: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface FunctionIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  readonly classCode: number;
  readonly headerType: number;
  readonly subsystemVendor: number;
  readonly subsystemId: number;
  readonly interruptPin: number;
}

/** Sees configuration accesses; may answer in the function's place before they happen. */
export interface ConfigWatch {
  read(offset: number, width: number): number | undefined;
  write(offset: number, width: number, value: number): boolean;
  /** Brings the bits up to date that show the device's state. */
  refresh(): void;
  /** Something at this offset was written. */
  wrote(offset: number): void;
}

export class PciFunction {
  readonly bus: number;
  readonly device: number;
  readonly number: number;
  /** Whether this is another device, which a driver of the balloon has to leave alone. */
  readonly decoy: boolean;
  readonly bars: readonly BarSpec[];
  readonly regions: Region[] = [];
  /** Called when the command register or a BAR changed. */
  onMapping: (() => void) | undefined;
  private watch: ConfigWatch | undefined;
  private readonly space = new Uint8Array(CONFIG_BYTES);
  private readonly mask = new Uint8Array(CONFIG_BYTES);

  constructor(
    place: { readonly bus: number; readonly device: number; readonly function: number },
    identity: FunctionIdentity,
    bars: readonly BarSpec[],
    decoy: boolean,
  ) {
    this.bus = place.bus;
    this.device = place.device;
    this.number = place.function;
    this.decoy = decoy;
    this.bars = bars;
    this.put(PCI.vendorId, 2, identity.vendorId);
    this.put(PCI.deviceId, 2, identity.deviceId);
    this.put(PCI.revision, 1, identity.revision);
    this.put(PCI.classCode, 3, identity.classCode);
    this.put(PCI.headerType, 1, identity.headerType);
    if ((identity.headerType & 0x7f) === 0) {
      this.put(PCI.subsystemVendor, 2, identity.subsystemVendor);
      this.put(PCI.subsystemId, 2, identity.subsystemId);
    }
    this.put(PCI.interruptPin, 1, identity.interruptPin);
    this.allow(PCI.command, 2, 0x0547);
    this.allow(PCI.interruptLine, 1, 0xff);
    for (const bar of bars) this.placeBar(bar);
  }

  /** Lets `watch` see every configuration access from now on. */
  watchWith(watch: ConfigWatch): void {
    this.watch = watch;
  }

  /** Sets bytes as the hardware does, whatever the mask. */
  put(offset: number, width: number, value: number): void {
    for (let i = 0; i < width; i += 1) this.space[offset + i] = Math.floor(value / 256 ** i) & 0xff;
  }

  /** Lets software write bits. */
  allow(offset: number, width: number, bits: number): void {
    for (let i = 0; i < width; i += 1) this.mask[offset + i] = Math.floor(bits / 256 ** i) & 0xff;
  }

  get command(): number {
    return this.get(PCI.command, 2);
  }

  decodes(kind: "io" | "memory"): boolean {
    return (this.command & (kind === "io" ? PCI_COMMAND.io : PCI_COMMAND.memory)) !== 0;
  }

  get masters(): boolean {
    return (this.command & PCI_COMMAND.busMaster) !== 0;
  }

  get raisesIntx(): boolean {
    return (this.command & PCI_COMMAND.intxDisable) === 0;
  }

  read(offset: number, width: number): number {
    return this.watch?.read(offset, width) ?? this.get(offset, width);
  }

  write(offset: number, width: number, value: number): void {
    if (this.watch?.write(offset, width, value)) return;
    let remapped = false;
    for (let i = 0; i < width; i += 1) {
      const at = offset + i;
      const mask = this.mask[at] as number;
      const byte = Math.floor(value / 256 ** i) & 0xff;
      const was = this.space[at] as number;
      const now = (was & ~mask) | (byte & mask);
      this.space[at] = now;
      if (now !== was && isMapping(at)) remapped = true;
    }
    this.watch?.wrote(offset);
    if (remapped) this.onMapping?.();
  }

  save() {
    return { space: [...this.space] };
  }

  load({ space }: ReturnType<PciFunction["save"]>): void {
    this.space.set(space);
  }

  /** Returns bytes as the hardware has them. */
  get(offset: number, width: number): number {
    let value = 0;
    for (let i = 0; i < width; i += 1) value += (this.space[offset + i] as number) * 256 ** i;
    return value;
  }

  /** Returns bytes as a read would give them, and judges nothing. */
  peek(offset: number, width: number): number {
    this.watch?.refresh();
    return this.get(offset, width);
  }

  /** Where software has put a BAR. */
  barBase(bar: BarSpec): number {
    const at = PCI.bar0 + bar.index * 4;
    const low = this.get(at, 4);
    if (bar.kind === "io") return low - (low % 4);
    const base = low - (low % 16);
    return bar.kind === "mem32" ? base : base + this.get(at + 4, 4) * 0x1_0000_0000;
  }

  private placeBar(bar: BarSpec): void {
    const at = PCI.bar0 + bar.index * 4;
    const low = bar.base % 0x1_0000_0000;
    const size = 0x1_0000_0000 - bar.bytes;
    if (bar.kind === "io") {
      this.put(at, 4, low + 1);
      this.allow(at, 4, size);
      return;
    }
    const type = (bar.kind === "mem64" ? 4 : 0) + (bar.prefetchable ? 8 : 0);
    this.put(at, 4, low + type);
    this.allow(at, 4, size);
    if (bar.kind === "mem32") return;
    this.put(at + 4, 4, Math.floor(bar.base / 0x1_0000_0000));
    this.allow(at + 4, 4, 0xffff_ffff);
  }
}

function isMapping(offset: number): boolean {
  const isBar = offset >= PCI.bar0 && offset < PCI.bar0 + BARS * 4;
  return isBar || offset === PCI.command;
}
