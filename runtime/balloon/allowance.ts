/**
 * How much of something the host may cause: a rate, in portions. Over any time it is no more than
 * the rate allows, plus one portion.
 */

/** So many, that work goes on before a policy takes a pause for the end of a try. */
export const PORTIONS_PER_SECOND = 20;
const PORTION_MS = 1000 / PORTIONS_PER_SECOND;
const NEVER_MS = Number.POSITIVE_INFINITY;

/** One rate, over all devices and resets of a driver. */
export class Allowance {
  private readonly portion: number;
  private left: number;
  private refillAtMs = 0;
  private isShort = false;

  /** `perSecond`: Infinity for no bound. */
  constructor(perSecond: number) {
    this.portion = Math.floor(perSecond / PORTIONS_PER_SECOND);
    this.left = this.portion;
  }

  /** Returns how many of `want` are allowed now. */
  grant(want: number, now: number): number {
    if (this.portion === Number.POSITIVE_INFINITY) return want;
    if (now >= this.refillAtMs) {
      this.left = this.portion;
      this.refillAtMs = now + PORTION_MS;
      this.isShort = false;
    }
    if (want > this.left) this.isShort = true;
    return Math.min(want, this.left);
  }

  /** What was granted is used up; more may be, where the guest itself wants it. */
  spend(count: number): void {
    this.left = Math.max(0, this.left - count);
  }

  /** When more is allowed, if more was wanted; Infinity otherwise. */
  get lookAgainMs(): number {
    return this.isShort ? this.refillAtMs : NEVER_MS;
  }
}
