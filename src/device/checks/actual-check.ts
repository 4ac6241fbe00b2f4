/**
 * Judges what a driver writes to `actual` (virtio 1.3, 5.5.6.1).
 *
 * The device cannot know how much of the used ring the driver has looked at when it writes. So it
 * keeps what was acknowledged since the last write that was exact: a true value lies between that
 * base less the deflates and that base plus the inflates. At a check, with the driver at rest, the
 * value has to be exact.
 *
 * It must not know pages. Invariant: a value that a driver could truthfully write is never called
 * a breach.
 */

import type { Context } from "../judge/context.ts";

export class ActualCheck {
  /** The last value written since the reset, if any. */
  written: number | undefined;
  /** Whether pages may be used again without a deflate, so that the value may fall by itself. */
  silence = false;
  private readonly context: Context;
  private base = 0;
  private inflated = 0;
  private deflated = 0;
  private changedSinceWrite = false;
  private silent = false;

  constructor(context: Context) {
    this.context = context;
  }

  reset(): void {
    this.written = undefined;
    this.base = 0;
    this.inflated = 0;
    this.deflated = 0;
    this.changedSinceWrite = false;
    this.silent = false;
    this.silence = false;
  }

  /** Pages of a request were acknowledged. */
  acknowledged(kind: "inflate" | "deflate", pages: number): void {
    if (kind === "inflate") this.inflated += pages;
    else this.deflated += pages;
    if (pages > 0) this.changedSinceWrite = true;
  }

  /** `inBalloon` is the truth; `deflating` of these pages are asked back and not acknowledged. */
  write(value: number, inBalloon: number, inflating: number, deflating: number): void {
    const { judge } = this.context;
    const again = this.written !== undefined && !this.changedSinceWrite;
    this.written = value;
    this.changedSinceWrite = false;
    const low = this.base - this.deflated;
    const high = this.base + this.inflated;
    if (value > high) {
      const seen = `actual is ${value}, acknowledged are ${high}, in flight ${inflating}`;
      judge.breach("Q-ACTUAL-EARLY", seen);
    } else if (value < low - deflating) {
      const seen = `actual falls to ${value} while the host holds ${inBalloon}`;
      if (!this.silence) judge.breach("D9", seen);
      this.silent = true;
    } else if (value < low) {
      const seen = `actual is ${value}; ${deflating} pages are asked back, not acknowledged`;
      judge.breach("Q-ACTUAL-EARLY", seen);
    } else if (again) {
      judge.breach("Q-ACTUAL-BURST", `actual is written again, ${value}, and nothing happened`);
    }
    if (value !== inBalloon && value >= low && value <= high) return;
    this.base = inBalloon;
    this.inflated = 0;
    this.deflated = 0;
  }

  save() {
    const { written, silence, base, inflated, deflated, changedSinceWrite, silent } = this;
    return { written, silence, base, inflated, deflated, changedSinceWrite, silent };
  }

  load(state: ReturnType<ActualCheck["save"]>): void {
    ({ written: this.written, silence: this.silence, silent: this.silent } = state);
    ({ base: this.base, inflated: this.inflated, deflated: this.deflated } = state);
    this.changedSinceWrite = state.changedSinceWrite;
  }

  /** The driver is at rest: `actual` has to be true now. */
  check(inBalloon: number): void {
    if (this.written === undefined) {
      this.context.judge.breach("Q-ACTUAL-INIT", "actual was not written since the reset");
      if (inBalloon === 0) return;
    }
    if (this.silent || (this.written ?? 0) === inBalloon) return;
    const seen = `actual is ${this.written ?? "unwritten"}, the host holds ${inBalloon}`;
    this.context.judge.breach("D14", seen);
  }
}
