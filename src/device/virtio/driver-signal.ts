/** How the driver learns at once of an interrupt, by line or by message. */

import type { Clock } from "../sim/clock.ts";

export class DriverSignal {
  /** Runs inside the access or the work that brought the interrupt about. */
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
