/**
 * The plan of a bring-up: which features to ask for, and what to do between its steps, in the order
 * of virtio 1.3, 5.5.5.
 */
import { STATSQ } from "../core/exports.ts";
import { BringUp, type Negotiation } from "../virtio/bring-up.ts";
import { FEATURE } from "../virtio/constants.ts";
import { type FeatureSet, featureSet, hasFeature } from "../virtio/features.ts";
import type { Transport } from "../virtio/transport.ts";
import type { DeviceConfig } from "./config.ts";
import { BALLOON_FEATURE, EXPERIMENTAL_FEATURE } from "./constants.ts";
import { checkDeflateAllowed, promises } from "./deflate-order.ts";
import type { DeviceQueues, Session } from "./device-queues.ts";
import type { DriverParts } from "./driver-parts.ts";
import { BALLOON_BITS, formatFeatures } from "./features.ts";
import { openQueues } from "./open-queues.ts";
import { withLowerQueueOwners, withoutUntoldQueues } from "./queue-numbering.ts";
import { unitFrames } from "./settings.ts";
import { firstStatistics } from "./statistics.ts";

export interface BringUpPlanOptions extends DriverParts {
  readonly transport: Transport;
  /** The device is reset: it has no claim left on any page. */
  onReset(): void;
  /** Features are agreed on and rings laid out: a life of the device begins. */
  onSession(session: Session): { readonly queues: DeviceQueues; readonly config: DeviceConfig };
}

/** What a ring can do without: the first to go when a device refuses. */
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

/** Returns a bring-up of the device that has not begun. */
export function planBringUp(plan: BringUpPlanOptions): BringUp {
  const { hal, core, transport, settings, tunables } = plan;
  let device: ReturnType<BringUpPlanOptions["onSession"]> | undefined;
  return new BringUp({
    transport,
    deviceFeatures: BALLOON_BITS,
    decide: (offered, refusals) => wantedFeatures(plan, offered, refusals),
    afterReset: () => {
      core.ledger_reclaim();
      plan.onReset();
    },
    pauses: pauseAfterFeatures(plan),
    onRefused: ({ offered, negotiated }, lost) => {
      const sets = `${formatFeatures(negotiated)} of ${formatFeatures(offered)}`;
      const what = lost === 0n ? `refused ${sets}` : `no longer offers ${formatFeatures(lost)}`;
      hal.log("warn", `the device ${what}; its features are read again`);
    },
    queues: (negotiation) => {
      checkDeflateAllowed(tunables.deflateMode, negotiation.negotiated, settings.dialect);
      core.ledger_unit(unitFrames(settings));
      core.scrub_set(Number(settings.scrubGiven), Number(settings.scrubReturned));
      const queues = openQueues({ ...plan, negotiation });
      const offered = formatFeatures(negotiation.offered);
      const features = { offered, negotiated: formatFeatures(negotiation.negotiated) };
      device = plan.onSession({ transport, negotiation, features, queues });
      return queues.setups;
    },
    beforeDriverOk: (negotiation) => {
      if (device?.queues.has(STATSQ)) {
        device.queues.postStatistics(firstStatistics(settings) ?? plan.sample());
      }
      if (settings.notifiesEarly) device?.queues.publish(STATSQ);
      settlePoison(plan, negotiation, device?.config);
    },
    afterDriverOk: () => {
      device?.queues.publish(STATSQ);
      if (settings.actualAtStart) device?.config.writeActual(0);
    },
  });
}

/** Returns whether the time between reading the features and the first decision is not over yet. */
function pauseAfterFeatures({ hal, settings }: BringUpPlanOptions): () => boolean {
  let endMs: number | undefined;
  return () => {
    if (settings.pauseAfterFeaturesMs === 0) return false;
    if (endMs === undefined) {
      endMs = hal.now() + settings.pauseAfterFeaturesMs;
      hal.log("info", `features are read; accepting in ${settings.pauseAfterFeaturesMs} ms`);
    }
    return hal.now() < endMs;
  };
}

/**
 * Set before DRIVER_OK, and never changed after (virtio 1.3, 5.5.6.6.1). A guest that needs its
 * memory filled needs that also where the host does not know of it.
 */
function settlePoison(
  { core, settings: { poison } }: BringUpPlanOptions,
  { negotiated }: Negotiation,
  config: DeviceConfig | undefined,
): void {
  if (poison === undefined) {
    core.poison_clear();
    return;
  }
  if (hasFeature(negotiated, BALLOON_FEATURE.PAGE_POISON)) config?.writePoison(poison);
  core.poison_set(poison);
}

/** All that the settings accept of an offer, as far as it goes together (virtio 1.3, 5.5.3.1). */
function accepted(plan: BringUpPlanOptions, offered: FeatureSet): FeatureSet {
  const { settings, transport } = plan;
  const { accept: known, dialect } = settings;
  const { deflateMode } = plan.tunables;
  let accept = featureSet(...known, ...promises(dialect, deflateMode)) & offered;
  // A bit of the older interface alone, which is the one without VERSION_1 (virtio 1.3, 2.2.3).
  if (hasFeature(offered, FEATURE.VERSION_1)) accept &= ~featureSet(FEATURE.ANY_LAYOUT);
  const poison = featureSet(BALLOON_FEATURE.PAGE_POISON);
  if (settings.poison === undefined) accept &= ~poison;
  else if ((accept & poison) === 0n) accept &= ~featureSet(BALLOON_FEATURE.PAGE_REPORTING);
  if (settings.quietHints && transport.expectedInterrupts === "line") {
    accept = withoutEventsFor(BALLOON_FEATURE.FREE_PAGE_HINT, accept);
  }
  const complete = withLowerQueueOwners(accept, offered);
  const unwanted = complete & ~accept & featureSet(...settings.decline);
  return unwanted === 0n ? complete : withoutUntoldQueues(accept, offered);
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
function wantedFeatures(
  plan: BringUpPlanOptions,
  offered: FeatureSet,
  refusals: number,
): FeatureSet | undefined {
  const accept = accepted(plan, offered);
  switch (refusals) {
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
