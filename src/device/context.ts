/**
 * What every part of the machine shares: guest memory, clock, chance, trace and judge.
 *
 * It must not hold state of its own. Invariant: one machine, one context.
 */

import type { Clock } from "./clock.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { Judge } from "./judge.ts";
import type { Moving } from "./moving.ts";
import type { Random } from "./random.ts";
import type { Trace } from "./trace.ts";

export interface Context {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly judge: Judge;
  /** Which of the parts' fields move with a guest. */
  readonly moving: Moving;
}
