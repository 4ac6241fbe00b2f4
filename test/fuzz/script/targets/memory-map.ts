/**
 * A memory map, as the boot code has sorted it: any gives an arena and RAM that do not touch each
 * other, or the number of bytes that are missing. The ledger takes what is planned.
 *
 *   input   two bytes of settings, the core's end in MiB as two bytes, then ranges of 8 bytes: the
 *           gap before each and its length, in pages, times a power of two in the highest nibble
 */
import { openMemory } from "../../../../runtime/core/arena.ts";
import { BallonetError } from "../../../../runtime/errors.ts";
import { makeSettings } from "../../../../runtime/index.ts";
import { planMemory } from "../../../../runtime/kernel/memory-plan.ts";
import { instantiateCore } from "../../../support/core-instance.ts";

const PAGE = 4096;
const MEBIBYTE = 2 ** 20;
/** Where the core's own memory ends here: an arena must lie below it to be opened. */
const MEMORY_BYTES = 16 * MEBIBYTE;
const memory = new WebAssembly.Memory({ initial: MEMORY_BYTES / 65536 });
const core = instantiateCore(memory);
const HEADER = 4;
const RANGE = 8;
const NIBBLE = 0x1000_0000;
/** A ledger for more is not opened here: it would be zeroed each time. */
const FRAMES_MAX = 2 ** 20;

interface Range {
  readonly start: number;
  readonly bytes: number;
}

function pages(view: DataView, at: number): number {
  const word = view.getUint32(at, true);
  return (word % NIBBLE) * 2 ** Math.floor(word / NIBBLE);
}

function rangesIn(view: DataView): Range[] {
  const found: Range[] = [];
  let end = 1;
  for (let at = HEADER; at + RANGE <= view.byteLength; at += RANGE) {
    const start = end + pages(view, at);
    const length = pages(view, at + 4);
    if (length === 0) continue;
    end = start + length;
    if (end > 2 ** 40) break;
    found.push({ start: start * PAGE, bytes: length * PAGE });
  }
  return found;
}

const sum = (ranges: readonly Range[]) => ranges.reduce((total, { bytes }) => total + bytes, 0);
const isInside = ({ start, bytes }: Range, all: readonly Range[]) =>
  all.some((it) => start >= it.start && start + bytes <= it.start + it.bytes);
const touches = (one: Range, other: Range) =>
  one.start < other.start + other.bytes && other.start < one.start + one.bytes;

export function run(input: Uint8Array): void {
  if (input.length < HEADER) return;
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const available = rangesIn(view);
  const settings = makeSettings({
    buffersInFlight: 1 + (view.getUint8(0) % 64),
    pfnsPerBuffer: 1 + (view.getUint8(1) % 256),
  });
  const coreEnd = Math.max(1, view.getUint16(2, true)) * MEBIBYTE;
  const plan = planMemory({ core, settings, available, coreEnd });
  if (typeof plan === "number") {
    if (!(plan > 0)) throw new Error(`${plan} bytes are missing`);
    return;
  }
  const { arena, ram, unusedBytes } = plan;
  if (!isInside(arena, available)) throw new Error("the arena is in no memory");
  if (arena.start + arena.bytes > coreEnd) throw new Error("the core does not reach the arena");
  if (ram.some((it) => touches(it, arena))) throw new Error("the arena is RAM, too");
  if (!ram.every((it) => it.bytes === 0 || isInside(it, available))) throw new Error("no RAM");
  if (sum(ram) + arena.bytes + unusedBytes !== sum(available)) throw new Error("lost memory");
  const last = ram.at(-1);
  const frames = last === undefined ? 0 : (last.start + last.bytes) / PAGE;
  if (arena.start + arena.bytes > MEMORY_BYTES || frames > FRAMES_MAX) return;
  try {
    openMemory({ core, settings, arena, ram });
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
    throw new Error(`a plan that is refused: ${error.message}`);
  }
}
