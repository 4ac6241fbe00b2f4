/**
 * A small guest program: it shares a wasm VM's memory with the balloon, holds a list of frames, and
 * verifies that every byte in them is still its own. The list itself is in the frames, so a host
 * that takes a page away is found out.
 *
 *   each frame:  u32 next frame, u32 seed, then 1022 x u32 pattern of (frame, seed, position)
 */
import { allocate, release, run } from "./frames";

const FRAME_SHIFT: u32 = 12;
const WORDS: u32 = 1024;
const HEADER_WORDS: u32 = 2;
const NO_FRAME: i32 = -1;

let head: u32 = 0;
let held: u32 = 0;

function pattern(pfn: u32, seed: u32, word: u32): u32 {
  let x = (pfn * 0x9e37_79b1) ^ (seed * 0x85eb_ca6b) ^ (word * 0xc2b2_ae35);
  x ^= x >> 15;
  x *= 0x2c1b_3c6d;
  return x ^ (x >> 12);
}

function push(pfn: u32, seed: u32): void {
  const ptr = (<usize>pfn) << FRAME_SHIFT;
  store<u32>(ptr, head);
  store<u32>(ptr, seed, 4);
  for (let word = HEADER_WORDS; word < WORDS; word++) {
    store<u32>(ptr + ((<usize>word) << 2), pattern(pfn, seed, word));
  }
  head = pfn;
  held += 1;
}

/** Returns the number of wrong words in one frame. */
function mismatches(pfn: u32): u32 {
  const ptr = (<usize>pfn) << FRAME_SHIFT;
  const seed = load<u32>(ptr, 4);
  let wrong: u32 = 0;
  for (let word = HEADER_WORDS; word < WORDS; word++) {
    if (load<u32>(ptr + ((<usize>word) << 2)) != pattern(pfn, seed, word)) wrong += 1;
  }
  return wrong;
}

/** Allocates up to `frames` frames and writes their patterns. Returns how many it got. */
export function grow(frames: u32, seed: u32): u32 {
  let got: u32 = 0;
  while (got < frames) {
    const first = allocate(frames - got);
    if (first == NO_FRAME) break;
    const length = run();
    for (let i: u32 = 0; i < length; i++) push(first + i, seed);
    got += length;
  }
  return got;
}

/** Verifies up to `frames` frames and gives them back. Returns the number of wrong words. */
export function shrink(frames: u32): u32 {
  let wrong: u32 = 0;
  for (let i: u32 = 0; i < frames && held != 0; i++) {
    const pfn = head;
    wrong += mismatches(pfn);
    head = load<u32>((<usize>pfn) << FRAME_SHIFT);
    held -= 1;
    release(pfn, 1);
  }
  return wrong;
}

/** Returns the number of wrong words in all frames; a broken list counts as its missing frames. */
export function verify(): u32 {
  const frames = (<u32>memory.size()) << 4;
  let wrong: u32 = 0;
  let pfn = head;
  for (let i: u32 = 0; i < held; i++) {
    if (pfn == 0 || pfn >= frames) return wrong + (held - i) * WORDS;
    wrong += mismatches(pfn);
    pfn = load<u32>((<usize>pfn) << FRAME_SHIFT);
  }
  return wrong;
}

export function frames_held(): u32 {
  return held;
}
