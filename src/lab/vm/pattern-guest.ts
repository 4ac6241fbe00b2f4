/**
 * A guest program that allocates frames, fills each with a pattern of its number and a seed, and
 * finds the frames whose pattern is damaged.
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

  /** Allocates up to `frames` frames and fills them. Returns how many there were. */
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

  /** Releases up to `frames` frames, the newest first. */
  shrink(frames: number): void {
    const last = [...this.seeds.keys()].reverse().slice(0, frames);
    for (const pfn of last) {
      this.seeds.delete(pfn);
      this.source.release({ first: pfn, length: 1 });
    }
  }

  /** Returns the frames whose pattern is damaged. */
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

/** Added from word to word of a pattern; odd, so that no two words of a frame are equal. */
const STRIDE = 0x27d4_eb2f;

function firstWord(pfn: number, seed: number): number {
  return Math.imul(pfn, 0x9e37_79b1) ^ Math.imul(seed, 0x85eb_ca6b);
}
