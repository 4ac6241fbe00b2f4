/**
 * The workload: frames that the guest owns, fills with a pattern, and can verify byte by byte. A
 * mismatch shows that the host discarded or changed a page that it must keep.
 */
import { FRAME_BYTES, type FrameRun, type Frames } from "../core/frames.ts";
import type { Machine } from "./machine.ts";

/** Frames filled or verified in one go: about 1 ms, so that the rest of the guest has its turn. */
const PORTION_FRAMES = 1024;
/** Handles at once: the host asks for them, so their number needs a bound. */
const HANDLES_MAX = 10_000;

export interface WorkloadOptions {
  readonly machine: Pick<Machine, "fillFrames" | "verifyFrames">;
  readonly frames: Frames;
  /** Called when no frame is free; true: some were freed. */
  shortage(frames: number): boolean;
  /** Called between portions of long work. */
  pause(): void;
}

export interface Verified {
  readonly bytes: number;
  /** Bytes that differ from what was written. */
  readonly mismatches: number;
}

interface Holding {
  readonly seed: number;
  readonly runs: readonly FrameRun[];
}

export class Workload {
  private readonly options: WorkloadOptions;
  private readonly holdings = new Map<number, Holding>();
  private nextHandle = 1;

  constructor(options: WorkloadOptions) {
    this.options = options;
  }

  /** The frames of all handles. */
  get heldFrames(): number {
    let sum = 0;
    for (const { runs } of this.holdings.values()) sum += length(runs);
    return sum;
  }

  /** Takes and fills exactly `frames` frames. Returns their handle, or how many were available. */
  allocate(frames: number, seed: number): { handle: number } | { available: number } {
    if (this.holdings.size >= HANDLES_MAX) return { available: 0 };
    const runs: FrameRun[] = [];
    let missing = frames;
    while (missing > 0) {
      const run = this.options.frames.allocate(missing);
      if (run === undefined) {
        if (this.options.shortage(missing)) continue;
        this.release(runs);
        return { available: frames - missing };
      }
      runs.push(run);
      missing -= run.length;
    }
    for (const { first, length } of portions(runs)) {
      this.options.machine.fillFrames(first, length, seed);
      this.options.pause();
    }
    const handle = this.nextHandle++;
    this.holdings.set(handle, { seed, runs });
    return { handle };
  }

  /** Verifies every byte of one handle, or of all. Undefined: there is no such handle. */
  verify(handle?: number): Verified | undefined {
    const holding = handle === undefined ? undefined : this.holdings.get(handle);
    if (handle !== undefined && holding === undefined) return undefined;
    let bytes = 0;
    let mismatches = 0;
    for (const { seed, runs } of holding === undefined ? this.holdings.values() : [holding]) {
      for (const { first, length } of portions(runs)) {
        mismatches += this.options.machine.verifyFrames(first, length, seed);
        bytes += length * FRAME_BYTES;
        this.options.pause();
      }
    }
    return { bytes, mismatches };
  }

  /** Frees a handle's frames and returns how many. Undefined: there is no such handle. */
  free(handle: number): number | undefined {
    const holding = this.holdings.get(handle);
    if (holding === undefined) return undefined;
    this.holdings.delete(handle);
    this.release(holding.runs);
    return length(holding.runs);
  }

  private release(runs: readonly FrameRun[]): void {
    for (const run of runs) this.options.frames.release(run);
  }
}

function length(runs: readonly FrameRun[]): number {
  return runs.reduce((sum, run) => sum + run.length, 0);
}

function* portions(runs: readonly FrameRun[]): Generator<FrameRun> {
  for (const run of runs) {
    for (let done = 0; done < run.length; done += PORTION_FRAMES) {
      yield { first: run.first + done, length: Math.min(PORTION_FRAMES, run.length - done) };
    }
  }
}
