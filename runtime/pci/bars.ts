/**
 * Base address registers: where a function's registers are, and the command register that enables
 * them. Firmware or assign.ts assigns BARs; this file never moves one.
 */
import { hex } from "../errors.ts";
import type { PciAddress, PciConfigAccess } from "./config.ts";

/** One of the six registers. A base is assigned, exact, and in a space that the guest has. */
export type Bar =
  | { readonly kind: "io"; readonly base: number }
  | { readonly kind: "memory"; readonly base: number; readonly wide: boolean }
  | { readonly kind: "unusable"; readonly reason: string };

const COMMAND = 0x04;
const COMMAND_IO = 1;
const COMMAND_MEMORY = 2;
const COMMAND_BUS_MASTER = 4;
const COMMAND_INTX_DISABLE = 0x400;
const FIRST_BAR = 0x10;

export const BAR_COUNT = 6;
/** x86 has this many I/O ports, whatever a 32-bit I/O BAR could say. */
const IO_SPACE_END = 0x1_0000;
/** Addresses are numbers, exact up to here. */
export const MEMORY_SPACE_END = Number.MAX_SAFE_INTEGER + 1;
const MEMORY_32_END = 0x1_0000_0000;

/** Returns all six BARs of an ordinary function (header layout 0); a 64-bit BAR takes two. */
export function readBars(config: PciConfigAccess, address: PciAddress): readonly Bar[] {
  const words: number[] = [];
  for (let index = 0; index < BAR_COUNT; index++) {
    words.push(config.read(address, FIRST_BAR + 4 * index, 4));
  }
  const bars: Bar[] = [];
  while (bars.length < BAR_COUNT) {
    const bar = decodeBar(words[bars.length] as number, words[bars.length + 1]);
    bars.push(bar);
    if (isWide(words[bars.length - 1] as number) && bars.length < BAR_COUNT) {
      bars.push({ kind: "unusable", reason: "the upper half of a 64-bit BAR" });
    }
  }
  return bars;
}

/** Bits 2:1 of a memory BAR name its type; 2 is 64 bits wide (PCI Local Bus 3.0, 6.2.5.1). */
function isWide(word: number): boolean {
  return (word & 7) === 4;
}

function decodeBar(word: number, next: number | undefined): Bar {
  if ((word & 1) === 1) {
    const base = (word & ~3) >>> 0;
    if (base === 0) return { kind: "unusable", reason: "an I/O BAR with no address assigned" };
    if (base < IO_SPACE_END) return { kind: "io", base };
    return { kind: "unusable", reason: `an I/O BAR beyond the ports, at ${hex(base)}` };
  }
  if ((word & 6) === 6) return { kind: "unusable", reason: "a memory BAR of the reserved type" };
  const wide = isWide(word);
  if (wide && next === undefined) {
    return { kind: "unusable", reason: "a 64-bit BAR without room for its upper half" };
  }
  const base = ((word & ~15) >>> 0) + (wide ? (next as number) * MEMORY_32_END : 0);
  if (base === 0) return { kind: "unusable", reason: "a memory BAR with no address assigned" };
  if (base < MEMORY_SPACE_END) return { kind: "memory", base, wide };
  return { kind: "unusable", reason: `a memory BAR beyond 2^53, at ${hex(base)}` };
}

/** The end of the address space that this BAR is in. */
export function spaceEnd(bar: Bar): number {
  if (bar.kind === "io") return IO_SPACE_END;
  return bar.kind === "memory" && !bar.wide ? MEMORY_32_END : MEMORY_SPACE_END;
}

/**
 * Returns the bytes that the BAR decodes, 0 for none. Of a 64-bit BAR, `index` is the lower half's.
 * The function decodes nothing meanwhile; then its registers are as before (PCI 3.0, 6.2.5.1).
 */
export function sizeBar(config: PciConfigAccess, address: PciAddress, index: number): number {
  const at = FIRST_BAR + 4 * index;
  const command = config.read(address, COMMAND, 2);
  const decoding = (command & (COMMAND_IO | COMMAND_MEMORY)) !== 0;
  if (decoding) config.write(address, COMMAND, 2, command & ~(COMMAND_IO | COMMAND_MEMORY));
  const low = probeBits(config, address, at);
  const isIo = (low & 1) === 1;
  // The upper half of an I/O BAR may be fixed at zero; a memory BAR's need not be there at all.
  const high = !isIo && isWide(low) && index + 1 < BAR_COUNT;
  const ones = high ? probeBits(config, address, at + 4) : 0xffff_ffff;
  if (decoding) config.write(address, COMMAND, 2, command);
  if (low === 0) return 0;
  const bits = isIo ? (low & 0xfffc) >>> 0 : (low & ~15) >>> 0;
  if (isIo) return bits === 0 ? 0 : IO_SPACE_END - bits;
  return bits === 0 ? (2 ** 32 - ones) * 2 ** 32 : 2 ** 32 - bits + (2 ** 32 - 1 - ones) * 2 ** 32;
}

/** Writes all ones, returns what the register keeps of them, and restores it. */
function probeBits(config: PciConfigAccess, address: PciAddress, at: number): number {
  const before = config.read(address, at, 4);
  config.write(address, at, 4, 0xffff_ffff);
  const bits = config.read(address, at, 4);
  config.write(address, at, 4, before);
  return bits;
}

export interface EnableOptions {
  readonly io: boolean;
  readonly memory: boolean;
  /** Whether the function may raise its line. Default true. */
  readonly intx?: boolean;
}

/**
 * Lets the function answer in the given spaces, use memory, and raise INTx. The command register is
 * written only when something is missing, with its own 16 bits: the other half of the dword is the
 * status register, whose bits are cleared by writing them.
 */
export function enableFunction(
  config: PciConfigAccess,
  address: PciAddress,
  { io, memory, intx = true }: EnableOptions,
): void {
  const before = config.read(address, COMMAND, 2);
  const decode = (io ? COMMAND_IO : 0) | (memory ? COMMAND_MEMORY : 0);
  const able = before | decode | COMMAND_BUS_MASTER;
  const after = intx ? able & ~COMMAND_INTX_DISABLE : able | COMMAND_INTX_DISABLE;
  if (after !== before) config.write(address, COMMAND, 2, after);
}

/** Forbids the function to access memory and to raise INTx. It still answers. */
export function disableFunction(config: PciConfigAccess, address: PciAddress): void {
  const before = config.read(address, COMMAND, 2);
  config.write(address, COMMAND, 2, (before & ~COMMAND_BUS_MASTER) | COMMAND_INTX_DISABLE);
}
