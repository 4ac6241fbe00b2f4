/**
 * How many seconds a guest's clock counts in one of the host's.
 *
 * A guest says its time somewhere between a question and its answer. So two such samples give bounds
 * of the rate and no more, which come closer the longer they are apart.
 */
import { expect } from "vitest";

export interface ClockRate {
  readonly low: number;
  readonly high: number;
  /** Whether a later answer ever was an earlier time. */
  readonly wentBack: boolean;
}

/** Expects a clock that is wrong by at most this part of its time, and that never went back. */
export function expectRate({ low, high, wentBack }: ClockRate, within: number): void {
  expect(low).toBeLessThanOrEqual(1 + within);
  expect(high).toBeGreaterThanOrEqual(1 - within);
  expect(wentBack).toBe(false);
}

interface Sample {
  readonly guestMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const ROUNDS = 8;
const PAUSE_MS = 250;

export class ClockWatch {
  private readonly ask: () => Promise<number>;
  private readonly firsts: Sample[] = [];
  private latestMs = Number.NEGATIVE_INFINITY;
  private wentBack = false;

  /** `ask` asks the guest for its milliseconds. */
  private constructor(ask: () => Promise<number>) {
    this.ask = ask;
  }

  static async start(ask: () => Promise<number>): Promise<ClockWatch> {
    const watch = new ClockWatch(ask);
    for (let round = 0; round < ROUNDS; round++) watch.firsts.push(await watch.sample());
    return watch;
  }

  /** Measures until the bounds are closer than `apart`, or `limitMs` have passed. */
  async rate({ apart, limitMs }: { apart: number; limitMs: number }): Promise<ClockRate> {
    let low = 0;
    let high = Number.POSITIVE_INFINITY;
    for (const began = performance.now(); performance.now() - began < limitMs; ) {
      const { guestMs, fromMs, toMs } = await this.sample();
      for (const first of this.firsts) {
        const passedMs = guestMs - first.guestMs;
        low = Math.max(low, passedMs / (toMs - first.fromMs));
        high = Math.min(high, passedMs / Math.max(fromMs - first.toMs, 0));
      }
      if (high - low < apart) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return { low, high, wentBack: this.wentBack };
  }

  private async sample(): Promise<Sample> {
    const fromMs = performance.now();
    const guestMs = await this.ask();
    this.wentBack ||= guestMs < this.latestMs;
    this.latestMs = guestMs;
    return { guestMs, fromMs, toMs: performance.now() };
  }
}
