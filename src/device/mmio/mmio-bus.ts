/**
 * A machine without PCI: slots of memory-mapped registers, the balloon in one of them (virtio 1.3,
 * 4.2.1). Nothing says where they are; a driver is told, or knows the machine.
 *
 * It must not know what is in a slot. Invariant: an address outside of all slots, and every port,
 * reads as nothing (all ones, or memory as zeros) and takes writes without effect; both are in the
 * trace.
 */

import type { MmioLayout } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { Parts } from "../snapshot/part.ts";
import { ID, MMIO_MAGIC, MMIO_VERSION } from "../spec/numbers.ts";
import type { AbsentMemory, Bus } from "../virtio/bus.ts";
import { ones, unanswered } from "../virtio/register-block.ts";
import { decoyAccess, type MmioIdentity, MmioSlot } from "./mmio-slot.ts";

export class MmioBus implements Bus {
  readonly parts: Parts;
  private readonly slots: readonly MmioSlot[];
  private readonly context: Context;
  private readonly slotBytes: number;
  private readonly absentMemory: AbsentMemory;

  /** `parts` are those of what is in the slots. */
  constructor(
    context: Context,
    slotBytes: number,
    absentMemory: AbsentMemory,
    slots: readonly MmioSlot[],
    parts: Parts = {},
  ) {
    this.context = context;
    this.slotBytes = slotBytes;
    this.absentMemory = absentMemory;
    this.slots = slots;
    const known = slots.map((slot) => [`slot 0x${slot.base.toString(16)}`, slot]);
    this.parts = { ...Object.fromEntries(known), ...parts };
  }

  portRead(port: number, width: number): number {
    return unanswered(this.context, "io read", { address: port, width });
  }

  portWrite(port: number, width: number, value: number): void {
    unanswered(this.context, "io write", { address: port, width, value });
  }

  mmioRead(address: number, width: number): number {
    const slot = this.slotAt(address);
    if (slot !== undefined) return slot.read(address - slot.base, width);
    const nothing = this.absentMemory === "zeros" ? 0 : ones(width);
    return unanswered(this.context, "memory read", { address, width }, nothing);
  }

  mmioWrite(address: number, width: number, value: number): void {
    const slot = this.slotAt(address);
    if (slot !== undefined) slot.write(address - slot.base, width, value);
    else unanswered(this.context, "memory write", { address, width, value });
  }

  private slotAt(address: number): MmioSlot | undefined {
    return this.slots.find(({ base }) => address >= base && address < base + this.slotBytes);
  }
}

/**
 * Slots that whoever probes one after the other meets before the balloon: other hardware, a version
 * that nobody knows yet, an empty slot and an entropy device. The first two pass for a balloon by
 * all that a driver must not have looked at.
 */
export function decoySlots(context: Context, { base, bytes }: MmioLayout): MmioSlot[] {
  const balloon: MmioIdentity = {
    magic: MMIO_MAGIC,
    version: MMIO_VERSION.modern,
    deviceId: ID.balloon,
    vendorId: ID.vendor,
  };
  const neighbours = [
    { identity: { ...balloon, magic: 0x1234_5678 }, rule: "M-FOREIGN" },
    { identity: { ...balloon, version: 3 }, rule: "M-FOREIGN" },
    { identity: { ...balloon, deviceId: 0 }, rule: "M-PLACEHOLDER" },
    { identity: { ...balloon, deviceId: ID.entropy }, rule: "M-WRONG-DEVICE" },
  ] as const;
  return neighbours.map(({ identity, rule }, n) => {
    const at = base - (neighbours.length - n) * bytes;
    return new MmioSlot(context, at, decoyAccess(context, identity, rule));
  });
}
