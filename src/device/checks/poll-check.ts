/**
 * Finds a driver that spins on a register.
 *
 * It must not know registers. Invariant: only an unbroken run of equal reads of one register
 * counts; any write, any other register and any passing of time that a host grants ends it.
 */

import type { Context } from "../judge/context.ts";

/** Equal reads in a row that are called spinning. Bounded waits for a reset stay below it. */
export const POLL_LIMIT = 5000;

/** Virtual time that ends a run: more than what accesses themselves cost. */
const PAUSE_MS = 0.5;

export class PollCheck {
  private readonly context: Context;
  private register = "";
  private value = -1;
  private run = 0;
  private lastMs = 0;

  constructor(context: Context) {
    this.context = context;
  }

  read(register: string, value: number): void {
    const nowMs = this.context.clock.nowMs;
    const same = register === this.register && value === this.value;
    const paused = nowMs - this.lastMs > PAUSE_MS;
    this.run = same && !paused ? this.run + 1 : 1;
    this.register = register;
    this.value = value;
    this.lastMs = nowMs;
    if (this.run !== POLL_LIMIT) return;
    const seen = `${register} was read ${POLL_LIMIT} times in a row, always ${value}`;
    this.context.judge.breach("Q-BUSY-POLL", seen);
  }

  /** Something else happened. */
  other(): void {
    this.run = 0;
  }
}
