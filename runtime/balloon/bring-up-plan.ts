/**
 * The balloon's queues: which features to ask for, and which rings to lay out for them.
 *
 * It must not post anything. Invariant: every queue that a negotiated feature promises is there, or
 * bring-up fails with the reason.
 */
import {
  type CoreExports,
  DEFLATEQ,
  HINTQ,
  INFLATEQ,
  REPORTQ,
  RING_FEATURE,
  STATSQ,
} from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import type { Negotiation } from "../virtio/bring-up.ts";
import { FEATURE } from "../virtio/constants.ts";
import { type FeatureSet, featureSet, hasFeature } from "../virtio/features.ts";
import type { QueueSetup, Transport } from "../virtio/transport.ts";
import { BALLOON_FEATURE, EXPERIMENTAL_FEATURE } from "./constants.ts";
import { promises } from "./deflate-order.ts";
import { numberQueues, withLowerQueueOwners } from "./queue-numbering.ts";
import type { DriverSettings } from "./settings.ts";
import { QUEUE_ROLES, type QueueStatus } from "./status.ts";

/** What a ring can do without; the first to go when a device refuses. */
const REFINEMENTS = featureSet(
  FEATURE.INDIRECT_DESC,
  FEATURE.EVENT_IDX,
  FEATURE.RING_PACKED,
  FEATURE.IN_ORDER,
  FEATURE.NOTIFICATION_DATA,
  FEATURE.NOTIF_CONFIG_DATA,
  FEATURE.RING_RESET,
);
/** What a device may insist on (virtio 1.3, 5.5.3.2 and 6). */
const DEMANDED = featureSet(
  BALLOON_FEATURE.MUST_TELL_HOST,
  EXPERIMENTAL_FEATURE.WILL_TELL_HOST,
  FEATURE.ACCESS_PLATFORM,
  FEATURE.ORDER_PLATFORM,
);

export interface WantedOptions {
  readonly settings: DriverSettings;
  readonly transport: Pick<Transport, "expectedInterrupts">;
  readonly offered: FeatureSet;
  /** How many sets the device has refused. */
  readonly refusals: number;
}

/** All that the settings accept of an offer, as far as it goes together (virtio 1.3, 5.5.3.1). */
function accepted({ settings, transport, offered }: WantedOptions): FeatureSet {
  const { accept: known, dialect, deflateMode } = settings;
  let accept = featureSet(...known, ...promises(dialect, deflateMode)) & offered;
  // A bit of the older interface alone, which is the one without VERSION_1 (virtio 1.3, 2.2.3).
  if (hasFeature(offered, FEATURE.VERSION_1)) accept &= ~featureSet(FEATURE.ANY_LAYOUT);
  const poison = featureSet(BALLOON_FEATURE.PAGE_POISON);
  if (settings.poison === undefined) accept &= ~poison;
  else if ((accept & poison) === 0n) accept &= ~featureSet(BALLOON_FEATURE.PAGE_REPORTING);
  if (settings.quietHints && transport.expectedInterrupts === "line") {
    accept = withoutEventsFor(BALLOON_FEATURE.FREE_PAGE_HINT, accept);
  }
  return withLowerQueueOwners(accept, offered);
}

/**
 * A queue of a split ring is silenced for certain by its flags alone: with EVENT_IDX, a host may
 * tell of the first buffer whatever the index says (virtio 1.3, 2.7.7). Where there is no vector to
 * withhold either, the feature that needs silence is the one to keep.
 */
function withoutEventsFor(feature: number, accept: FeatureSet): FeatureSet {
  const isAtRisk = hasFeature(accept, feature) && !hasFeature(accept, FEATURE.RING_PACKED);
  return isAtRisk ? accept & ~featureSet(FEATURE.EVENT_IDX) : accept;
}

/**
 * The ladder of what to ask for. A device does not say what it refused, so first go the rings'
 * refinements, then all that is optional in the balloon, and last what a device may insist on.
 */
export function wantedFeatures(options: WantedOptions): FeatureSet | undefined {
  const accept = accepted(options);
  switch (options.refusals) {
    case 0:
      return accept;
    case 1:
      return accept & ~REFINEMENTS;
    case 2:
      return accept & DEMANDED;
    case 3:
      return 0n;
    default:
      return undefined;
  }
}

export interface OpenQueues {
  /** The device's queue number by role; undefined where there is no such queue. */
  readonly indices: readonly (number | undefined)[];
  readonly setups: readonly QueueSetup[];
  readonly described: readonly QueueStatus[];
}

export interface OpenQueuesOptions {
  readonly core: CoreExports;
  readonly transport: Transport;
  readonly settings: DriverSettings;
  readonly negotiation: Negotiation;
}

/** Lays out an empty ring for every queue. @throws BallonetError `queue` when one is missing. */
export function openQueues(options: OpenQueuesOptions): OpenQueues {
  const { transport } = options;
  const { offered, negotiated } = options.negotiation;
  const numbers = numberQueues({
    offered,
    negotiated,
    numQueues: transport.numQueues(),
    maxSize: (index) => transport.queueMaxSize(index),
  });
  const wantsStats = hasFeature(negotiated, BALLOON_FEATURE.STATS_VQ);
  const indices: (number | undefined)[] = [];
  indices[INFLATEQ] = numbers.inflate;
  indices[DEFLATEQ] = numbers.deflate;
  indices[STATSQ] = wantsStats ? (numbers.stats ?? missing("statsq", transport)) : undefined;
  // A queue whose number cannot be told for certain is done without.
  indices[HINTQ] = numbers.hint;
  indices[REPORTQ] = numbers.reporting;

  const setups: QueueSetup[] = [];
  const described: QueueStatus[] = [];
  indices.forEach((index, queue) => {
    const role = QUEUE_ROLES[queue];
    if (index === undefined || role === undefined) return;
    const setup = openQueue(options, queue, index);
    setups.push(setup);
    described.push({ role, index, size: setup.size });
  });
  return { indices, setups, described };
}

/** Lays out an empty ring for one queue, and says where. */
export function openQueue(options: OpenQueuesOptions, queue: number, index: number): QueueSetup {
  const { core, transport, settings, negotiation } = options;
  const isQuiet = queue === HINTQ;
  const features = ringFeatures(negotiation.negotiated) | (isQuiet ? RING_FEATURE.quiet : 0);
  const deviceMax = transport.queueMaxSize(index);
  if (deviceMax === 0) missing(QUEUE_ROLES[queue] ?? `queue ${queue}`, transport);
  const size = transport.fixedQueueSize
    ? deviceMax
    : ringSize(Math.min(deviceMax, settings.queueSizeMax), features);
  if (size > settings.queueSizeMax) {
    throw new BallonetError({
      code: "queue",
      what: `queue ${index} of ${transport.name}`,
      seen: `a fixed size of ${size}, more than queueSizeMax ${settings.queueSizeMax}`,
      todo: "raise queueSizeMax",
    });
  }
  core.queue_open(queue, size, features, transport.ringLayout.alignment);
  return {
    index,
    isQuiet,
    size,
    descriptorArea: core.queue_descriptor_area(queue) >>> 0,
    driverArea: core.queue_driver_area(queue) >>> 0,
    deviceArea: core.queue_device_area(queue) >>> 0,
  };
}

function ringFeatures(negotiated: FeatureSet): number {
  const has = (bit: number, flag: number) => (hasFeature(negotiated, bit) ? flag : 0);
  return (
    has(FEATURE.EVENT_IDX, RING_FEATURE.eventIndex) |
    has(FEATURE.RING_PACKED, RING_FEATURE.packed) |
    has(FEATURE.IN_ORDER, RING_FEATURE.inOrder) |
    has(FEATURE.INDIRECT_DESC, RING_FEATURE.indirect)
  );
}

/** A packed ring may have any size, a split one a power of two (virtio 1.3, 2.7 and 2.8). */
function ringSize(most: number, features: number): number {
  return (features & RING_FEATURE.packed) !== 0 ? most : 2 ** Math.floor(Math.log2(most));
}

function missing(role: string, transport: Transport): never {
  throw new BallonetError({
    code: "queue",
    what: `the ${role} of ${transport.name}`,
    seen: `no such queue among ${transport.numQueues()}`,
    todo: "report it to the device's makers: the features that it offers promise this queue",
  });
}
