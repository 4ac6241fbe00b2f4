/**
 * A slot of memory-mapped registers: judges what a driver accesses before it has identified the
 * device, and accesses to slots that are not the balloon's (virtio 1.3, 4.2.2.2 and 4.2.3.1.1).
 */

import type { Context } from "../judge/context.ts";
import { MMIO } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import type { RegisterAccess } from "../virtio/register-block.ts";

/** The values of a slot's identifying registers. */
export interface MmioIdentity {
  readonly magic: number;
  readonly version: number;
  readonly deviceId: number;
  readonly vendorId: number;
}

/** The four identifying registers, which every slot has. */
export function identityRegisters(
  identity: MmioIdentity,
): readonly { readonly name: string; readonly offset: number; readonly value: number }[] {
  return [
    { name: "MagicValue", offset: MMIO.magicValue, value: identity.magic },
    { name: "Version", offset: MMIO.version, value: identity.version },
    { name: "DeviceID", offset: MMIO.deviceId, value: identity.deviceId },
    { name: "VendorID", offset: MMIO.vendorId, value: identity.vendorId },
  ];
}

export class MmioSlot {
  readonly base: number;
  private readonly context: Context;
  private readonly registers: RegisterAccess;
  /** Which of MagicValue and Version were read. */
  private seen = new Set<number>();
  private known = false;

  constructor(context: Context, base: number, registers: RegisterAccess) {
    this.context = context;
    this.base = base;
    this.registers = registers;
  }

  read(offset: number, width: number): number {
    const value = this.registers.read(offset, width);
    if (!this.known) this.judgeFirst("read", offset);
    return value;
  }

  write(offset: number, width: number, value: number): void {
    this.registers.write(offset, width, value);
    if (!this.known) this.judgeFirst("write", offset);
  }

  save() {
    return { seen: [...this.seen], known: this.known };
  }

  load({ seen, known }: ReturnType<MmioSlot["save"]>): void {
    this.seen = new Set(seen);
    this.known = known;
  }

  private judgeFirst(what: "read" | "write", offset: number): void {
    if (what === "read" && (offset === MMIO.magicValue || offset === MMIO.version)) {
      this.seen.add(offset);
      return;
    }
    this.known = true;
    if (what === "read" && offset === MMIO.deviceId && this.seen.size === 2) return;
    const seen = `a ${what} at offset 0x${offset.toString(16)} of an unknown slot`;
    this.context.judge.breach("M-IDENTITY", seen);
  }
}

/** The registers of another device. A driver that reads more than identifies it breaks `rule`. */
export function decoyAccess(
  context: Context,
  identity: MmioIdentity,
  rule: RuleId,
): RegisterAccess {
  const known = identityRegisters(identity);
  const free: readonly number[] = [
    MMIO.magicValue,
    MMIO.version,
    ...(rule === "M-FOREIGN" ? [] : [MMIO.deviceId]),
  ];
  const breach = (what: string, offset: number) => {
    if (context.subject === "system") return;
    const { magic, version, deviceId } = identity;
    const who = `magic 0x${magic.toString(16)}, version ${version}, device ${deviceId}`;
    context.judge.breach(rule, `a ${what} at offset 0x${offset.toString(16)} of ${who}`);
  };
  return {
    read: (offset, width) => {
      const value = known.find((one) => one.offset === offset)?.value ?? 0;
      context.trace.add("mmio", "read of a neighbour", { offset, width, value });
      if (!free.includes(offset)) breach("read", offset);
      return value;
    },
    write: (offset, width, value) => {
      context.trace.add("mmio", "write to a neighbour", { offset, width, value });
      breach("write", offset);
    },
  };
}
