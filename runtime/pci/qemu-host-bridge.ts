/**
 * The host bridge of QEMU's `pc` and `q35`, for a machine without ACPI's tables: QEMU decides what
 * address space it has, so it is known.
 */
import type { DescribedHostBridge } from "../acpi/dsdt.ts";
import { type PciConfigAccess, QEMU_SUBSYSTEM } from "./config.ts";

/** Address space that both machines leave to PCI. Their firmware may have assigned parts of it. */
export const QEMU_HOST_BRIDGE: DescribedHostBridge = {
  firstBus: 0,
  lastBus: 255,
  io: [{ start: 0xc000, end: 0x1_0000 }],
  memory: [{ start: 0xe000_0000, end: 0xfec0_0000 }],
  routes: [],
};

const SUBSYSTEM = 0x2c;
/** The i440FX and the Q35 of Intel. */
const IDS = [0x1237_8086, 0x29c0_8086];

/** Whether the machine's first host bridge is one of these. */
export function hasQemuHostBridge(config: PciConfigAccess): boolean {
  const address = { bus: 0, device: 0, function: 0 };
  const isQemu = config.read(address, SUBSYSTEM, 4) === QEMU_SUBSYSTEM;
  return isQemu && IDS.includes(config.read(address, 0, 4));
}
