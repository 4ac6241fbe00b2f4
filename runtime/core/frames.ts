/**
 * The guest's own frames: taking them from the ledger and giving them back.
 */
import { BallonetError } from "../errors.ts";
import { type CoreExports, FRAME_STATES, type FrameState, framesIn, NO_FRAME } from "./exports.ts";

/**
 * Bytes of a frame: the unit of the balloon, whatever the page size of guest or host (virtio 1.3,
 * 5.5.6).
 */
export const FRAME_BYTES = 4096;

/** A run of frames: page frame numbers `first` to `first + length - 1`. */
export interface FrameRun {
  readonly first: number;
  readonly length: number;
}

/** A range or run that the caller must correct. */
export function memoryError(what: string, seen: string, todo: string): BallonetError {
  return new BallonetError({ code: "memory", what, seen, todo });
}

/** Takes frames from the ledger for the guest itself, and gives them back. */
export class Frames {
  private readonly core: CoreExports;

  constructor(core: CoreExports) {
    this.core = core;
  }

  /** Frames that are free now. */
  get freePages(): number {
    return framesIn(this.core, "free");
  }

  /**
   * Makes a run of at most `most` free frames used. Returns it, or undefined when none is free.
   * @throws BallonetError `memory` when `most` is no whole number from 1 on.
   */
  allocate(most: number): FrameRun | undefined {
    if (!Number.isInteger(most) || most < 1 || most > NO_FRAME) {
      throw memoryError("frames to allocate", String(most), "ask for at least one");
    }
    const first = this.core.ledger_allocate(most) >>> 0;
    return first === NO_FRAME ? undefined : { first, length: this.core.ledger_run() };
  }

  /**
   * Makes exactly these frames used.
   * @throws BallonetError `memory` when not all of them are free.
   */
  claim(run: FrameRun): void {
    this.check("frames to claim", run, "free");
    this.core.ledger_claim(run.first, run.length);
  }

  /**
   * Makes these frames free.
   * @throws BallonetError `memory` when not all of them are used.
   */
  release(run: FrameRun): void {
    this.check("frames to release", run, "used");
    this.core.ledger_release(run.first, run.length);
  }

  private check(what: string, { first, length }: FrameRun, state: FrameState): void {
    const isCount = Number.isInteger(first) && Number.isInteger(length) && first >= 0 && length > 0;
    // Beyond 32 bits the core would see other, perhaps legal, numbers.
    if (isCount && first + length <= NO_FRAME) {
      const index = FRAME_STATES.indexOf(state);
      if (this.core.ledger_uniform(first, length, index) !== 0) return;
    }
    const seen = `PFN ${first}, ${length} frames, not all ${state}`;
    throw memoryError(what, seen, "name only frames that are in that state");
  }
}
