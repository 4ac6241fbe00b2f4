/**
 * A machine without PCI: slots of memory-mapped registers, the balloon in one of them (virtio 1.3,
 * 4.2.1). No register says where the slots are: a driver is told, or knows the machine.
 *
 * An address outside of all slots, and every port, reads as all ones (memory on request as zeros).
 * Writes there have no effect. Both are in the trace.
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
 * The slots before the balloon's: other hardware, an unknown version, an empty slot and an entropy
 * device. The first two have the balloon's device id, which a driver has no reason to read there.
 */
export function decoySlots(context: Context, { base, bytes }: MmioLayout): MmioSlot[] {
  const balloon: MmioIdentity = {
    magic: MMIO_MAGIC,
    version: MMIO_VERSION.modern,
    deviceId: ID.balloon,
    vendorId: ID.vendor,
  };
  const decoys = [
    { identity: { ...balloon, magic: 0x1234_5678 }, rule: "M-FOREIGN" },
    { identity: { ...balloon, version: 3 }, rule: "M-FOREIGN" },
    { identity: { ...balloon, deviceId: 0 }, rule: "M-PLACEHOLDER" },
    { identity: { ...balloon, deviceId: ID.entropy }, rule: "M-WRONG-DEVICE" },
  ] as const;
  return decoys.map(({ identity, rule }, n) => {
    const at = base - (decoys.length - n) * bytes;
    return new MmioSlot(context, at, decoyAccess(context, identity, rule));
  });
}
