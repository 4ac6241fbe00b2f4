/**
 * ACPI's tables as the driver reads them: any bytes give devices, bridges, a configuration space and
 * a button, or none, within a bounded number of reads.
 *
 *   input   a byte: raw memory, whose sums must be right, or a whole set of tables; then the memory,
 *           or a length of two bytes, as many bytes of the FADT, and the DSDT
 */

import { readDsdt } from "../../../../runtime/acpi/dsdt.ts";
import { findPowerButton } from "../../../../runtime/acpi/power-button.ts";
import { BallonetError } from "../../../../runtime/errors.ts";
import type { Hal } from "../../../../runtime/hal.ts";
import { openPciConfig } from "../../../../runtime/pci/acpi-mcfg.ts";
import { assignDescribed, describedConfig } from "../../../../runtime/pci/described.ts";
import { machine } from "../../../support/aml-bytes.ts";

const RAW = 1;
const BASE = 0xf_0000;
const MEMORY_END = 2 ** 32;
const FADT_BYTES_MAX = 200;
/** Searching, summing up and reading of 256 tables, with room to spare. */
const READS_MAX = 4_000_000;

function rawMemory(bytes: Uint8Array): Hal {
  return {
    ...machine([]),
    mmioRead: (at) => bytes[at - BASE] ?? 0,
  };
}

function tablesOf(bytes: Uint8Array): Hal {
  const length = Math.min((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8), FADT_BYTES_MAX);
  const fadt = [...bytes.subarray(2, 2 + length)];
  while (fadt.length < 8) fadt.push(0);
  return machine([...bytes.subarray(2 + length)], fadt);
}

/** Every access is counted; ports answer with the bits of their number. */
function counted(hal: Hal): Hal {
  let reads = 0;
  const count = () => {
    reads += 1;
    if (reads > READS_MAX) throw new Error(`more than ${READS_MAX} reads`);
  };
  return {
    ...hal,
    mmioRead: (address, width) => {
      count();
      if (!Number.isSafeInteger(address) || address < 0) throw new Error(`a read of ${address}`);
      return width === 1 ? hal.mmioRead(address, 1) : address % 2 ** (8 * width);
    },
    portRead: (port, width) => {
      count();
      if (!Number.isInteger(port) || port < 0 || port + width > 0x1_0000) {
        throw new Error(`a read of port ${port}`);
      }
      return (port * 0x9e37) % 2 ** (8 * width);
    },
    portWrite: (port, width, value) => {
      const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * width);
      if (!Number.isInteger(port) || port < 0 || port + width > 0x1_0000 || !fits) {
        throw new Error(`a write of ${value} to port ${port}`);
      }
    },
  };
}

export function run(input: Uint8Array): void {
  const isRaw = ((input[0] ?? 0) & RAW) !== 0;
  const hal = counted(isRaw ? rawMemory(input.subarray(1)) : tablesOf(input.subarray(1)));
  const options = { hal, memoryEnd: MEMORY_END };
  try {
    const bridges = readDsdt(options)?.hostBridges ?? [];
    const button = findPowerButton(options);
    button?.listen();
    button?.pressed();
    openPciConfig(options);
    const config = describedConfig(hal, bridges, MEMORY_END);
    const absent = { length: 256, read: () => 0xffff_ffff, write: () => {} };
    assignDescribed({
      ...{ config: config ?? absent, bridges, memoryEnd: MEMORY_END },
      ...{ ram: [], wants: () => false },
    });
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
  }
}
