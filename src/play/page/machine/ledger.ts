/**
 * The frames of a guest as the page shows them: the state of each, and since when. It is read out
 * of the guest's memory, where the ledger lies (CONTROL.md), so the guest does nothing for it.
 */
import { FRAME_STATES, type FrameState } from "./shared.ts";

/** Where the ledger lies: the reply to the control channel's `ledger`. */
export interface LedgerPlace {
  readonly address: number;
  readonly frames: number;
}

/** Marks beside the state: what the reference device's host did to the page. */
export const MARK = { none: 0, early: 1, lost: 2 } as const;

const FRAMES_PER_WORD = 8;

export class Ledger {
  readonly frames: number;
  /** The number of the state of each frame: its place in FRAME_STATES. */
  readonly states: Uint8Array;
  /** When the page saw each frame come into its state; milliseconds of the page's clock. */
  readonly sinceMs: Float64Array;
  /** One of MARK for each frame. */
  readonly marks: Uint8Array;
  /** Frames by the number of their state. */
  readonly counts = new Uint32Array(FRAME_STATES.length);
  /** Counts changes of states and marks. */
  version = 0;
  private readonly address: number;
  private readonly words: Uint32Array;

  constructor({ address, frames }: LedgerPlace, nowMs: number) {
    this.address = address;
    this.frames = frames;
    this.states = new Uint8Array(frames);
    this.sinceMs = new Float64Array(frames).fill(nowMs);
    this.marks = new Uint8Array(frames);
    this.words = new Uint32Array(Math.ceil(frames / FRAMES_PER_WORD));
    // All zeros is what an empty ledger is: every frame is reserved.
    this.counts[0] = frames;
  }

  /** Looks at the guest's memory. Returns whether a frame has another state than before. */
  read(memory: Uint8Array, nowMs: number): boolean {
    const { words } = this;
    const seen = new Uint32Array(memory.buffer, memory.byteOffset + this.address, words.length);
    let changed = false;
    for (let index = 0; index < words.length; index += 1) {
      const word = seen[index] as number;
      const before = words[index] as number;
      if (word === before) continue;
      words[index] = word;
      this.take(index * FRAMES_PER_WORD, word, word ^ before, nowMs);
      changed = true;
    }
    if (changed) this.version += 1;
    return changed;
  }

  count(state: FrameState): number {
    return this.counts[FRAME_STATES.indexOf(state)] as number;
  }

  /** Sets the mark of a frame. */
  mark(pfn: number, mark: number): void {
    if (this.marks[pfn] === mark) return;
    this.marks[pfn] = mark;
    this.version += 1;
  }

  /** Frames with this mark. */
  marked(mark: number): number {
    let found = 0;
    for (const one of this.marks) if (one === mark) found += 1;
    return found;
  }

  private take(first: number, word: number, change: number, nowMs: number): void {
    const end = Math.min(FRAMES_PER_WORD, this.frames - first);
    for (let place = 0; place < end; place += 1) {
      if (((change >>> (place * 4)) & 15) === 0) continue;
      const pfn = first + place;
      const state = (word >>> (place * 4)) & 15;
      const left = this.states[pfn] as number;
      this.counts[left] = (this.counts[left] as number) - 1;
      this.counts[state] = (this.counts[state] as number) + 1;
      this.states[pfn] = state;
      this.sinceMs[pfn] = nowMs;
    }
  }
}
