/** When the queues of one machine return their buffers. */

import type { Completion } from "../queue/completion.ts";
import type { QueueRole } from "../spec/roles.ts";

/** One schedule for all queues, or one for each; a queue without one returns buffers at once. */
export type CompletionOption =
  | Completion
  | { readonly [role in Exclude<QueueRole, "stats">]?: Completion };

/** The schedule of one queue. The statistics queue needs none. */
export function scheduleOf(role: QueueRole | undefined, option: CompletionOption): Completion {
  if ("kind" in option) return option;
  const named = role === undefined || role === "stats" ? undefined : option[role];
  return named ?? { kind: "immediate" };
}
