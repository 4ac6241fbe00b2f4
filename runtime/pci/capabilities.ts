/**
 * The capability list of a PCI function. The device wrote it, so the list may have loops.
 */
import type { PciAddress, PciConfigAccess } from "./config.ts";

/** One entry of the list. */
export interface PciCapability {
  readonly id: number;
  /** Where in configuration space it starts; a multiple of 4, at least 0x40. */
  readonly offset: number;
}

/** The capability id of vendor-specific entries, such as virtio's. */
export const CAPABILITY_VENDOR_SPECIFIC = 0x09;

const STATUS = 0x06;
const STATUS_CAPABILITY_LIST = 0x10;
const CAPABILITIES_POINTER = 0x34;
const FIRST_CAPABILITY = 0x40;
/** The list is in the first 256 bytes, even when configuration space is larger. */
export const CAPABILITIES_END = 0x100;

/** An entry takes at least 4 of the list's 192 bytes: more entries than this is a loop. */
export const CAPABILITIES_MAX = (CAPABILITIES_END - FIRST_CAPABILITY) / 4;

/**
 * Returns the capability list, in the device's order. A pointer that leaves the space, or leads
 * back to an entry already seen, ends the walk; what was found before it counts. The lowest two
 * bits of a pointer are reserved (PCI Local Bus 3.0, 6.7).
 */
export function readCapabilities(config: PciConfigAccess, address: PciAddress): PciCapability[] {
  const found: PciCapability[] = [];
  if ((config.read(address, STATUS, 2) & STATUS_CAPABILITY_LIST) === 0) return found;
  const visited = new Set<number>();
  let offset = config.read(address, CAPABILITIES_POINTER, 1) & 0xfc;
  while (offset >= FIRST_CAPABILITY && !visited.has(offset) && visited.size < CAPABILITIES_MAX) {
    visited.add(offset);
    found.push({ id: config.read(address, offset, 1), offset });
    offset = config.read(address, offset + 1, 1) & 0xfc;
  }
  return found;
}
