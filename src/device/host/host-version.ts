/**
 * The versions of the reference host, and what each of them was the first to offer. A host of a
 * newer version that is told to be an older one switches the rest off, so that a guest may come
 * from there and go back.
 *
 * It must not know profiles. Invariant: a version offers all that those before it do, and every
 * feature is first offered by exactly one.
 */

import type { Offer } from "./offer.ts";

type OfferName = Exclude<keyof Offer, "extra" | "version1">;

/** Oldest first. */
export const hostVersions = {
  "1.0": ["mustTellHost", "statsVq", "indirect", "eventIdx"],
  "2.0": ["deflateOnOom", "inOrder", "notificationData"],
  "3.0": ["freePageHint", "pagePoison", "packed"],
  "4.0": ["pageReporting", "ringReset"],
} as const satisfies Record<string, readonly OfferName[]>;

export type HostVersion = keyof typeof hostVersions;

/** An offer, without what is newer than a version. */
export function offerOf(offer: Offer, version: HostVersion): Offer {
  const versions = Object.entries(hostVersions);
  const at = versions.findIndex(([name]) => name === version);
  const newer = versions.slice(at + 1).flatMap(([, names]): readonly OfferName[] => names);
  return { ...offer, ...Object.fromEntries(newer.map((name) => [name, false])) };
}
