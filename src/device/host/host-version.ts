/**
 * The versions of the reference host, for migrations between an older and a newer one. A machine
 * that is told to be of an older version offers nothing newer, so that a guest may come from that
 * version and go back.
 */

import type { Offer } from "./offer.ts";

type OfferName = Exclude<keyof Offer, "extra" | "version1">;

/** What each version is the first to offer, oldest first; it also offers all of those before it. */
export const hostVersions = {
  "1.0": ["mustTellHost", "statsVq", "indirect", "eventIdx"],
  "2.0": ["deflateOnOom", "inOrder", "notificationData"],
  "3.0": ["freePageHint", "pagePoison", "packed"],
  "4.0": ["pageReporting", "ringReset"],
} as const satisfies Record<string, readonly OfferName[]>;

/** The name of a version in `hostVersions`. */
export type HostVersion = keyof typeof hostVersions;

/** Returns the offer without the features that are newer than the version. */
export function offerOf(offer: Offer, version: HostVersion): Offer {
  const versions = Object.entries(hostVersions);
  const at = versions.findIndex(([name]) => name === version);
  const newer = versions.slice(at + 1).flatMap(([, names]): readonly OfferName[] => names);
  return { ...offer, ...Object.fromEntries(newer.map((name) => [name, false])) };
}
