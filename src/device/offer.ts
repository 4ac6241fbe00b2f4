/**
 * Which features a machine offers, and which queues go with them.
 *
 * It must not know what features do. Invariant: a queue that belongs to a feature is there exactly
 * when the feature is offered, except with profiles whose original always shows all queues.
 */

import { FEATURE, QUEUE } from "./numbers.ts";
import type { Profile, QueueSpec } from "./profile.ts";

/** Features to offer, where they differ from the profile's. */
export interface Offer {
  readonly mustTellHost?: boolean;
  readonly statsVq?: boolean;
  readonly deflateOnOom?: boolean;
  readonly eventIdx?: boolean;
  readonly indirect?: boolean;
  readonly version1?: boolean;
  /** Further bit numbers, reserved or proposed ones for example, which a driver must not accept. */
  readonly extra?: readonly number[];
}

const BIT_OF = {
  mustTellHost: FEATURE.mustTellHost,
  statsVq: FEATURE.statsVq,
  deflateOnOom: FEATURE.deflateOnOom,
  eventIdx: FEATURE.ringEventIdx,
  indirect: FEATURE.ringIndirectDesc,
  version1: FEATURE.version1,
} as const;

/** Bits that mean something for a balloon or for its rings. */
const DESCRIBED = Object.values(FEATURE).reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);

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

/** The queues that go with the features offered. */
export function queueSpecs(profile: Profile, offered: bigint): readonly QueueSpec[] {
  const { queues } = profile;
  const stats = ((offered >> BigInt(FEATURE.statsVq)) & 1n) === 1n;
  if (queues.length > QUEUE.stats + 1) return queues;
  const pair = queues.slice(0, QUEUE.stats);
  if (!stats) return pair;
  return [...pair, queues[QUEUE.stats] ?? { size: queues[0]?.size ?? 0, notifyOff: QUEUE.stats }];
}
