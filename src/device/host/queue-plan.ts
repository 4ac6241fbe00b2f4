/**
 * Which queue does what, and under which number: the three conventions that devices follow. The
 * number of queues depends on the offer alone, not on what the driver accepts.
 *
 *   offered: STATS_VQ, PAGE_REPORTING        0        1        2       3           4
 *   fixed (virtio 1.3, 5.5.2)                inflate  deflate  stats   size 0      reporting
 *   compact-offered                          inflate  deflate  stats   reporting
 *   compact-negotiated, STATS_VQ refused     inflate  deflate  reporting  size 0
 *
 * Queues of features that the specification does not describe come after all of these.
 */

import { hasBit } from "../spec/bits.ts";
import { FEATURE, QUEUE } from "../spec/numbers.ts";
import type { QueueRole } from "../spec/roles.ts";
import type { Profile } from "./profile.ts";

export interface QueuePlan {
  /** `undefined`: a queue of a feature that the specification does not describe. */
  readonly role: QueueRole | undefined;
  /** Entries offered; 0 when the queue is not there. */
  readonly size: number;
  /** Its queue_notify_off over PCI. */
  readonly notifyOff: number;
}

export interface PlanOptions {
  readonly offered: bigint;
  /** The features that the driver accepted, once that is settled. */
  readonly negotiated?: bigint;
  /** How many queues of undescribed features there are. */
  readonly strange: number;
}

const ROLES = Object.keys(QUEUE) as readonly QueueRole[];

/** The feature bit of a queue; inflate and deflate are always there. */
export const FEATURE_OF: Readonly<Record<QueueRole, number | undefined>> = {
  inflate: undefined,
  deflate: undefined,
  stats: FEATURE.statsVq,
  freePage: FEATURE.freePageHint,
  reporting: FEATURE.pageReporting,
};

/** The queues' names, for the trace. */
export const NAME_OF: Readonly<Record<QueueRole, string>> = {
  inflate: "inflateq",
  deflate: "deflateq",
  stats: "statsq",
  freePage: "free_page_vq",
  reporting: "reporting_vq",
};

/** Returns all queues of a device, by number. */
export function planQueues(
  profile: Profile,
  { offered, negotiated, strange }: PlanOptions,
): readonly QueuePlan[] {
  const known =
    profile.queueNumbering === "fixed"
      ? planFixed(profile, offered)
      : planCompact(profile, offered, negotiated ?? offered);
  const size = sizeOf(profile, "inflate");
  const more = Array.from({ length: strange }, (_, n) => {
    return { role: undefined, size, notifyOff: known.length + n };
  });
  return [...known, ...more];
}

function planCompact(profile: Profile, offered: bigint, negotiated: bigint): readonly QueuePlan[] {
  const count = rolesOf(offered).length;
  const roles = rolesOf(profile.queueNumbering === "compact-offered" ? offered : negotiated);
  return Array.from({ length: count }, (_, index) => {
    const role = roles[index];
    return { role, size: role === undefined ? 0 : sizeOf(profile, role), notifyOff: index };
  });
}

function planFixed(profile: Profile, offered: bigint): readonly QueuePlan[] {
  const shown = profile.queuesShown === "all" ? profile.queues.length : 0;
  const last = QUEUE[rolesOf(offered).at(-1) ?? "deflate"];
  return ROLES.slice(0, Math.max(shown, last + 1)).map((role, index) => {
    const there = index < shown || belongs(role, offered);
    const notifyOff = profile.queues[index]?.notifyOff ?? index;
    return { role, size: there ? sizeOf(profile, role) : 0, notifyOff };
  });
}

function rolesOf(features: bigint): readonly QueueRole[] {
  return ROLES.filter((role) => belongs(role, features));
}

function belongs(role: QueueRole, features: bigint): boolean {
  const bit = FEATURE_OF[role];
  return bit === undefined || hasBit(features, bit);
}

function sizeOf(profile: Profile, role: QueueRole): number {
  return profile.queues[QUEUE[role]]?.size ?? profile.queues[QUEUE.inflate]?.size ?? 0;
}
