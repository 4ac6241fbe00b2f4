/**
 * Where MMIO devices are: no bus says it, so the command line does, or the machine is known.
 *
 * Only addresses that the caller names are read: elsewhere a read could disturb another device.
 */
import type { InterruptInput } from "../../acpi/resources.ts";
import { configError } from "../../errors.ts";
import type { Hal } from "../../hal.ts";
import { identifyMmio, type MmioSlot } from "./mmio.ts";

/** A slot and, where it is known, its interrupt line. */
export interface WiredMmioSlot extends MmioSlot {
  /** The number at the interrupt controllers; every PC has 0 to 15. */
  readonly interruptLine?: number;
  /** The same, and how the device raises it, where ACPI says it. */
  readonly input?: InterruptInput;
}

const WORD = /^virtio[-_]mmio\.device=(.*)$/;
const DEVICE = /^([^@]+)@([^:]+):(\d{1,4})(?::-?\d{1,9})?$/;
const NUMBER = /^(0[xX][0-9a-fA-F]{1,13}|\d{1,15})([kKmMgG]?)$/;
const UNITS = new Map([
  ["", 1],
  ["K", 2 ** 10],
  ["M", 2 ** 20],
  ["G", 2 ** 30],
]);

/** Slots that a command line may name, at most: more than any machine has. */
const MMIO_WORDS_MAX = 64;

/**
 * The slots that `virtio_mmio.device=<size>@<base>:<irq>[:<id>]` words name, in their order; sizes
 * and bases are decimal or hexadecimal, with K, M or G behind. Other words are left alone.
 * @throws BallonetError `config` for a word of this form that makes no sense.
 */
export function mmioSlotsOf(commandLine: string): WiredMmioSlot[] {
  const slots: WiredMmioSlot[] = [];
  for (const word of commandLine.split(/\s+/)) {
    const value = WORD.exec(word)?.[1];
    if (value === undefined) continue;
    const [, size = "", base = "", line = ""] = DEVICE.exec(value) ?? [];
    const slot = { size: numberOf(size), base: numberOf(base), interruptLine: Number(line) };
    if (Number.isNaN(slot.size + slot.base) || line === "" || slots.length === MMIO_WORDS_MAX) {
      const todo = "write virtio_mmio.device=SIZE@BASE:IRQ, as in 512@0xfeb00000:5";
      throw configError("command line", `"${word}"`, todo);
    }
    slots.push(slot);
  }
  return slots;
}

function numberOf(text: string): number {
  const [, digits = "", unit = ""] = NUMBER.exec(text) ?? [];
  const value = Number(digits) * (UNITS.get(unit.toUpperCase()) ?? 1);
  return digits === "" || !Number.isSafeInteger(value) ? Number.NaN : value;
}

/** The slots of QEMU's `microvm`. Without ACPI it uses fewer of them. */
const MICROVM = { base: 0xfeb0_0000, slotBytes: 512, slots: 24 } as const;

/**
 * The interrupt of QEMU microvm's first slot; each next slot has the next one. It depends on the
 * machine's settings: 5 without ACPI, 16 with ACPI and one I/O APIC, 24 with two.
 */
export const MICROVM_FIRST_LINES = { plain: 5, acpi: 16, secondIoApic: 24 } as const;

/** All slots of a microvm, for `findMmio`. Only where the machine has no PCI. */
export function microvmSlots(firstLine?: number): WiredMmioSlot[] {
  return Array.from({ length: MICROVM.slots }, (_, index) => ({
    base: MICROVM.base + index * MICROVM.slotBytes,
    size: MICROVM.slotBytes,
    ...(firstLine !== undefined && { interruptLine: firstLine + index }),
  }));
}

/** Returns the slots that hold a device with this virtio device id. */
export function findMmio(
  hal: Hal,
  slots: readonly WiredMmioSlot[],
  deviceId: number,
): WiredMmioSlot[] {
  return slots.filter((slot) => identifyMmio(hal, slot)?.deviceId === deviceId);
}
