/**
 * Judges what a driver writes to `actual` (virtio 1.3, 5.5.6.1).
 *
 * The device cannot know how much of the used ring the driver has read when it writes. So it
 * remembers the last exact value as a base, and what was acknowledged since. A value is possible
 * when it lies between the base minus the deflates and the base plus the inflates, and no possible
 * value is a breach. At a check the driver is at rest, and the value has to be exact.
 */

import type { Context } from "../judge/context.ts";

export class ActualCheck {
  /** The last value written since the reset, if any. */
  written: number | undefined;
  /** Whether the host allows pages to be used without a deflate, so that the value may fall. */
  maySilence = false;
  private readonly context: Context;
  private base = 0;
  private inflated = 0;
  private deflated = 0;
  private changedSinceWrite = false;
  /** Whether the value fell without a deflate. It is not compared any more then. */
  private fellSilently = false;

  constructor(context: Context) {
    this.context = context;
  }

  reset(): void {
    this.written = undefined;
    this.base = 0;
    this.inflated = 0;
    this.deflated = 0;
    this.changedSinceWrite = false;
    this.fellSilently = false;
    this.maySilence = false;
  }

  /** Pages of a request were acknowledged. */
  acknowledged(kind: "inflate" | "deflate", pages: number): void {
    if (kind === "inflate") this.inflated += pages;
    else this.deflated += pages;
    if (pages > 0) this.changedSinceWrite = true;
  }

  /**
   * The driver writes `value`; the host holds `inBalloon` pages. `inflating` and `deflating` pages
   * are in requests that are not acknowledged; the latter are part of `inBalloon`.
   */
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
      if (!this.maySilence) judge.breach("D9", seen);
      this.fellSilently = true;
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
    const { written, maySilence, base, inflated, deflated, changedSinceWrite, fellSilently } = this;
    return { written, maySilence, base, inflated, deflated, changedSinceWrite, fellSilently };
  }

  load(state: ReturnType<ActualCheck["save"]>): void {
    Object.assign(this, state);
  }

  /** The driver is at rest: `actual` has to be exact now. */
  check(inBalloon: number): void {
    if (this.written === undefined) {
      this.context.judge.breach("Q-ACTUAL-INIT", "actual was not written since the reset");
      if (inBalloon === 0) return;
    }
    if (this.fellSilently || (this.written ?? 0) === inBalloon) return;
    const seen = `actual is ${this.written ?? "unwritten"}, the host holds ${inBalloon}`;
    this.context.judge.breach("D14", seen);
  }
}
