/**
 * The memory that a guest hands to the driver: where the core's arena lies, and which frames are
 * RAM.
 *
 * It must not know a device. Invariant: what is accepted here is page-aligned, inside the memory,
 * and disjoint, so that no frame that the ledger gives out is anything else's.
 */
import type { DriverSettings } from "../balloon/settings.ts";
import { BallonetError, hex } from "../errors.ts";
import { type CoreExports, framesIn, NO_FRAME } from "./exports.ts";

/** Guest physical bytes `start` to `start + bytes - 1`. */
export interface MemoryRange {
  readonly start: number;
  readonly bytes: number;
}

/** A run of frames: page frame numbers `first` to `first + length - 1`. */
export interface FrameRun {
  readonly first: number;
  readonly length: number;
}

/** The balloon's granule, whatever the guest's or the host's page size (virtio 1.3, 5.5.6). */
export const FRAME_BYTES = 4096;
/** The core's pointers have 32 bits. */
const ARENA_END_MAX = 0x1_0000_0000;
/** PFNs are u32 on the wire, and the last one is the core's NO_FRAME. */
const RAM_END_MAX = NO_FRAME * FRAME_BYTES;
/** More pieces of RAM than any firmware reports. */
const RANGES_MAX = 1024;

export interface MemoryOptions {
  readonly core: CoreExports;
  readonly settings: DriverSettings;
  /** Where the core keeps its own things; see `arenaBytes`. Not at 0, and below 4 GiB. */
  readonly arena: MemoryRange;
  /** The RAM that guest and balloon share. It must not contain the arena. */
  readonly ram: readonly MemoryRange[];
}

function bad(what: string, seen: string, todo: string): BallonetError {
  return new BallonetError({ code: "memory", what, seen, todo });
}

function formatRange({ start, bytes }: MemoryRange): string {
  return `${hex(start)}..${hex(start + bytes)}`;
}

function checkRange(what: string, range: MemoryRange, endMax: number): void {
  const { start, bytes } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(bytes) || start < 0) {
    throw bad(what, `start ${start}, ${bytes} bytes`, "give whole numbers of bytes, not below 0");
  }
  if (start % FRAME_BYTES !== 0 || bytes % FRAME_BYTES !== 0) {
    throw bad(what, formatRange(range), `align start and length to ${FRAME_BYTES} bytes`);
  }
  if (bytes <= 0) throw bad(what, `${bytes} bytes`, "give at least one frame of 4096 bytes");
  if (start + bytes > endMax) throw bad(what, formatRange(range), `end at most at ${hex(endMax)}`);
}

function checkDisjoint(ranges: readonly MemoryRange[]): void {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  sorted.reduce((below, range) => {
    if (range.start < below.start + below.bytes) {
      const seen = `${formatRange(below)} and ${formatRange(range)}`;
      throw bad("memory ranges", `${seen} overlapping`, "make arena and RAM ranges disjoint");
    }
    return range;
  });
}

function framesUpTo(ram: readonly MemoryRange[]): number {
  return Math.max(...ram.map(({ start, bytes }) => (start + bytes) / FRAME_BYTES));
}

/**
 * Bytes that the arena needs for this RAM and these settings: half a byte for each frame up to the
 * end of RAM, plus rings and arrays.
 * @throws BallonetError `memory` when there is no RAM or it makes no sense.
 */
export function arenaBytes(options: Omit<MemoryOptions, "arena">): number {
  const { core, settings, ram } = options;
  if (ram.length === 0) throw bad("RAM", "no ranges, so zero frames", "give at least one range");
  if (ram.length > RANGES_MAX) throw bad("RAM", `${ram.length} ranges`, `give ${RANGES_MAX}`);
  for (const range of ram) checkRange("RAM range", range, RAM_END_MAX);
  const { queueSizeMax, buffersInFlight, pfnsPerBuffer } = settings;
  return core.arena_bytes(framesUpTo(ram), queueSizeMax, buffersInFlight, pfnsPerBuffer) >>> 0;
}

/**
 * Carves the arena and adds the RAM to the ledger.
 * @throws BallonetError `memory`.
 */
export function openMemory(options: MemoryOptions): void {
  const { core, settings, arena, ram } = options;
  const needed = arenaBytes(options);
  checkRange("arena", arena, ARENA_END_MAX);
  if (arena.start === 0) throw bad("arena", "start 0x00", "place it above the first frame");
  if (arena.bytes < needed) {
    throw bad("arena", `${arena.bytes} bytes`, `give at least ${needed}, as arenaBytes() says`);
  }
  checkDisjoint([arena, ...ram]);
  const { queueSizeMax, buffersInFlight, pfnsPerBuffer } = settings;
  core.arena_open(arena.start, framesUpTo(ram), queueSizeMax, buffersInFlight, pfnsPerBuffer);
  for (const { start, bytes } of ram) core.ledger_add(start / FRAME_BYTES, bytes / FRAME_BYTES);
}

const USED = 1;
const FREE = 2;

/** The guest's side of the ledger: taking frames and giving them back. */
export class Frames {
  private readonly core: CoreExports;

  constructor(core: CoreExports) {
    this.core = core;
  }

  get freePages(): number {
    return framesIn(this.core, "free");
  }

  /** A run of at most `most` free frames, now used; undefined when none is free. */
  allocate(most: number): FrameRun | undefined {
    if (!Number.isInteger(most) || most < 1 || most > NO_FRAME) {
      throw bad("frames to allocate", String(most), "ask for at least one");
    }
    const first = this.core.ledger_allocate(most) >>> 0;
    return first === NO_FRAME ? undefined : { first, length: this.core.ledger_run() };
  }

  /** Exactly these frames. @throws BallonetError `memory` when not all of them are free. */
  claim(run: FrameRun): void {
    this.check("frames to claim", run, FREE);
    this.core.ledger_claim(run.first, run.length);
  }

  /** @throws BallonetError `memory` when not all of the frames are the guest's. */
  release(run: FrameRun): void {
    this.check("frames to release", run, USED);
    this.core.ledger_release(run.first, run.length);
  }

  private check(what: string, { first, length }: FrameRun, state: number): void {
    const isCount = Number.isInteger(first) && Number.isInteger(length) && first >= 0 && length > 0;
    // Beyond 32 bits the core would see other, perhaps legal, numbers.
    if (
      isCount &&
      first + length <= NO_FRAME &&
      this.core.ledger_uniform(first, length, state) !== 0
    )
      return;
    const seen = `PFN ${first}, ${length} frames, not all ${state === USED ? "used" : "free"}`;
    throw bad(what, seen, "name only frames that are in that state");
  }
}
