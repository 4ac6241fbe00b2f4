/**
 * A guest program for laboratories: it takes frames, fills them with a pattern made of their number
 * and a seed, and knows at any time in which of them the pattern is not whole any more.
 *
 * It must not know the balloon but for taking frames and giving them back. Invariant: what is in a
 * frame is its own doing until somebody else writes there.
 */
import { frameBytes } from "../../embed/create-balloon.ts";

/** Runs of frames, by page frame number. */
interface FrameSource {
  /** A run of at most `most` frames that are free now; undefined when there is none. */
  allocate(most: number): { readonly first: number; readonly length: number } | undefined;
  release(run: { readonly first: number; readonly length: number }): void;
}

export class PatternGuest {
  private readonly memory: WebAssembly.Memory;
  private readonly source: FrameSource;
  /** The seed of each frame's pattern, by page frame number. */
  private readonly seeds = new Map<number, number>();

  constructor(memory: WebAssembly.Memory, source: FrameSource) {
    this.memory = memory;
    this.source = source;
  }

  get heldFrames(): number {
    return this.seeds.size;
  }

  /** Takes up to `frames` frames and fills them. Answers how many there were. */
  grow(frames: number, seed: number): number {
    let got = 0;
    while (got < frames) {
      const run = this.source.allocate(frames - got);
      if (run === undefined) break;
      for (let pfn = run.first; pfn < run.first + run.length; pfn++) this.fill(pfn, seed);
      got += run.length;
    }
    return got;
  }

  /** Gives up to `frames` frames back, those taken last first. */
  shrink(frames: number): void {
    const last = [...this.seeds.keys()].reverse().slice(0, frames);
    for (const pfn of last) {
      this.seeds.delete(pfn);
      this.source.release({ first: pfn, length: 1 });
    }
  }

  /** The frames whose pattern is not whole. */
  damaged(): number[] {
    return [...this.seeds].filter(([pfn, seed]) => !this.isWhole(pfn, seed)).map(([pfn]) => pfn);
  }

  private words(pfn: number): Int32Array {
    const { buffer, byteOffset, byteLength } = frameBytes(this.memory, pfn);
    return new Int32Array(buffer, byteOffset, byteLength / Int32Array.BYTES_PER_ELEMENT);
  }

  private fill(pfn: number, seed: number): void {
    this.seeds.set(pfn, seed);
    const words = this.words(pfn);
    let word = firstWord(pfn, seed);
    for (let n = 0; n < words.length; n++) {
      words[n] = word;
      word = (word + STRIDE) | 0;
    }
  }

  private isWhole(pfn: number, seed: number): boolean {
    const words = this.words(pfn);
    let word = firstWord(pfn, seed);
    for (let n = 0; n < words.length; n++) {
      if (words[n] !== word) return false;
      word = (word + STRIDE) | 0;
    }
    return true;
  }
}

/** From one word of a pattern to the next: odd, so that no two words of a frame are the same. */
const STRIDE = 0x27d4_eb2f;

function firstWord(pfn: number, seed: number): number {
  return Math.imul(pfn, 0x9e37_79b1) ^ Math.imul(seed, 0x85eb_ca6b);
}
