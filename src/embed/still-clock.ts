/** Notices a Hal whose clock stands still while real time passes, as a virtual clock does. */
import { BallonetError, type Hal } from "../../runtime/index.ts";

/** Long enough that a clock of coarse steps has moved. */
const JUDGED_MS = 1000;
/** The smallest part of real time that a slow clock makes. Reads may move a virtual clock a bit. */
const SLOWEST = 0.01;

/** Compares the Hal's clock with the time that was slept, and warns once. */
export class StillClock {
  private readonly hal: Hal;
  /** The clock when counting began. */
  private sinceMs: number | undefined;
  private sleptMs = 0;
  private hasWarned = false;

  constructor(hal: Hal) {
    this.hal = hal;
  }

  /** Counts `ms` of real time that were slept to the end. */
  slept(ms: number): void {
    if (this.hasWarned) return;
    this.sleptMs += ms;
    const { sleptMs } = this;
    if (sleptMs < JUDGED_MS) return;
    const nowMs = this.hal.now();
    const movedMs = nowMs - (this.sinceMs ?? nowMs);
    this.sinceMs = nowMs;
    this.sleptMs = 0;
    if (movedMs >= sleptMs * SLOWEST) return;
    this.hasWarned = true;
    const seen = `it moved by ${movedMs.toFixed(3)} ms while ${Math.round(sleptMs)} ms passed`;
    const todo = "call advance(ms) or run() of a machine with a virtual clock";
    this.hal.log("warn", `the machine's clock stands still: ${seen}; ${todo}`);
  }

  /**
   * Returns how long to wait until `next`.
   * @throws BallonetError `config` when the Hal's clock gives no number.
   */
  waitMs(next: number): number {
    const nowMs = this.hal.now();
    if (Number.isFinite(nowMs)) {
      this.sinceMs ??= nowMs;
      return Math.max(0, next - nowMs);
    }
    const todo = "let it return milliseconds since some fixed point";
    throw new BallonetError({ code: "config", what: "hal.now()", seen: String(nowMs), todo });
  }
}
