/** What all parts of one machine share: guest memory, clock, random numbers, trace and judge. */

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
  /** Who is judged: a driver alone, or a system that may touch other devices. */
  readonly subject: "driver" | "system";
  /** Writes arrive late: what rings hold at one is not judged. */
  readonly postedWrites: boolean;
}
