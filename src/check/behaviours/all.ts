/** All behaviours of hosts, in one list. */

import type { Behaviour } from "./behaviour.ts";
import { deviceBehaviours } from "./device.ts";
import { memoryBehaviours } from "./memory.ts";

/** In the order in which they run on hosts that can do all. */
export const behaviours: readonly Behaviour[] = [...deviceBehaviours, ...memoryBehaviours];
