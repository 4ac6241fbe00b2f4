/**
 * The page-frame ledger: one state for every 4 KiB frame, and the counts of all states.
 *
 * A frame is in exactly one state, so the counts sum to the number of frames after every call. A
 * transition from any other state than the one it names traps. The ledger never touches the frames
 * that it describes: touching a page that was given away would bring it back.
 *
 *   reserved -add-> free -post-> inflating -hold-> held -tell-> deflating -regain-> free
 *                   |  ^                           |
 *        use, claim |  | release                   +-- reuse (told later, or never) -> free
 *                   v  |
 *                   used
 *
 *   free -report-> reporting -reported-> free          free -hint-> hinted
 *   inflating, held, deflating, hinted, reporting -reclaim-> free
 *
 * Memory, `b` being the number of blocks of 512 frames (2 MiB):
 *
 *   statesPtr      b x 32 u64              one nibble a frame, lowest frame in the lowest nibble
 *   tallyPtr       b x { u16 free, u16 held }
 *   wholeFreePtr, partFreePtr, wholeHeldPtr, partHeldPtr     a summary each (summary.ts)
 *   unreportedPtr  a summary: free blocks that were not reported since they became whole
 *   countsPtr      8 x u32                 frames by state
 */
import { initialise } from "../poison";
import { contains, insert, lowest, NONE, remove, shapeSummaries, summaryBytes } from "./summary";

export const RESERVED: u32 = 0;
export const USED: u32 = 1;
export const FREE: u32 = 2;
export const INFLATING: u32 = 3;
export const HELD: u32 = 4;
export const DEFLATING: u32 = 5;
export const HINTED: u32 = 6;
export const REPORTING: u32 = 7;
export const STATES: u32 = 8;

/** A block is what one huge page of the host covers: 512 frames, 2 MiB. */
export const BLOCK_FRAMES: u32 = 512;
export const BLOCK_SHIFT: u32 = 9;
const WORD_FRAMES: u32 = 16;
/** A 1 in each nibble: times a state, it is a word of sixteen frames in that state. */
const NIBBLES: u64 = 0x1111_1111_1111_1111;

let frames: u32 = 0;
let statesPtr: usize = 0;
let tallyPtr: usize = 0;
let wholeFreePtr: usize = 0;
let partFreePtr: usize = 0;
let wholeHeldPtr: usize = 0;
let partHeldPtr: usize = 0;
let unreportedPtr: usize = 0;
/** Set once reporting is on; otherwise the summary of unreported blocks is not kept. */
let tracksUnreported: bool = false;
let countsPtr: usize = 0;

/**
 * A run of frames is one number: its first frame in the low half, its length above it. No run is
 * first NONE, length 0.
 */
export const NO_RUN: u64 = <u64>NONE;

export function runOf(first: u32, length: u32): u64 {
  return <u64>first | ((<u64>length) << 32);
}

export function firstOf(run: u64): u32 {
  return <u32>run;
}

export function lengthOf(run: u64): u32 {
  return <u32>(run >> 32);
}

function blocksOf(frameCount: u32): u32 {
  return frameCount == 0 ? 0 : ((frameCount - 1) >> BLOCK_SHIFT) + 1;
}

/** Bytes that the ledger of `frameCount` frames needs; a multiple of 8. */
export function ledgerBytes(frameCount: u32): usize {
  const blocks = blocksOf(frameCount);
  const states = (<usize>blocks) << (BLOCK_SHIFT - 1);
  const tally = (((<usize>blocks) << 2) + 7) & ~7;
  return states + tally + 5 * summaryBytes(blocks) + <usize>(STATES << 2);
}

/** Starts a ledger of `frameCount` frames, all reserved, in zeroed memory at `ptr`. */
export function openLedger(ptr: usize, frameCount: u32): void {
  const blocks = blocksOf(frameCount);
  const summary = summaryBytes(blocks);
  frames = frameCount;
  statesPtr = ptr;
  tallyPtr = statesPtr + ((<usize>blocks) << (BLOCK_SHIFT - 1));
  wholeFreePtr = tallyPtr + ((((<usize>blocks) << 2) + 7) & ~7);
  partFreePtr = wholeFreePtr + summary;
  wholeHeldPtr = partFreePtr + summary;
  partHeldPtr = wholeHeldPtr + summary;
  unreportedPtr = partHeldPtr + summary;
  countsPtr = unreportedPtr + summary;
  tracksUnreported = false;
  shapeSummaries(blocks);
  store<u32>(countsPtr + ((<usize>RESERVED) << 2), frameCount);
}

export function frameCount(): u32 {
  return frames;
}

/** Frames in `state`. */
export function count(state: u32): u32 {
  assert(state < STATES);
  return load<u32>(countsPtr + ((<usize>state) << 2));
}

/** The state of one frame. */
export function stateOf(pfn: u32): u32 {
  assert(pfn < frames);
  return (load<u8>(statesPtr + <usize>(pfn >> 1)) >> ((<u8>(pfn & 1)) << 2)) & 15;
}

/** The nibbles of the `length` frames from `pfn` on, all in the word of `pfn`. */
function maskOf(pfn: u32, length: u32): u64 {
  return (<u64>-1 >> ((WORD_FRAMES - length) << 2)) << ((pfn & (WORD_FRAMES - 1)) << 2);
}

/** True when the frames exist and all are in `state`. */
export function uniform(first: u32, length: u32, state: u32): bool {
  assert(state < STATES);
  if (length == 0 || first >= frames || length > frames - first) return false;
  const end = first + length;
  let pfn = first;
  while (pfn != end) {
    const here = min(WORD_FRAMES - (pfn & (WORD_FRAMES - 1)), end - pfn);
    const word = load<u64>(statesPtr + ((<usize>(pfn >> 4)) << 3));
    if (((word ^ (NIBBLES * state)) & maskOf(pfn, here)) != 0) return false;
    pfn += here;
  }
  return true;
}

function addCount(state: u32, delta: i32): void {
  const ptr = countsPtr + ((<usize>state) << 2);
  store<u32>(ptr, load<u32>(ptr) + delta);
}

/** Changes one tally of `block`, and moves the block between the two summaries of that tally. */
function addTally(ptr: usize, wholePtr: usize, partPtr: usize, block: u32, delta: i32): void {
  const before = <u32>load<u16>(ptr);
  const after = before + delta;
  store<u16>(ptr, <u16>after);
  if (before == BLOCK_FRAMES) remove(wholePtr, block);
  else if (before != 0 && (after == 0 || after == BLOCK_FRAMES)) remove(partPtr, block);
  if (after == BLOCK_FRAMES) insert(wholePtr, block);
  else if (after != 0 && (before == 0 || before == BLOCK_FRAMES)) insert(partPtr, block);
}

function tally(state: u32, block: u32, delta: i32): void {
  const ptr = tallyPtr + ((<usize>block) << 2);
  if (state == HELD) addTally(ptr + 2, wholeHeldPtr, partHeldPtr, block, delta);
  if (state != FREE) return;
  if (tracksUnreported && <u32>load<u16>(ptr) == BLOCK_FRAMES) remove(unreportedPtr, block);
  addTally(ptr, wholeFreePtr, partFreePtr, block, delta);
  if (tracksUnreported && <u32>load<u16>(ptr) == BLOCK_FRAMES) insert(unreportedPtr, block);
}

/** Changes states, checked, sixteen frames at a time. All frames lie in one block. */
function moveInBlock(first: u32, length: u32, from: u32, to: u32): void {
  const expected = NIBBLES * from;
  const change = expected ^ (NIBBLES * to);
  const end = first + length;
  let pfn = first;
  while (pfn != end) {
    const ptr = statesPtr + ((<usize>(pfn >> 4)) << 3);
    const here = min(WORD_FRAMES - (pfn & (WORD_FRAMES - 1)), end - pfn);
    const mask = maskOf(pfn, here);
    const word = load<u64>(ptr);
    assert(((word ^ expected) & mask) == 0);
    store<u64>(ptr, word ^ (change & mask));
    pfn += here;
  }
  addCount(from, -(<i32>length));
  addCount(to, <i32>length);
  const block = first >> BLOCK_SHIFT;
  tally(from, block, -(<i32>length));
  tally(to, block, <i32>length);
}

function move(first: u32, length: u32, from: u32, to: u32): void {
  assert(first < frames && length <= frames - first);
  let pfn = first;
  let left = length;
  while (left != 0) {
    const here = min(BLOCK_FRAMES - (pfn & (BLOCK_FRAMES - 1)), left);
    moveInBlock(pfn, here, from, to);
    pfn += here;
    left -= here;
  }
}

/** The first run of `state` in `block`, at most `most` long, or NO_RUN. */
export function runInBlock(block: u32, state: u32, most: u32): u64 {
  const pattern = NIBBLES * state;
  const start = block << BLOCK_SHIFT;
  let first: u32 = NONE;
  let length: u32 = 0;
  for (let word: u32 = 0; word < BLOCK_FRAMES / WORD_FRAMES; word++) {
    let other = load<u64>(statesPtr + ((<usize>((start >> 4) + word)) << 3)) ^ pattern;
    other = (other | (other >> 1) | (other >> 2) | (other >> 3)) & NIBBLES;
    if (first == NONE) {
      const same = other ^ NIBBLES;
      if (same == 0) continue;
      const skip = <u32>ctz(same) >> 2;
      first = start + (word << 4) + skip;
      other >>= skip << 2;
      length = other == 0 ? WORD_FRAMES - skip : <u32>ctz(other) >> 2;
      if (skip + length < WORD_FRAMES) break;
    } else {
      if (other != 0) {
        length += <u32>ctz(other) >> 2;
        break;
      }
      length += WORD_FRAMES;
    }
    if (length >= most) break;
  }
  return runOf(first, min(length, most));
}

/** Frames of `block` in `state`, which is FREE or HELD. */
export function countInBlock(block: u32, state: u32): u32 {
  return <u32>load<u16>(tallyPtr + ((<usize>block) << 2) + (state == FREE ? 0 : 2));
}

/** The lowest block that is wholly in `state`, which is FREE or HELD, or NONE. */
export function lowestWhole(state: u32): u32 {
  return lowest(state == FREE ? wholeFreePtr : wholeHeldPtr);
}

/** The lowest block with some but not all frames in `state`, which is FREE or HELD, or NONE. */
export function lowestPart(state: u32): u32 {
  return lowest(state == FREE ? partFreePtr : partHeldPtr);
}

/** From now on it is known which blocks are unreported; to begin with, all whole free ones are. */
export function trackUnreported(): void {
  tracksUnreported = true;
  const blocks = blocksOf(frames);
  memory.fill(unreportedPtr, 0, summaryBytes(blocks));
  for (let block: u32 = 0; block < blocks; block++) {
    if (countInBlock(block, FREE) == BLOCK_FRAMES) insert(unreportedPtr, block);
  }
}

/** The lowest unreported block, or NONE. */
export function lowestUnreported(): u32 {
  return lowest(unreportedPtr);
}

export function isUnreported(block: u32): bool {
  return contains(unreportedPtr, block);
}

/** reserved -> free: this is RAM that the guest may use. */
export function add(first: u32, length: u32): void {
  move(first, length, RESERVED, FREE);
}

/** free -> used: the guest allocated them. All lie in one block. */
export function use(first: u32, length: u32): void {
  moveInBlock(first, length, FREE, USED);
}

/** free -> used: the guest claimed exactly these. */
export function claim(first: u32, length: u32): void {
  move(first, length, FREE, USED);
}

/** used -> free: the guest gave them back. */
export function release(first: u32, length: u32): void {
  move(first, length, USED, FREE);
}

/** free -> inflating: in a buffer on the inflateq. */
export function post(first: u32, length: u32): void {
  moveInBlock(first, length, FREE, INFLATING);
}

/** inflating -> held: the host acknowledged. */
export function hold(first: u32, length: u32): void {
  moveInBlock(first, length, INFLATING, HELD);
}

/** held -> deflating: in a buffer on the deflateq, not usable before the host acknowledges. */
export function tell(first: u32, length: u32): void {
  moveInBlock(first, length, HELD, DEFLATING);
}

/** deflating -> free: the host acknowledged. */
export function regain(first: u32, length: u32): void {
  moveInBlock(first, length, DEFLATING, FREE);
}

/** held -> free: used again before the host is told. */
export function reuse(first: u32, length: u32): void {
  moveInBlock(first, length, HELD, FREE);
}

/** free -> reporting: in a buffer on the reporting queue. */
export function report(first: u32, length: u32): void {
  move(first, length, FREE, REPORTING);
}

/** reporting -> free: the host acknowledged. The blocks are reported now. */
export function reported(first: u32, length: u32): void {
  move(first, length, REPORTING, FREE);
  const end = (first + length) >> BLOCK_SHIFT;
  for (let block = first >> BLOCK_SHIFT; block < end; block++) remove(unreportedPtr, block);
}

/** free -> hinted: the host may discard them until its hinting run is done. */
export function hint(first: u32, length: u32): void {
  moveInBlock(first, length, FREE, HINTED);
}

/** `state` -> free, all of them. The caller knows that the host uses none of them any more. */
export function reclaimState(state: u32): void {
  const blocks = blocksOf(frames);
  for (let block: u32 = 0; block < blocks && count(state) != 0; block++) {
    let run = runInBlock(block, state, BLOCK_FRAMES);
    for (; run != NO_RUN; run = runInBlock(block, state, BLOCK_FRAMES)) {
      moveInBlock(firstOf(run), lengthOf(run), state, FREE);
      initialise(firstOf(run), lengthOf(run));
    }
  }
  assert(count(state) == 0);
}

/**
 * Everything that the device had -> free. Only right after a completed device reset: from then on
 * the device uses no memory of the driver (virtio 1.3, 2.1.2 and 2.4).
 */
export function reclaim(): void {
  tracksUnreported = false;
  for (let state = INFLATING; state < STATES; state++) reclaimState(state);
}
