/**
 * Which features a machine offers, and how long its configuration is with them.
 *
 * It must not know what features do. Invariant: what the caller says of a feature wins over the
 * profile.
 */

import { FEATURE } from "../spec/numbers.ts";
import type { Profile } from "./profile.ts";

/** Features to offer, where they differ from the profile's. */
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

/** Bits that mean something for a balloon or for its rings; one of them only in older times. */
const DESCRIBED = Object.values(FEATURE)
  .filter((bit) => bit !== FEATURE.anyLayout)
  .reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);

/** The features offered, and those of them that are described at all. */
export function offeredBits(
  profile: Profile,
  offer: Offer = {},
): { readonly offered: bigint; readonly described: bigint } {
  let offered = 0n;
  for (const bit of profile.features) offered |= 1n << BigInt(bit);
  for (const [name, bit] of Object.entries(BIT_OF)) {
    const wanted = offer[name as keyof typeof BIT_OF];
    if (wanted === true) offered |= 1n << BigInt(bit);
    if (wanted === false) offered &= ~(1n << BigInt(bit));
  }
  for (const bit of offer.extra ?? []) offered |= 1n << BigInt(bit);
  return { offered, described: DESCRIBED };
}

/** Bytes of configuration up to and with num_pages and actual, the hint id, and poison_val. */
const BYTES = { always: 8, hint: 12, poison: 16 } as const;

/** How long the configuration is: the fields of what is offered, and what the profile adds. */
export function configBytes(profile: Profile, offered: bigint): number {
  const has = (bit: number) => ((offered >> BigInt(bit)) & 1n) === 1n;
  const hint = has(FEATURE.freePageHint) ? BYTES.hint : BYTES.always;
  const needed = has(FEATURE.pagePoison) ? BYTES.poison : hint;
  const { configBytes: own } = profile.balloon;
  return own === "offered" ? needed : Math.max(own, needed);
}
