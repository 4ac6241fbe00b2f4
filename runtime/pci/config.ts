/**
 * PCI configuration space: the interface, and access by ports, which every PC has. Access by memory
 * is in ecam.ts.
 */
import { BallonetError, hex } from "../errors.ts";
import type { Hal, Width } from "../hal.ts";

/** One PCI function. */
export interface PciAddress {
  /** 0 to 255. */
  readonly bus: number;
  /** 0 to 31. */
  readonly device: number;
  /** 0 to 7. */
  readonly function: number;
}

/** Access to configuration space. Absent functions read as all ones. */
export interface PciConfigAccess {
  /** Bytes of a function's configuration space: 256 by ports, 4096 by memory. */
  readonly length: number;
  /** Returns an unsigned integer. `offset` is a multiple of `width`. */
  read(address: PciAddress, offset: number, width: Width): number;
  /** Writes an unsigned integer. Only for functions that were found: some hosts crash otherwise. */
  write(address: PciAddress, offset: number, width: Width, value: number): void;
}

/** 1af4:1100, which real chipsets and other emulators do not have. */
export const QEMU_SUBSYSTEM = 0x1100_1af4;

const CONFIG_ADDRESS_PORT = 0xcf8;
const CONFIG_DATA_PORT = 0xcfc;
const CONFIG_ENABLE = 0x8000_0000;
const PORT_CONFIG_LENGTH = 256;

/** Returns "00:0b.0". */
export function formatPciAddress(address: PciAddress): string {
  const digits = (value: number) => value.toString(16).padStart(2, "0");
  return `${digits(address.bus)}:${digits(address.device)}.${address.function}`;
}

/**
 * Returns access by ports: configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2). It writes the
 * address before every access: an interrupt handler or firmware may have changed it.
 */
export function portConfigAccess(hal: Hal): PciConfigAccess {
  /** Selects the dword and returns the port of the wanted bytes in it. */
  const select = (address: PciAddress, offset: number, width: Width): number => {
    checkConfigAccess(address, offset, width, PORT_CONFIG_LENGTH);
    const target =
      CONFIG_ENABLE +
      address.bus * 0x1_0000 +
      address.device * 0x800 +
      address.function * 0x100 +
      (offset & 0xfc);
    hal.portWrite(CONFIG_ADDRESS_PORT, 4, target);
    return CONFIG_DATA_PORT + (offset & 3);
  };
  return {
    length: PORT_CONFIG_LENGTH,
    read: (address, offset, width) => hal.portRead(select(address, offset, width), width) >>> 0,
    write: (address, offset, width, value) =>
      hal.portWrite(select(address, offset, width), width, value),
  };
}

/** @throws BallonetError `access` unless it is aligned and inside of one function's `length`. */
export function checkConfigAccess(
  address: PciAddress,
  offset: number,
  width: Width,
  length: number,
): void {
  const onBus = address.bus <= 255 && address.device <= 31 && address.function <= 7;
  const inSpace = offset >= 0 && offset + width <= length && offset % width === 0;
  if (onBus && inSpace) return;
  throw new BallonetError({
    code: "access",
    what: `PCI configuration access to ${formatPciAddress(address)}`,
    seen: `offset ${hex(offset)}, width ${width}`,
    todo: `keep to naturally aligned accesses inside the function's ${length} bytes`,
  });
}
