/**
 * ACPI's tables: RSDP, then RSDT or XSDT, then the table with a signature (ACPI 6.4, 5.2).
 *
 *   RSDP  "RSD PTR " · checksum · OEM id[6] · revision · RSDT (u32) · length (u32) · XSDT (u64) ..
 *   table  signature[4] · length (u32) · revision · checksum · .. · body from byte 36 on
 *
 * A machine without firmware has anything there: a table counts only when its signature, its length
 * and its checksum are right.
 */
import type { Hal } from "../hal.ts";

/** How ACPI's tables are reached. */
export interface AcpiOptions {
  readonly hal: Hal;
  /** The guest cannot reach memory at or above this address. Default 2^53. */
  readonly memoryEnd?: number;
  /** The address of the RSDP where it is known; 0: there is none. Default: it is searched for. */
  readonly acpiRoot?: number;
}

/** The first byte of an RSDP: checked alone first, since most addresses fail it. */
const LETTER_R = 0x52;
const RSDP_LENGTH = 20;
const RSDP_LENGTH_2 = 36;
const RSDP_ALIGNMENT = 16;
const BIOS = { start: 0xe_0000, end: 0x10_0000 };

/** The body of every table starts here. */
export const TABLE_HEADER_LENGTH = 36;
const FIRST_PAGE_END = 0x1000;
const MEMORY_SPACE_END = 2 ** 53;

/** Bytes of a table, at most: those of a host with every option have some 20,000. */
const TABLE_BYTES_MAX = 0x1_0000;
/** Tables of a machine, at most: real ones have dozens. */
const TABLES_MAX = 256;

/** Returns the address of the first table with this signature; undefined: there is none. */
export function findTable(memory: AcpiMemory, signature: string): number | undefined {
  const rsdp = memory.root;
  if (rsdp === undefined) return undefined;
  const table = tablesOf(memory, rsdp).find((it) => memory.text(it, 4) === signature);
  return table !== undefined && isTable(memory, table) ? table : undefined;
}

/** Whether a whole table, with a right checksum, is at this address. */
export function isTable(memory: AcpiMemory, at: number): boolean {
  if (!memory.has(at, TABLE_HEADER_LENGTH)) return false;
  const length = memory.u32(at + 4);
  if (length < TABLE_HEADER_LENGTH || length > TABLE_BYTES_MAX) return false;
  return memory.has(at, length) && memory.sum(at, length) === 0;
}

function isRsdp(memory: AcpiMemory, at: number): boolean {
  return (
    memory.has(at, RSDP_LENGTH) &&
    memory.u8(at) === LETTER_R &&
    memory.text(at, 4) === "RSD " &&
    memory.text(at + 4, 4) === "PTR " &&
    memory.sum(at, RSDP_LENGTH) === 0
  );
}

/** Addresses of all tables, unchecked. */
function tablesOf(memory: AcpiMemory, rsdp: number): number[] {
  const isSecond = memory.u8(rsdp + 15) >= 2 && memory.has(rsdp, RSDP_LENGTH_2);
  const xsdt = isSecond && memory.sum(rsdp, RSDP_LENGTH_2) === 0 ? memory.u64(rsdp + 24) : 0;
  if (isTable(memory, xsdt) && memory.text(xsdt, 4) === "XSDT") return pointers(memory, xsdt, 8);
  const rsdt = memory.u32(rsdp + 16);
  if (isTable(memory, rsdt) && memory.text(rsdt, 4) === "RSDT") return pointers(memory, rsdt, 4);
  return [];
}

function pointers(memory: AcpiMemory, table: number, width: 4 | 8): number[] {
  const found: number[] = [];
  const end = table + memory.u32(table + 4);
  for (let at = table + TABLE_HEADER_LENGTH; at + width <= end; at += width) {
    const pointer = width === 8 ? memory.u64(at) : memory.u32(at);
    if (memory.has(pointer, TABLE_HEADER_LENGTH)) found.push(pointer);
    if (found.length === TABLES_MAX) break;
  }
  return found;
}

/** Guest memory, read bytewise: tables need not be aligned. */
export class AcpiMemory {
  readonly end: number;
  private readonly hal: Hal;
  private readonly told: number | undefined;

  constructor({ hal, memoryEnd = MEMORY_SPACE_END, acpiRoot }: AcpiOptions) {
    this.hal = hal;
    this.end = memoryEnd;
    this.told = acpiRoot;
  }

  /** The address of the RSDP; undefined: there is none. */
  get root(): number | undefined {
    if (this.told !== undefined) return isRsdp(this, this.told) ? this.told : undefined;
    for (let at = BIOS.start; at + RSDP_LENGTH <= BIOS.end; at += RSDP_ALIGNMENT) {
      if (isRsdp(this, at)) return at;
    }
    return undefined;
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

  bytes(at: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, index) => this.u8(at + index));
  }

  /** The sum of the bytes modulo 256: 0 is a valid checksum. */
  sum(at: number, length: number): number {
    let sum = 0;
    for (let index = 0; index < length; index++) sum += this.u8(at + index);
    return sum & 0xff;
  }
}
