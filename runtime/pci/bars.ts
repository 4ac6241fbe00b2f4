/**
 * Base address registers: where a function's registers are, and the switch that turns them on.
 *
 * BARs are read, never sized or moved: firmware assigned them. One that it left empty is reported
 * as unusable with the reason, and whoever needed it turns that into an error. It must not know
 * what lies behind a BAR.
 *
 * Invariant: a base handed out is assigned, exact, and of a space that the guest has.
 */
import { hex } from "../errors.ts";
import type { PciAddress, PciConfigAccess } from "./config.ts";

/** What one of the six registers says. */
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
export const IO_SPACE_END = 0x1_0000;
/** Addresses are numbers, exact up to here. */
export const MEMORY_SPACE_END = Number.MAX_SAFE_INTEGER + 1;
const MEMORY_32_END = 0x1_0000_0000;

/**
 * All six BARs of an ordinary function (header layout 0). The upper half of a 64-bit BAR is one.
 */
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

/** The first address that can no longer belong to this BAR. */
export function spaceEnd(bar: Bar): number {
  if (bar.kind === "io") return IO_SPACE_END;
  return bar.kind === "memory" && !bar.wide ? MEMORY_32_END : MEMORY_SPACE_END;
}

/**
 * Lets the function answer in the given spaces, use memory, and raise INTx. The command register is
 * written only when something is missing, with its own 16 bits: the other half of the dword is the
 * status register, whose bits are cleared by writing them.
 */
export function enableFunction(
  config: PciConfigAccess,
  address: PciAddress,
  spaces: { readonly io: boolean; readonly memory: boolean },
): void {
  const before = config.read(address, COMMAND, 2);
  const decode = (spaces.io ? COMMAND_IO : 0) | (spaces.memory ? COMMAND_MEMORY : 0);
  const after = (before | decode | COMMAND_BUS_MASTER) & ~COMMAND_INTX_DISABLE;
  if (after !== before) config.write(address, COMMAND, 2, after);
}

/** Takes from the function the right to touch memory and to interrupt. It still answers. */
export function disableFunction(config: PciConfigAccess, address: PciAddress): void {
  const before = config.read(address, COMMAND, 2);
  config.write(address, COMMAND, 2, (before & ~COMMAND_BUS_MASTER) | COMMAND_INTX_DISABLE);
}
