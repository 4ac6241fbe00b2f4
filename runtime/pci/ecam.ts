/**
 * Configuration space in memory: the enhanced mechanism of PCI Express (PCIe Base 3.0, 7.2.2).
 *
 *   address = base + (bus << 20) + (device << 15) + (function << 12) + offset
 *
 * Firmware says where it is in ACPI's MCFG table (acpi-mcfg.ts). A bus that is in no allocation
 * reads as absent.
 */
import { BallonetError } from "../errors.ts";
import type { Hal, Width } from "../hal.ts";
import {
  checkConfigAccess,
  formatPciAddress,
  type PciAddress,
  type PciConfigAccess,
} from "./config.ts";

/** Some buses of segment 0, the only one that a `PciAddress` can name. */
export interface EcamAllocation {
  /** The address of bus 0, even when `firstBus` is another. */
  readonly base: number;
  readonly firstBus: number;
  readonly lastBus: number;
}

const ECAM_CONFIG_LENGTH = 4096;
const BUS_BYTES = 0x10_0000;
const DEVICE_BYTES = 0x8000;
const FUNCTION_BYTES = 0x1000;

/** Returns the bytes of an allocation, from the start of its first bus. */
export function ecamBytes({ firstBus, lastBus }: EcamAllocation): number {
  return (lastBus - firstBus + 1) * BUS_BYTES;
}

/** Returns access by memory. The first allocation that holds a bus counts. */
export function ecamConfigAccess(
  hal: Hal,
  allocations: readonly EcamAllocation[],
): PciConfigAccess {
  const locate = (address: PciAddress, offset: number, width: Width): number | undefined => {
    checkConfigAccess(address, offset, width, ECAM_CONFIG_LENGTH);
    const { bus, device, function: number } = address;
    const holder = allocations.find((it) => bus >= it.firstBus && bus <= it.lastBus);
    if (holder === undefined) return undefined;
    return holder.base + bus * BUS_BYTES + device * DEVICE_BYTES + number * FUNCTION_BYTES + offset;
  };
  return {
    length: ECAM_CONFIG_LENGTH,
    read(address, offset, width) {
      const at = locate(address, offset, width);
      return at === undefined ? 2 ** (8 * width) - 1 : hal.mmioRead(at, width) >>> 0;
    },
    write(address, offset, width, value) {
      const at = locate(address, offset, width);
      if (at !== undefined) return hal.mmioWrite(at, width, value);
      throw new BallonetError({
        code: "access",
        what: `PCI configuration access to ${formatPciAddress(address)}`,
        seen: "a write to a bus that is in no allocation",
        todo: "write only to functions that were found",
      });
    },
  };
}
