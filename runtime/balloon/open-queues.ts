/** Laying out the rings of a device's queues. Every queue that a feature promises must be there. */
import { HINTQ, QUEUE_ROLES, RING_FEATURE, STATSQ } from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import type { Negotiation } from "../virtio/bring-up.ts";
import { FEATURE } from "../virtio/constants.ts";
import { type FeatureSet, hasFeature } from "../virtio/features.ts";
import { type QueueSetup, queueError, type Transport } from "../virtio/transport.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import type { DriverParts } from "./driver-parts.ts";
import { numberQueues } from "./queue-numbering.ts";
import type { QueueStatus } from "./status.ts";

/** The queues of one life of the device. */
export interface OpenQueues {
  /** The device's queue number by role; undefined where there is no such queue. */
  readonly indices: readonly (number | undefined)[];
  readonly setups: readonly QueueSetup[];
  readonly described: readonly QueueStatus[];
}

export interface OpenQueuesOptions extends Pick<DriverParts, "core" | "settings"> {
  readonly transport: Transport;
  readonly negotiation: Negotiation;
}

/** Lays out an empty ring for every queue. @throws BallonetError `queue` when one is missing. */
export function openQueues(options: OpenQueuesOptions): OpenQueues {
  const { transport } = options;
  const { offered, negotiated } = options.negotiation;
  const indices = numberQueues({
    offered,
    negotiated,
    numQueues: transport.numQueues(),
    maxSize: (index) => transport.queueMaxSize(index),
  });
  const wantsStats = hasFeature(negotiated, BALLOON_FEATURE.STATS_VQ);
  // Every other queue whose number cannot be told for certain is done without.
  if (wantsStats && indices[STATSQ] === undefined) missing(QUEUE_ROLES[STATSQ], transport);

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
    const seen = `a fixed size of ${size}, more than queueSizeMax ${settings.queueSizeMax}`;
    throw queueError(transport, index, seen, "raise queueSizeMax");
  }
  if (size !== ringSize(size, features)) {
    const todo = "report it to the device's makers: it must be a power of two";
    throw queueError(transport, index, `a fixed size of ${size}`, todo);
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
