/** Feature and status words of QEMU's answers, as bits. */
import { expect, test } from "vitest";
import { featureBits, statusBits } from "../../../../src/vmm/qemu/features.ts";

test("feature and status words become bits, and an unknown word is an error", () => {
  const features = {
    "dev-features": ["VIRTIO_BALLOON_F_STATS_VQ: Guest memory stats VQ available"],
    transports: ["VIRTIO_F_VERSION_1: whatever", "VIRTIO_RING_F_EVENT_IDX: x"],
    "unknown-dev-features": 1_099_511_627_776,
  };
  expect(featureBits(features)).toBe((1n << 1n) | (1n << 32n) | (1n << 29n) | (1n << 40n));
  expect(featureBits(0x1_0000_0002)).toBe(0x1_0000_0002n);
  const statuses = ["ACKNOWLEDGE", "DRIVER", "FEATURES_OK", "DRIVER_OK"];
  expect(statusBits({ statuses: statuses.map((s) => `VIRTIO_CONFIG_S_${s}: x`) })).toBe(15);
  expect(() => featureBits({ transports: ["VIRTIO_F_NEW: x"] })).toThrow(/VIRTIO_F_NEW/);
});
