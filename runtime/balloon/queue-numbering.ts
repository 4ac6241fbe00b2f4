/**
 * Which queue has which index: a question that the specification answers in one way and devices in
 * three.
 *
 *   queue          owner            A: fixed   B: compact over negotiated   C: compact over offered
 *   inflateq       (always)         0          0                            0
 *   deflateq       (always)         1          1                            1
 *   statsq         STATS_VQ         2          2                            2
 *   free_page_vq   FREE_PAGE_HINT   3          2 or 3                       2 or 3
 *   reporting_vq   PAGE_REPORTING   4          2, 3 or 4                    2, 3 or 4
 *
 * A is virtio 1.3, 5.5.2. B and C agree when the driver accepts every offered bit that owns a
 * lower-numbered queue, which `withLowerQueueOwners` sees to; what is left, A or compact, shows in
 * the number of queues, unless there are queues that nobody has described: then A shows in the
 * holes that it alone has, queues of size 0 that belong to features not offered. A queue that a
 * live device serves for another purpose must never be tried, so there is no probing.
 * A queue that cannot be told apart is left out.
 */
import { type FeatureSet, featureSet, hasFeature } from "../virtio/features.ts";
import { BALLOON_FEATURE, FOREIGN_BALLOON_FEATURE } from "./constants.ts";

export interface QueueNumberingInput {
  readonly offered: FeatureSet;
  readonly negotiated: FeatureSet;
  /** As the device says. */
  readonly numQueues: number;
  /** The largest size of a queue, 0 where there is none. */
  maxSize(index: number): number;
}

/** The inflateq and the deflateq have the same index everywhere. */
const ALWAYS_THERE = 2;

/** The bits that own the other queues, in the order of their queues. */
const OWNERS = [
  BALLOON_FEATURE.STATS_VQ,
  BALLOON_FEATURE.FREE_PAGE_HINT,
  BALLOON_FEATURE.PAGE_REPORTING,
];

/** Queues of bits outside of the specification. They come after all others, accepted or not. */
const FOREIGN_QUEUES = [
  { bit: FOREIGN_BALLOON_FEATURE.WS_REPORTING, count: 2 },
  { bit: FOREIGN_BALLOON_FEATURE.MESSAGE_VQ, count: 1 },
] as const;

/**
 * `wanted`, and with it every offered bit that owns a queue numbered below one that is wanted.
 * Without them, a device that counts what was negotiated and one that counts what it offered would
 * disagree about the index.
 */
export function withLowerQueueOwners(wanted: FeatureSet, offered: FeatureSet): FeatureSet {
  let result = wanted;
  OWNERS.forEach((bit, position) => {
    if (hasFeature(wanted, bit)) result |= offered & lowerOwners(position);
  });
  return result;
}

/** `wanted` without the bits whose queues come after one that is offered and not wanted. */
export function withoutUntoldQueues(wanted: FeatureSet, offered: FeatureSet): FeatureSet {
  let result = wanted;
  OWNERS.forEach((bit, position) => {
    const isUntold = (offered & lowerOwners(position) & ~wanted) !== 0n;
    if (isUntold) result &= ~featureSet(bit);
  });
  return result;
}

/**
 * Returns the index of each queue, in the order of the table: that of QUEUE_ROLES. Undefined: not
 * negotiated, not there, or not to be told.
 */
export function numberQueues(input: QueueNumberingInput): (number | undefined)[] {
  const indices: (number | undefined)[] = [0, 1];
  OWNERS.forEach((bit, position) => {
    if (!hasFeature(input.negotiated, bit)) return;
    const index = indexOf(input, position);
    if (index !== undefined && input.maxSize(index) !== 0) indices[ALWAYS_THERE + position] = index;
  });
  return indices;
}

function indexOf(input: QueueNumberingInput, position: number): number | undefined {
  const { offered, negotiated, numQueues } = input;
  const fixed = ALWAYS_THERE + position;
  const lower = offered & lowerOwners(position);
  // The queue of a declined lower owner keeps its index in A and C and loses it in B.
  if ((lower & ~negotiated) !== 0n) return undefined;
  const compact = ALWAYS_THERE + count(lower);
  if (compact === fixed || isCompact(offered, numQueues)) return compact;
  return fixed < numQueues && hasHoles(input, position) ? fixed : undefined;
}

/** A compact device has exactly as many queues as its offered bits own. */
function isCompact(offered: FeatureSet, numQueues: number): boolean {
  const own = ALWAYS_THERE + count(offered & lowerOwners(OWNERS.length));
  let foreign = 0;
  for (const { bit, count: queues } of FOREIGN_QUEUES) {
    if (hasFeature(offered, bit)) foreign += queues;
  }
  return numQueues === own || numQueues === own + foreign;
}

/**
 * Whether all lower queues whose features are not offered are absent, as in A alone: in B and C the
 * first of these indices is that of the next queue.
 */
function hasHoles({ offered, maxSize }: QueueNumberingInput, position: number): boolean {
  const lower = OWNERS.slice(0, position);
  return lower.every((bit, at) => hasFeature(offered, bit) || maxSize(ALWAYS_THERE + at) === 0);
}

/** The bits whose queues come before the one at `position`. */
function lowerOwners(position: number): FeatureSet {
  return featureSet(...OWNERS.slice(0, position));
}

function count(set: FeatureSet): number {
  return OWNERS.filter((bit) => hasFeature(set, bit)).length;
}
