/** Which features a machine offers, and how long its configuration is with them. */

import { hasBit, setOf } from "../spec/bits.ts";
import { FEATURE } from "../spec/numbers.ts";
import type { Profile } from "./profile.ts";

/** Features to offer or not; what is not named here is as in the profile. */
export interface Offer {
  readonly mustTellHost?: boolean;
  readonly statsVq?: boolean;
  readonly deflateOnOom?: boolean;
  readonly freePageHint?: boolean;
  readonly pagePoison?: boolean;
  readonly pageReporting?: boolean;
  readonly eventIdx?: boolean;
  readonly indirect?: boolean;
  readonly packed?: boolean;
  readonly inOrder?: boolean;
  readonly notificationData?: boolean;
  readonly notifConfigData?: boolean;
  readonly accessPlatform?: boolean;
  readonly orderPlatform?: boolean;
  readonly ringReset?: boolean;
  readonly version1?: boolean;
  /** Further bit numbers, reserved or proposed ones for example, which a driver must not accept. */
  readonly extra?: readonly number[];
}

const BIT_OF = {
  mustTellHost: FEATURE.mustTellHost,
  statsVq: FEATURE.statsVq,
  deflateOnOom: FEATURE.deflateOnOom,
  freePageHint: FEATURE.freePageHint,
  pagePoison: FEATURE.pagePoison,
  pageReporting: FEATURE.pageReporting,
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
