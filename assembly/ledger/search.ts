/**
 * Which frames are taken next: by the guest, the balloon, a report or a hint.
 *
 * A search looks at the summaries first, so it costs the same however large the memory is. Each
 * find returns one run of frames in one block, or NO_RUN, and changes no state.
 */
import {
  BLOCK_FRAMES,
  BLOCK_SHIFT,
  countInBlock,
  FREE,
  firstOf,
  frameCount,
  isUnreported,
  lengthOf,
  lowestPart,
  lowestUnreported,
  lowestWhole,
  NO_RUN,
  runInBlock,
  runOf,
  uniform,
  use,
} from "./ledger";
import { NONE } from "./summary";

/**
 * How the balloon picks frames: 512, whole blocks first and then pieces; 1, the lowest frames; a
 * divisor of 512 between, only aligned units of so many frames.
 */
let unit: u32 = BLOCK_FRAMES;
/** The block that was begun as a whole one: it is finished before another is begun. */
let begunFree: u32 = NONE;
let begunHeld: u32 = NONE;
/** Length of the run that the guest allocated last, in frames. */
let allocated: u32 = 0;

/** Starts over, for a ledger that was just opened. */
export function openSearch(): void {
  unit = BLOCK_FRAMES;
  begunFree = NONE;
  begunHeld = NONE;
  allocated = 0;
}

export function setUnit(length: u32): void {
  assert(length != 0 && BLOCK_FRAMES % length == 0);
  unit = length;
}

/** The block that was begun, while some but not all of it is left in `state`; or NONE. */
function begunBlock(state: u32): u32 {
  const block = state == FREE ? begunFree : begunHeld;
  if (block == NONE) return NONE;
  const left = countInBlock(block, state);
  return left == 0 || left == BLOCK_FRAMES ? NONE : block;
}

/**
 * The order is: the begun block, a whole block if `want` fills one, a piece of a block, and last a
 * whole block that will be broken.
 */
function findWholeFirst(state: u32, want: u32, most: u32): u64 {
  let block = begunBlock(state);
  if (block == NONE) {
    const whole = lowestWhole(state);
    block = want >= BLOCK_FRAMES && whole != NONE ? whole : lowestPart(state);
    if (block == NONE) block = whole;
    if (state == FREE) begunFree = block == whole ? block : NONE;
    else begunHeld = block == whole ? block : NONE;
  }
  return block == NONE ? NO_RUN : runInBlock(block, state, most);
}

/**
 * Frames in `state`, FREE for the balloon or for a hint, HELD to deflate. `want` is the whole need,
 * `most` what fits now.
 */
export function find(state: u32, want: u32, most: u32): u64 {
  if (unit == BLOCK_FRAMES) return findWholeFirst(state, want, most);
  const block = min(lowestWhole(state), lowestPart(state));
  if (block == NONE || most < unit) return NO_RUN;
  if (unit == 1) return runInBlock(block, state, most);
  // Units are looked for from the lowest block on, past its end: it may have no whole unit left.
  let first = block << BLOCK_SHIFT;
  while (first < frameCount() && !uniform(first, unit, state)) first += unit;
  return first < frameCount() ? runOf(first, unit) : NO_RUN;
}

/** A run of up to `most` whole blocks to report. */
export function findUnreported(most: u32): u64 {
  const first = lowestUnreported();
  if (first == NONE || most == 0) return NO_RUN;
  let blocks: u32 = 1;
  while (blocks < most && isUnreported(first + blocks)) blocks += 1;
  return runOf(first << BLOCK_SHIFT, blocks << BLOCK_SHIFT);
}

/**
 * free -> used for a run of at most `most` frames, from pieces of blocks first. Returns its first
 * frame, or NONE; the length is `allocatedLength()`.
 */
export function allocate(most: u32): u32 {
  let block = lowestPart(FREE);
  if (block == NONE) block = lowestWhole(FREE);
  const run = block == NONE || most == 0 ? NO_RUN : runInBlock(block, FREE, most);
  allocated = lengthOf(run);
  if (run != NO_RUN) use(firstOf(run), allocated);
  return firstOf(run);
}

export function allocatedLength(): u32 {
  return allocated;
}
