/**
 * What each part of the guest's memory is for: the arena, which the core must reach, and what the
 * ledger gets.
 */
import { type ArenaShape, arenaBytes, type MemoryRange, RAM_END_MAX } from "../core/arena.ts";
import type { CoreExports } from "../core/exports.ts";
import { FRAME_BYTES } from "../core/frames.ts";

export interface MemoryPlanOptions {
  readonly core: CoreExports;
  readonly settings: ArenaShape;
  /** Sorted by start, without overlaps. */
  readonly available: readonly MemoryRange[];
  /** The core's own memory ends here. */
  readonly coreEnd: number;
}

export interface MemoryPlan {
  readonly arena: MemoryRange;
  readonly ram: readonly MemoryRange[];
  /** Memory from `usedEnd` on is left unused: the core cannot describe it. 0: there is none. */
  readonly unusedBytes: number;
  readonly usedEnd: number;
}

/** A block of the ledger: how exactly the end of what is used is looked for. */
const STEP_BYTES = 512 * FRAME_BYTES;

/** Returns the plan, or how many bytes the arena would need. */
export function planMemory(options: MemoryPlanOptions): MemoryPlan | number {
  const { available, coreEnd } = options;
  const all = bytesOf(available);
  const attempt = (usedEnd: number): MemoryPlan | number => {
    const ram = below(available, usedEnd);
    const needed = ram.length === 0 ? FRAME_BYTES : arenaBytes({ ...options, ram });
    const home = ram.find(({ start, bytes }) => Math.min(start + bytes, coreEnd) > start + needed);
    if (home === undefined) return needed;
    const rest = { start: home.start + needed, bytes: home.bytes - needed };
    const unusedBytes = all - bytesOf(ram);
    return {
      arena: { start: home.start, bytes: needed },
      ram: ram.map((it) => (it === home ? rest : it)),
      unusedBytes,
      usedEnd,
    };
  };
  const last = available.at(-1);
  const end = Math.min(last === undefined ? 0 : last.start + last.bytes, RAM_END_MAX);
  const whole = attempt(end);
  // Half a byte describes a frame: with less memory, the arena is smaller.
  let fits = Math.floor(Math.min(end, coreEnd) / STEP_BYTES);
  const least = typeof whole === "number" && end > coreEnd ? attempt(fits * STEP_BYTES) : whole;
  if (typeof least === "number" || least === whole) return whole;
  for (let fails = Math.ceil(end / STEP_BYTES); fits + 1 < fails; ) {
    const middle = Math.floor((fits + fails) / 2);
    if (typeof attempt(middle * STEP_BYTES) === "number") fails = middle;
    else fits = middle;
  }
  return attempt(fits * STEP_BYTES);
}

/** The ranges, without what lies at or above `end`. */
function below(ranges: readonly MemoryRange[], end: number): MemoryRange[] {
  return ranges
    .filter(({ start }) => start < end)
    .map(({ start, bytes }) => ({ start, bytes: Math.min(bytes, end - start) }));
}

function bytesOf(ranges: readonly MemoryRange[]): number {
  return ranges.reduce((sum, { bytes }) => sum + bytes, 0);
}
