/** Feature sets beyond bit 31, word by word and by name. */
import { expect, it } from "vitest";
import { formatFeatures } from "../../../runtime/balloon/features.ts";
import { FEATURE } from "../../../runtime/virtio/constants.ts";
import {
  featureBits,
  featureNames,
  featureSet,
  featureWord,
  fromFeatureWords,
  hasFeature,
  isSubset,
} from "../../../runtime/virtio/features.ts";

it("keeps bits 0, 31, 32, 63 and 64 apart", () => {
  const set = featureSet(0, 31, 32, 63, 64);
  expect([0, 1, 2, 3].map((word) => featureWord(set, word))).toEqual([
    0x8000_0001, 0x8000_0001, 1, 0,
  ]);
  expect(featureBits(set)).toEqual([0, 31, 32, 63, 64]);
  expect(hasFeature(set, 64)).toBe(true);
  expect(hasFeature(set, 96)).toBe(false);
});

it("reads words back, also those that a signed operation made negative", () => {
  expect(fromFeatureWords([0x8000_0000, 1])).toBe(featureSet(31, 32));
  expect(fromFeatureWords([-2_147_483_648])).toBe(featureSet(31));
});

it("tells subsets", () => {
  expect(isSubset(featureSet(1, 32), featureSet(0, 1, 32))).toBe(true);
  expect(isSubset(featureSet(1, 33), featureSet(0, 1, 32))).toBe(false);
});

it("names what it knows and numbers what it does not", () => {
  expect(formatFeatures(featureSet(1, 29, 32, 61))).toBe("STATS_VQ EVENT_IDX VERSION_1 bit 61");
  expect(formatFeatures(0n)).toBe("none");
  expect(featureNames(featureSet(1, 29), FEATURE)).toBe("bit 1 EVENT_IDX");
});
