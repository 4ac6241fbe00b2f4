/**
 * ACPI, as far as it takes to find PCI's configuration space in memory: RSDP, RSDT or XSDT, MCFG
 * (ACPI 6.4, 5.2; PCI Firmware 3.0, 4.1.2).
 *
 *   RSDP  "RSD PTR " · checksum · OEM id[6] · revision · RSDT (u32) · length (u32) · XSDT (u64) ..
 *   table  signature[4] · length (u32) · revision · checksum · .. · body from byte 36 on
 *   MCFG body  8 reserved bytes, then { base u64, segment u16, first bus, last bus, u32 }
 *
 * A machine without firmware has anything there: a table counts only when its signature, its length
 * and its checksum are right.
 */
import type { Hal } from "../hal.ts";
import { MEMORY_SPACE_END } from "./bars.ts";
import { type PciConfigAccess, portConfigAccess } from "./config.ts";
import { type EcamAllocation, ecamBytes, ecamConfigAccess } from "./ecam.ts";

export interface McfgOptions {
  readonly hal: Hal;
  /** The guest cannot reach memory at or above this address. Default 2^53. */
  readonly memoryEnd?: number;
}

/** The first byte of an RSDP: checked alone first, since most addresses fail it. */
const LETTER_R = 0x52;
const RSDP_LENGTH = 20;
const RSDP_LENGTH_2 = 36;
const RSDP_ALIGNMENT = 16;
const BIOS = { start: 0xe_0000, end: 0x10_0000 };

const HEADER_LENGTH = 36;
const MCFG_RESERVED = 8;
const MCFG_ENTRY_LENGTH = 16;
const FIRST_PAGE_END = 0x1000;

/** Bytes of a table, at most: the tables that matter here have some hundred. */
const ACPI_TABLE_MAX = 0x1_0000;
/** Tables of a machine, at most: real ones have dozens. */
const ACPI_TABLES_MAX = 256;

/** Returns where configuration space lies in memory; nothing when no firmware says so. */
export function findEcam(options: McfgOptions): EcamAllocation[] {
  const memory = new Reader(options.hal, options.memoryEnd ?? MEMORY_SPACE_END);
  const rsdp = findRsdp(memory);
  if (rsdp === undefined) return [];
  const mcfg = tablesOf(memory, rsdp).find((table) => memory.text(table, 4) === "MCFG");
  if (mcfg === undefined || !isTable(memory, mcfg)) return [];
  const found: EcamAllocation[] = [];
  const end = mcfg + memory.u32(mcfg + 4);
  const first = mcfg + HEADER_LENGTH + MCFG_RESERVED;
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
export function openPciConfig(options: McfgOptions): PciConfigAccess {
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

function isReachable(allocation: EcamAllocation, memoryEnd: number): boolean {
  const { base, firstBus, lastBus } = allocation;
  const start = base + ecamBytes({ base, firstBus: 0, lastBus: firstBus - 1 });
  return base > 0 && firstBus <= lastBus && start + ecamBytes(allocation) <= memoryEnd;
}

function findRsdp(memory: Reader): number | undefined {
  for (let at = BIOS.start; at + RSDP_LENGTH <= BIOS.end; at += RSDP_ALIGNMENT) {
    if (isRsdp(memory, at)) return at;
  }
  return undefined;
}

function isRsdp(memory: Reader, at: number): boolean {
  return (
    memory.has(at, RSDP_LENGTH) &&
    memory.u8(at) === LETTER_R &&
    memory.text(at, 4) === "RSD " &&
    memory.text(at + 4, 4) === "PTR " &&
    memory.sum(at, RSDP_LENGTH) === 0
  );
}

/** Addresses of all tables, unchecked. */
function tablesOf(memory: Reader, rsdp: number): number[] {
  const isSecond = memory.u8(rsdp + 15) >= 2 && memory.has(rsdp, RSDP_LENGTH_2);
  const xsdt = isSecond && memory.sum(rsdp, RSDP_LENGTH_2) === 0 ? memory.u64(rsdp + 24) : 0;
  if (isTable(memory, xsdt) && memory.text(xsdt, 4) === "XSDT") return pointers(memory, xsdt, 8);
  const rsdt = memory.u32(rsdp + 16);
  if (isTable(memory, rsdt) && memory.text(rsdt, 4) === "RSDT") return pointers(memory, rsdt, 4);
  return [];
}

function pointers(memory: Reader, table: number, width: 4 | 8): number[] {
  const found: number[] = [];
  const end = table + memory.u32(table + 4);
  for (let at = table + HEADER_LENGTH; at + width <= end; at += width) {
    const pointer = width === 8 ? memory.u64(at) : memory.u32(at);
    if (memory.has(pointer, HEADER_LENGTH)) found.push(pointer);
    if (found.length === ACPI_TABLES_MAX) break;
  }
  return found;
}

function isTable(memory: Reader, at: number): boolean {
  if (!memory.has(at, HEADER_LENGTH)) return false;
  const length = memory.u32(at + 4);
  if (length < HEADER_LENGTH || length > ACPI_TABLE_MAX || !memory.has(at, length)) return false;
  return memory.sum(at, length) === 0;
}

/** Reads guest memory bytewise: tables need not be aligned. */
class Reader {
  readonly end: number;
  private readonly hal: Hal;

  constructor(hal: Hal, end: number) {
    this.hal = hal;
    this.end = end;
  }

  /** The first page is left out: a guest may keep it unmapped, to catch null pointers. */
  has(at: number, length: number): boolean {
    return at >= FIRST_PAGE_END && at + length <= this.end;
  }

  u8(at: number): number {
    return this.hal.mmioRead(at, 1);
  }

  u32(at: number): number {
    return (
      this.u8(at) + this.u8(at + 1) * 2 ** 8 + this.u8(at + 2) * 2 ** 16 + this.u8(at + 3) * 2 ** 24
    );
  }

  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  text(at: number, length: number): string {
    let text = "";
    for (let index = 0; index < length; index++) text += String.fromCharCode(this.u8(at + index));
    return text;
  }

  /** The sum of the bytes modulo 256: 0 is a valid checksum. */
  sum(at: number, length: number): number {
    let sum = 0;
    for (let index = 0; index < length; index++) sum += this.u8(at + index);
    return sum & 0xff;
  }
}
