/** Feature sets of a balloon, for people. */
import { FEATURE } from "../virtio/constants.ts";
import { type FeatureSet, type FeatureTable, featureNames } from "../virtio/features.ts";
import { BALLOON_FEATURE, EXPERIMENTAL_FEATURE, FOREIGN_BALLOON_FEATURE } from "./constants.ts";

/** The bits that only balloons have, in the specification or outside of it. */
export const BALLOON_BITS: FeatureTable = {
  ...BALLOON_FEATURE,
  ...FOREIGN_BALLOON_FEATURE,
  ...EXPERIMENTAL_FEATURE,
};

/** Returns the names in the set: "STATS_VQ EVENT_IDX VERSION_1 bit 61", or "none". */
export function formatFeatures(set: FeatureSet): string {
  return featureNames(set, FEATURE, BALLOON_BITS);
}
