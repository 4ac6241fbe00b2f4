/**
 * What every part of the machine shares: guest memory, clock, chance, trace and judge.
 *
 * It must not hold state of its own. Invariant: one machine, one context.
 */

import type { GuestMemory } from "../memory/guest-memory.ts";
import type { Clock } from "../sim/clock.ts";
import type { Random } from "../sim/random.ts";
import type { Trace } from "../sim/trace.ts";
import type { Judge } from "./judge.ts";

export interface Context {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly judge: Judge;
}
