/**
 * Summary: a set of block numbers that finds its lowest member in a few loads.
 *
 * A bitmap, above it a bitmap of its non-zero 64-bit words, and so on up to a single word. All
 * summaries describe the same number of blocks, so they share one shape.
 *
 *   level 2  [w]                                  1 bit per word of level 1
 *   level 1  [w][w]..[w]                          1 bit per word of level 0
 *   level 0  [w][w][w][w]...............[w]       1 bit per block
 *
 * A bit above level 0 is set exactly when the word below it is not zero.
 */

/** Four levels of 64 reach 2^24 blocks; 2^32 frames are 2^23 blocks. */
const LEVELS_MAX: u32 = 4;

/** No block, and no frame. */
export const NONE: u32 = 0xffff_ffff;

/** Blocks, levels, and where levels 1 to 3 begin, in every summary. */
let shaped: u32 = 0;
let levels: u32 = 0;
let offset1: usize = 0;
let offset2: usize = 0;
let offset3: usize = 0;

function wordsFor(bits: u32): u32 {
  return (bits + 63) >> 6;
}

/** Bytes of one summary over `blocks` blocks. */
export function summaryBytes(blocks: u32): usize {
  let bytes: usize = 0;
  let words = blocks;
  do {
    words = wordsFor(words);
    bytes += (<usize>words) << 3;
  } while (words > 1);
  return bytes;
}

/** Sets the shape of all summaries. A summary is empty when its memory is zero. */
export function shapeSummaries(blocks: u32): void {
  let words = wordsFor(blocks);
  shaped = blocks;
  levels = 1;
  let offset: usize = 0;
  while (words > 1) {
    offset += (<usize>words) << 3;
    if (levels == 1) offset1 = offset;
    else if (levels == 2) offset2 = offset;
    else offset3 = offset;
    levels += 1;
    words = wordsFor(words);
  }
  assert(levels <= LEVELS_MAX);
}

function wordPtr(summaryPtr: usize, level: u32, word: u32): usize {
  let offset: usize = 0;
  if (level == 1) offset = offset1;
  else if (level == 2) offset = offset2;
  else if (level == 3) offset = offset3;
  return summaryPtr + offset + ((<usize>word) << 3);
}

export function insert(summaryPtr: usize, block: u32): void {
  let bit = block;
  for (let level: u32 = 0; level < levels; level++) {
    const ptr = wordPtr(summaryPtr, level, bit >> 6);
    const word = load<u64>(ptr);
    store<u64>(ptr, word | ((<u64>1) << (bit & 63)));
    if (word != 0) return;
    bit >>= 6;
  }
}

export function remove(summaryPtr: usize, block: u32): void {
  let bit = block;
  for (let level: u32 = 0; level < levels; level++) {
    const ptr = wordPtr(summaryPtr, level, bit >> 6);
    const word = load<u64>(ptr) & ~((<u64>1) << (bit & 63));
    store<u64>(ptr, word);
    if (word != 0) return;
    bit >>= 6;
  }
}

/** True when `block` exists and is a member. */
export function contains(summaryPtr: usize, block: u32): bool {
  if (block >= shaped) return false;
  return ((load<u64>(wordPtr(summaryPtr, 0, block >> 6)) >> (block & 63)) & 1) != 0;
}

/** The lowest member, or NONE. */
export function lowest(summaryPtr: usize): u32 {
  let word: u32 = 0;
  let level = levels;
  while (level > 0) {
    level -= 1;
    const bits = load<u64>(wordPtr(summaryPtr, level, word));
    if (bits == 0) return NONE;
    word = (word << 6) + <u32>ctz(bits);
  }
  return word;
}
