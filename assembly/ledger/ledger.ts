/**
 * The page-frame ledger: one state for every 4 KiB frame, counts, and find-a-run.
 *
 * It must not know rings, devices or policies, and it never touches the frames that it describes:
 * touching a page that was given away would bring it back. Those that are back poison.ts may fill.
 *
 * Invariant: a frame is in exactly one state; the counts over all states sum to the number of
 * frames after every call. A transition from any other state than the one it names traps.
 *
 *                    +--------- use ----------+
 *                    v                        |
 *   reserved -add-> free -post-> inflating -acked-> held -tell-> deflating -acked-> free
 *                   ^  |                             |
 *            release|  |allocate, claim              +------- reuse (told later, or never) -> free
 *                   |  v
 *                   used
 *
 * Memory, `b` being the number of blocks of 512 frames (2 MiB):
 *
 *   statesPtr    ceil(frames / 16) u64   one nibble a frame, lowest frame in the lowest nibble
 *   tallyPtr     b x { u16 free, u16 held }
 *   wholeFreePtr, partFreePtr, wholeHeldPtr, partHeldPtr     a summary each (summary.ts)
 *   freshPtr     a summary: whole free blocks that the host was not told of since they are whole
 *   countsPtr    8 x u32                 frames by state
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
const NIBBLES: u64 = 0x1111_1111_1111_1111;

let frames: u32 = 0;
let statesPtr: usize = 0;
let tallyPtr: usize = 0;
let wholeFreePtr: usize = 0;
let partFreePtr: usize = 0;
let wholeHeldPtr: usize = 0;
let partHeldPtr: usize = 0;
let freshPtr: usize = 0;
/** Only who reports pays for knowing what is fresh. */
let isFreshKnown: bool = false;
let countsPtr: usize = 0;
/** The block that is being taken whole, so that an interrupted one is finished first. */
let openFree: u32 = NONE;
let openHeld: u32 = NONE;
/** Frames that the balloon takes at once: whole blocks first, one by one, or units and no less. */
let unit: u32 = BLOCK_FRAMES;
/** Length of the run that the last find or allocate answered, in frames. */
export let runLength: u32 = 0;

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
  freshPtr = partHeldPtr + summary;
  countsPtr = freshPtr + summary;
  isFreshKnown = false;
  openFree = NONE;
  openHeld = NONE;
  unit = BLOCK_FRAMES;
  runLength = 0;
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

/**
 * True when the frames exist and every one is in `state`: what a caller may ask before a
 * transition.
 */
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

/** Keeps a block's tally and its place in the two summaries of that tally together. */
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
  if (isFreshKnown && <u32>load<u16>(ptr) == BLOCK_FRAMES) remove(freshPtr, block);
  addTally(ptr, wholeFreePtr, partFreePtr, block, delta);
  if (isFreshKnown && <u32>load<u16>(ptr) == BLOCK_FRAMES) insert(freshPtr, block);
}

/** The one place that changes states: checks and writes sixteen frames at a time, in one block. */
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

/** The first run of `state` in `block`, at most `most` long; sets runLength. */
function runInBlock(block: u32, state: u32, most: u32): u32 {
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
  runLength = min(length, most);
  return first;
}

/**
 * Where to take up to `most` of `want` frames from: the block that was begun, then whole blocks
 * while a whole one is wanted, then the pieces, and only then a whole block to break.
 */
function findWholeFirst(state: u32, want: u32, most: u32): u32 {
  const ofFree = state == FREE;
  const wholePtr = ofFree ? wholeFreePtr : wholeHeldPtr;
  const partPtr = ofFree ? partFreePtr : partHeldPtr;
  let block = ofFree ? openFree : openHeld;
  if (block != NONE) {
    const left = <u32>load<u16>(tallyPtr + ((<usize>block) << 2) + (ofFree ? 0 : 2));
    if (left == 0 || left == BLOCK_FRAMES) block = NONE;
  }
  if (block == NONE) {
    const whole = lowest(wholePtr);
    block = want >= BLOCK_FRAMES && whole != NONE ? whole : lowest(partPtr);
    if (block == NONE) block = whole;
    if (ofFree) openFree = block == whole ? block : NONE;
    else openHeld = block == whole ? block : NONE;
  }
  runLength = 0;
  return block == NONE ? NONE : runInBlock(block, state, most);
}

export function setUnit(length: u32): void {
  assert(length != 0 && BLOCK_FRAMES % length == 0);
  unit = length;
}

/** As the balloon takes frames at once; units are looked for from the lowest block on. */
function findByUnit(state: u32, want: u32, most: u32): u32 {
  if (unit == BLOCK_FRAMES) return findWholeFirst(state, want, most);
  const wholePtr = state == FREE ? wholeFreePtr : wholeHeldPtr;
  const block = min(lowest(wholePtr), lowest(state == FREE ? partFreePtr : partHeldPtr));
  runLength = block == NONE || most < unit ? 0 : unit;
  if (runLength <= 1) return runLength == 0 ? NONE : runInBlock(block, state, most);
  let first = block << BLOCK_SHIFT;
  while (first < frames && !uniform(first, unit, state)) first += unit;
  return first < frames ? first : NONE;
}

/** A run of free frames to inflate; `want` is the whole need, `most` what fits now. */
export function findToInflate(want: u32, most: u32): u32 {
  return findByUnit(FREE, want, most);
}

/** A run of held frames to deflate. */
export function findToDeflate(want: u32, most: u32): u32 {
  return findByUnit(HELD, want, most);
}

/** From now on it is known which blocks are fresh; all that are whole and free are, to begin. */
export function knowFresh(): void {
  isFreshKnown = true;
  const blocks = blocksOf(frames);
  memory.fill(freshPtr, 0, summaryBytes(blocks));
  for (let block: u32 = 0; block < blocks; block++) {
    const free = <u32>load<u16>(tallyPtr + ((<usize>block) << 2));
    if (free == BLOCK_FRAMES) insert(freshPtr, block);
  }
}

/** Up to `most` whole free blocks, in one run, that the host was not told of; sets runLength. */
export function findToReport(most: u32): u32 {
  const first = lowest(freshPtr);
  runLength = 0;
  if (first == NONE || most == 0) return NONE;
  let blocks: u32 = 1;
  while (blocks < most && contains(freshPtr, first + blocks)) blocks += 1;
  runLength = blocks << BLOCK_SHIFT;
  return first << BLOCK_SHIFT;
}

// The transitions. Each is the only way from its first state to its second.

/** reserved -> free: this is RAM that the guest may use. */
export function add(first: u32, length: u32): void {
  move(first, length, RESERVED, FREE);
}

/**
 * free -> used: a run of at most `most` frames, pieces of blocks first; NONE when there is
 * none.
 */
export function allocate(most: u32): u32 {
  let block = lowest(partFreePtr);
  if (block == NONE) block = lowest(wholeFreePtr);
  runLength = 0;
  if (block == NONE || most == 0) return NONE;
  const first = runInBlock(block, FREE, most);
  moveInBlock(first, runLength, FREE, USED);
  return first;
}

/** free -> used for exactly these frames. */
export function claim(first: u32, length: u32): void {
  move(first, length, FREE, USED);
}

/** used -> free. */
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

/** held -> deflating: in a buffer on the deflateq, not ours before the host acknowledges. */
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

/** reporting -> free: the host acknowledged, and need not be told again. */
export function reported(first: u32, length: u32): void {
  move(first, length, REPORTING, FREE);
  const end = (first + length) >> BLOCK_SHIFT;
  for (let block = first >> BLOCK_SHIFT; block < end; block++) remove(freshPtr, block);
}

/** free -> hinted: handed over until the host is done. */
export function hint(first: u32, length: u32): void {
  moveInBlock(first, length, FREE, HINTED);
}

/** Every frame in `state` -> free: the host has no claim on any of them now. */
export function reclaimState(state: u32): void {
  const blocks = blocksOf(frames);
  for (let block: u32 = 0; block < blocks && count(state) != 0; block++) {
    let first = runInBlock(block, state, BLOCK_FRAMES);
    for (; first != NONE; first = runInBlock(block, state, BLOCK_FRAMES)) {
      moveInBlock(first, runLength, state, FREE);
      initialise(first, runLength);
    }
  }
  assert(count(state) == 0);
}

/**
 * Every frame that the device had returns to free. Only right after a completed device reset:
 * from then on the device uses no memory of the driver (virtio 1.3, 2.1.2 and 2.4).
 */
export function reclaim(): void {
  isFreshKnown = false;
  for (let state = INFLATING; state < STATES; state++) reclaimState(state);
}

/** inflating -> free, all of them. Only right after a completed reset of the inflateq. */
export function abandonInflating(): void {
  reclaimState(INFLATING);
}
