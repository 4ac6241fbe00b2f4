/**
 * The balloon's queues: which features to ask for, and which rings to lay out for them.
 *
 * It must not post anything. Invariant: every queue that a negotiated feature promises is there, or
 * bring-up fails with the reason.
 */
import { type CoreExports, DEFLATEQ, INFLATEQ, STATSQ } from "../core.ts";
import { BallonetError } from "../errors.ts";
import type { Negotiation } from "../virtio/bring-up.ts";
import { BALLOON_FEATURE, FEATURE } from "../virtio/constants.ts";
import { type FeatureSet, featureSet, hasFeature } from "../virtio/features.ts";
import { numberQueues } from "../virtio/queue-numbering.ts";
import type { QueueSetup, Transport } from "../virtio/transport.ts";
import type { DriverSettings } from "./settings.ts";
import { QUEUE_ROLES, type QueueStatus } from "./status.ts";

/**
 * The ladder of what to ask for. A device does not say what it refused, so first go the ring's
 * refinements, then all that is optional in the balloon; MUST_TELL_HOST stays as long as anything,
 * for it is the one bit that a device may insist on (virtio 1.3, 5.5.3.2).
 */
export function wantedFeatures(
  settings: DriverSettings,
  offered: FeatureSet,
  refusals: number,
): FeatureSet | undefined {
  const accept = featureSet(...settings.accept) & offered;
  switch (refusals) {
    case 0:
      return accept;
    case 1:
      return accept & ~featureSet(FEATURE.EVENT_IDX);
    case 2:
      return accept & featureSet(BALLOON_FEATURE.MUST_TELL_HOST);
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
  const { core, transport, settings, negotiation } = options;
  const { offered, negotiated } = negotiation;
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

  const setups: QueueSetup[] = [];
  const described: QueueStatus[] = [];
  indices.forEach((index, queue) => {
    const role = QUEUE_ROLES[queue];
    if (index === undefined || role === undefined) return;
    const size = ringSize(transport.queueMaxSize(index), settings.queueSizeMax);
    if (size === 0) missing(role, transport);
    core.queue_open(queue, size, hasFeature(negotiated, FEATURE.EVENT_IDX) ? 1 : 0, 4);
    setups.push({
      index,
      size,
      descriptorArea: core.queue_descriptor_area(queue) >>> 0,
      driverArea: core.queue_driver_area(queue) >>> 0,
      deviceArea: core.queue_device_area(queue) >>> 0,
    });
    described.push({ role, index, size });
  });
  return { indices, setups, described };
}

/** The largest power of two that both sides allow (virtio 1.3, 2.7). */
function ringSize(deviceMax: number, settingMax: number): number {
  const most = Math.min(deviceMax, settingMax);
  return most === 0 ? 0 : 2 ** Math.floor(Math.log2(most));
}

function missing(role: string, transport: Transport): never {
  throw new BallonetError({
    code: "queue",
    what: `the ${role} of ${transport.name}`,
    seen: `no such queue among ${transport.numQueues()}`,
    todo: "report it to the device's makers: the features that it offers promise this queue",
  });
}
