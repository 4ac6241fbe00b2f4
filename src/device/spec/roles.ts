/** What the queues of a balloon are for, and how devices number them. */

import type { QUEUE } from "./numbers.ts";

/** What a queue of a balloon is for. */
export type QueueRole = keyof typeof QUEUE;

/**
 * How a device numbers its queues.
 *
 * - `fixed`: the specification's numbers; a queue whose feature is not offered has size 0.
 * - `compact-offered`: without gaps, over the features that are offered.
 * - `compact-negotiated`: without gaps, over the features that were accepted.
 */
export type QueueNumbering = "fixed" | "compact-offered" | "compact-negotiated";
