/**
 * ACPI's table MCFG, which says where PCI's configuration space lies in memory (PCI Firmware 3.0,
 * 4.1.2).
 *
 *   MCFG body  8 reserved bytes, then { base u64, segment u16, first bus, last bus, u32 }
 */
import { AcpiMemory, type AcpiOptions, findTable, TABLE_HEADER_LENGTH } from "../acpi/tables.ts";
import { type PciConfigAccess, portConfigAccess } from "./config.ts";
import { type EcamAllocation, ecamBytes, ecamConfigAccess } from "./ecam.ts";

const MCFG_RESERVED = 8;
const MCFG_ENTRY_LENGTH = 16;

/** Returns where configuration space lies in memory; nothing when no firmware says so. */
export function findEcam(options: AcpiOptions): EcamAllocation[] {
  const memory = new AcpiMemory(options);
  const mcfg = findTable(memory, "MCFG");
  if (mcfg === undefined) return [];
  const found: EcamAllocation[] = [];
  const end = mcfg + memory.u32(mcfg + 4);
  const first = mcfg + TABLE_HEADER_LENGTH + MCFG_RESERVED;
  for (let at = first; at + MCFG_ENTRY_LENGTH <= end; at += MCFG_ENTRY_LENGTH) {
    const allocation = {
      base: memory.u64(at),
      firstBus: memory.u8(at + 10),
      lastBus: memory.u8(at + 11),
    };
    const isFirstSegment = memory.u8(at + 8) === 0 && memory.u8(at + 9) === 0;
    if (isFirstSegment && isReachable(allocation, memory.end)) found.push(allocation);
  }
  return found;
}

/**
 * Returns access by memory where firmware says that it exists and bus 0 answers as it does by
 * ports; otherwise access by ports.
 */
export function openPciConfig(options: AcpiOptions): PciConfigAccess {
  const ports = portConfigAccess(options.hal);
  const allocations = findEcam(options);
  if (!allocations.some(({ firstBus }) => firstBus === 0)) return ports;
  const ecam = ecamConfigAccess(options.hal, allocations);
  const hostBridge = { bus: 0, device: 0, function: 0 };
  const seen = ports.read(hostBridge, 0, 4);
  // A machine without the ports reads ones there: then memory alone must answer.
  if (seen !== 0xffff_ffff && seen !== ecam.read(hostBridge, 0, 4)) return ports;
  return ecam.read(hostBridge, 0, 4) === 0xffff_ffff ? ports : ecam;
}

/** Whether the guest can reach all of it. */
export function isReachable(allocation: EcamAllocation, memoryEnd: number): boolean {
  const { base, firstBus, lastBus } = allocation;
  const start = base + ecamBytes({ base, firstBus: 0, lastBus: firstBus - 1 });
  return base > 0 && firstBus <= lastBus && start + ecamBytes(allocation) <= memoryEnd;
}
