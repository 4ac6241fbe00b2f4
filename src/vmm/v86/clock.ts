/** The time that one machine of v86 sees: that of the host, and what it was put forward. */

export class MachineClock {
  private aheadMs = 0;

  readonly nowMs = (): number => performance.now() + this.aheadMs;

  /** Puts the clock forward; only between two ticks of the machine. */
  forward(ms: number): void {
    this.aheadMs += ms;
  }
}
