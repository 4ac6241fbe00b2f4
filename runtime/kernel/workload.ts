/**
 * The workload: frames that the guest owns and can vouch for, byte by byte.
 *
 * It must not know the balloon. Invariant: every frame of a handle was filled before anybody could
 * ask for it to be verified, so a mismatch is always somebody else's doing.
 */
import { FRAME_BYTES, type FrameRun, type Frames } from "../core/frames.ts";
import type { Machine } from "./machine.ts";

/** Frames filled or verified in one go: about 1 ms, so that the rest of the guest stays awake. */
const PORTION_FRAMES = 1024;
/** Handles are small, but their number is the caller's, so it has an end. */
const HANDLES_MAX = 10_000;

export interface WorkloadOptions {
  readonly machine: Pick<Machine, "fillFrames" | "verifyFrames">;
  readonly frames: Frames;
  /** Called when no frame is free: gets some if it can, and says whether it did. */
  shortage(frames: number): boolean;
  /** Called between portions of long work. */
  pause(): void;
}

export interface Verified {
  readonly bytes: number;
  /** Bytes that are not what was written. */
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

  /** Frames that all handles hold together. */
  get heldFrames(): number {
    let sum = 0;
    for (const { runs } of this.holdings.values()) sum += length(runs);
    return sum;
  }

  /**
   * Takes and fills exactly `frames` frames. Answers the handle, or how many there were instead.
   */
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

  /** Verifies every byte of one handle, or of all; undefined when there is no such handle. */
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

  /** Gives a handle's frames back; answers how many, or undefined when there is no such handle. */
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
