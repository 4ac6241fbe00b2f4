/** Calls the driver at once when an interrupt comes, by line or by message. */

import type { Clock } from "../sim/clock.ts";

export class DriverSignal {
  /** Runs inside the access or the work that raised the interrupt. */
  listener: (() => void) | undefined;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The driver may act now. */
  give(): void {
    this.listener?.();
    this.clock.turn += 1;
  }
}
