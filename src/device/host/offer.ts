/** The features that a machine offers, and the length of its configuration with them. */

import { hasBit, setOf } from "../spec/bits.ts";
import { FEATURE } from "../spec/numbers.ts";
import type { Profile } from "./profile.ts";

/**
 * Features to offer (true) or not (false); those that are left out are as in the profile. The names
 * are those of virtio 1.3, 5.5.3 and 6, without the prefixes VIRTIO_BALLOON_F and VIRTIO_F.
 */
export interface Offer {
  /** Bit 0: the driver tells of a page before it uses it again. */
  readonly mustTellHost?: boolean;
  /** Bit 1: the statistics queue. */
  readonly statsVq?: boolean;
  /** Bit 2: a guest that is short of memory may go below the target. */
  readonly deflateOnOom?: boolean;
  /** Bit 3: free page hinting. */
  readonly freePageHint?: boolean;
  /** Bit 4: the driver says by `poison_val` what it fills free pages with. */
  readonly pagePoison?: boolean;
  /** Bit 5: free page reporting. */
  readonly pageReporting?: boolean;
  /** Bit 24, shown over a legacy interface alone: an interrupt whenever a queue is empty. */
  readonly notifyOnEmpty?: boolean;
  /** Bit 29, RING_EVENT_IDX. */
  readonly eventIdx?: boolean;
  /** Bit 28, RING_INDIRECT_DESC. */
  readonly indirect?: boolean;
  /** Bit 34, RING_PACKED. */
  readonly packed?: boolean;
  /** Bit 35: buffers are used in the order in which they were made available. */
  readonly inOrder?: boolean;
  /** Bit 38: a notification holds the ring's position. */
  readonly notificationData?: boolean;
  /** Bit 39: the device chooses the value that names a queue in a notification. */
  readonly notifConfigData?: boolean;
  /** Bit 33. The machine has no IOMMU: addresses are physical all the same. */
  readonly accessPlatform?: boolean;
  /** Bit 36. */
  readonly orderPlatform?: boolean;
  /** Bit 40: a driver may reset one queue. */
  readonly ringReset?: boolean;
  /** Bit 32. */
  readonly version1?: boolean;
  /** Bit numbers to offer besides, for example reserved ones. A driver should accept none. */
  readonly extra?: readonly number[];
}

const BIT_OF = {
  mustTellHost: FEATURE.mustTellHost,
  statsVq: FEATURE.statsVq,
  deflateOnOom: FEATURE.deflateOnOom,
  freePageHint: FEATURE.freePageHint,
  pagePoison: FEATURE.pagePoison,
  pageReporting: FEATURE.pageReporting,
  notifyOnEmpty: FEATURE.notifyOnEmpty,
  eventIdx: FEATURE.ringEventIdx,
  indirect: FEATURE.ringIndirectDesc,
  packed: FEATURE.ringPacked,
  inOrder: FEATURE.inOrder,
  notificationData: FEATURE.notificationData,
  notifConfigData: FEATURE.notifConfigData,
  accessPlatform: FEATURE.accessPlatform,
  orderPlatform: FEATURE.orderPlatform,
  ringReset: FEATURE.ringReset,
  version1: FEATURE.version1,
} as const;

/** The names that an offer may have. */
export const OFFER_NAMES: readonly string[] = [...Object.keys(BIT_OF), "extra"];

/** Bits that virtio 1.3 defines for a balloon or its rings; ANY_LAYOUT is for legacy ones only. */
const DESCRIBED = setOf(Object.values(FEATURE).filter((bit) => bit !== FEATURE.anyLayout));

/** Returns the features offered, and all features that the specification describes. */
export function offeredBits(
  profile: Profile,
  offer: Offer = {},
): { readonly offered: bigint; readonly described: bigint } {
  const wanted = (value: boolean) =>
    Object.entries(BIT_OF).flatMap(([name, bit]) =>
      offer[name as keyof typeof BIT_OF] === value ? [bit] : [],
    );
  const chosen = (setOf(profile.features) | setOf(wanted(true))) & ~setOf(wanted(false));
  return { offered: chosen | setOf(offer.extra ?? []), described: DESCRIBED };
}

/** Bytes of configuration that end with actual, with free_page_hint_cmd_id and with poison_val. */
const BYTES = { always: 8, hint: 12, poison: 16 } as const;

/** Returns the bytes of configuration: what the offered features need, or more by the profile. */
export function configBytes(profile: Profile, offered: bigint): number {
  const hint = hasBit(offered, FEATURE.freePageHint) ? BYTES.hint : BYTES.always;
  const needed = hasBit(offered, FEATURE.pagePoison) ? BYTES.poison : hint;
  const { configBytes: own } = profile.balloon;
  return own === "offered" ? needed : Math.max(own, needed);
}
