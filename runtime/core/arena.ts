/**
 * The memory that a guest hands to the driver: where the core's arena lies, and which frames are
 * RAM. Ranges are checked here, once: the core believes them.
 */
import { hex } from "../errors.ts";
import { type CoreExports, NO_FRAME } from "./exports.ts";
import { FRAME_BYTES, memoryError } from "./frames.ts";

/** Guest physical bytes `start` to `start + bytes - 1`; both whole numbers of frames. */
export interface MemoryRange {
  readonly start: number;
  readonly bytes: number;
}

/** The core's pointers have 32 bits. */
const ARENA_END_MAX = 0x1_0000_0000;
/** PFNs are u32 on the wire, and the last one is the core's NO_FRAME. */
export const RAM_END_MAX = NO_FRAME * FRAME_BYTES;
/** More ranges than any firmware reports. */
const RANGES_MAX = 1024;

/** What the size of the arena depends on, beside the RAM. The driver's settings contain it. */
export interface ArenaShape {
  /** Most entries of one ring. */
  readonly queueSizeMax: number;
  /** Most buffers in flight on the inflateq and on the deflateq, each. */
  readonly buffersInFlight: number;
  /** Page frame numbers in one buffer. */
  readonly pfnsPerBuffer: number;
}

/** The memory of one guest. */
export interface MemoryOptions {
  readonly core: CoreExports;
  readonly settings: ArenaShape;
  /** Ledger, rings and buffers; `arenaBytes` says its length. Not at 0, and below 4 GiB. */
  readonly arena: MemoryRange;
  /** The RAM that guest and balloon share. It must not contain the arena. */
  readonly ram: readonly MemoryRange[];
}

function formatRange({ start, bytes }: MemoryRange): string {
  return `${hex(start)}..${hex(start + bytes)}`;
}

function checkRange(what: string, range: MemoryRange, endMax: number): void {
  const { start, bytes } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(bytes) || start < 0) {
    throw memoryError(
      what,
      `start ${start}, ${bytes} bytes`,
      "give whole numbers of bytes, not below 0",
    );
  }
  if (start % FRAME_BYTES !== 0 || bytes % FRAME_BYTES !== 0) {
    throw memoryError(what, formatRange(range), `align start and length to ${FRAME_BYTES} bytes`);
  }
  if (bytes <= 0)
    throw memoryError(what, `${bytes} bytes`, "give at least one frame of 4096 bytes");
  if (start + bytes > endMax)
    throw memoryError(what, formatRange(range), `end at most at ${hex(endMax)}`);
}

function checkDisjoint(ranges: readonly MemoryRange[]): void {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  sorted.reduce((below, range) => {
    if (range.start < below.start + below.bytes) {
      const seen = `${formatRange(below)} and ${formatRange(range)}`;
      throw memoryError(
        "memory ranges",
        `${seen} overlapping`,
        "make arena and RAM ranges disjoint",
      );
    }
    return range;
  });
}

function framesUpTo(ram: readonly MemoryRange[]): number {
  return Math.max(...ram.map(({ start, bytes }) => (start + bytes) / FRAME_BYTES));
}

/**
 * Returns the bytes that the arena needs: half a byte for each frame up to the end of RAM, plus
 * rings and buffers.
 * @throws BallonetError `memory` when `ram` is empty, has too many ranges, or one that is not
 *   made of whole frames.
 */
export function arenaBytes(options: Omit<MemoryOptions, "arena">): number {
  const { core, settings, ram } = options;
  if (ram.length === 0)
    throw memoryError("RAM", "no ranges, so zero frames", "give at least one range");
  if (ram.length > RANGES_MAX)
    throw memoryError("RAM", `${ram.length} ranges`, `give ${RANGES_MAX}`);
  for (const range of ram) checkRange("RAM range", range, RAM_END_MAX);
  const { queueSizeMax, buffersInFlight, pfnsPerBuffer } = settings;
  return core.arena_bytes(framesUpTo(ram), queueSizeMax, buffersInFlight, pfnsPerBuffer) >>> 0;
}

/**
 * Lays the arena out and adds the RAM to the ledger: every frame of `ram` is free afterwards.
 * @throws BallonetError `memory` when a range is not made of whole frames, the arena is too small
 *   or lies at 0 or beyond 4 GiB, or ranges overlap.
 */
export function openMemory(options: MemoryOptions): void {
  const { core, settings, arena, ram } = options;
  const needed = arenaBytes(options);
  checkRange("arena", arena, ARENA_END_MAX);
  if (arena.start === 0) throw memoryError("arena", "start 0x00", "place it above the first frame");
  if (arena.bytes < needed) {
    throw memoryError(
      "arena",
      `${arena.bytes} bytes`,
      `give at least ${needed}, as arenaBytes() or balloonArenaBytes() says`,
    );
  }
  checkDisjoint([arena, ...ram]);
  const { queueSizeMax, buffersInFlight, pfnsPerBuffer } = settings;
  core.arena_open(arena.start, framesUpTo(ram), queueSizeMax, buffersInFlight, pfnsPerBuffer);
  for (const { start, bytes } of ram) core.ledger_add(start / FRAME_BYTES, bytes / FRAME_BYTES);
}
