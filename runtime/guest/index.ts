/**
 * ballonet/guest: what a program in a guest imports. Public names only.
 *
 * The program's globals besides JavaScript's own are in globals.ts.
 */

export { notify, ServeError, type ServeHandler, type ServeParams, serve } from "./channel.ts";
export {
  ElasticCache,
  type ElasticCacheCounts,
  type ElasticCacheOptions,
} from "./elastic-cache.ts";
export {
  type MemoryCounts,
  memory,
  type Pressure,
  type PressureListener,
  type Urgency,
} from "./memory.ts";
export { args, env, exit, knowsDate } from "./program.ts";
