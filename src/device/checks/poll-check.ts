/**
 * Finds a driver that spins on a register: it counts reads of one register in a row that give the
 * same value. A write, another register or time that passes between two reads starts a new count.
 */

import type { Context } from "../judge/context.ts";

/** This many equal reads in a row are a breach. A bounded wait for a reset needs fewer. */
const POLL_LIMIT = 5000;

/** A longer pause between two reads starts a new count. Accesses alone cost less. */
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

  /** The driver did something else than read a register. */
  other(): void {
    this.run = 0;
  }
}
