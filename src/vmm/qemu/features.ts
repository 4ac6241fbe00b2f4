/**
 * Feature bits and status bits out of the words of QEMU's x-query-virtio-status, and out of its
 * message about a guest that cannot arrive.
 *
 * In x-query-virtio-status a colon and an explanation follow each name. A name that is not in the
 * tables is an error, so that no bit is lost.
 */

import { VmmError } from "../errors.ts";
import { asBigInt, isJsonObject, type JsonValue } from "../json.ts";

/** virtio 1.3, 5.5.3 (balloon) and 6 (transport), and the two of the legacy interface. */
const FEATURE_BITS: Readonly<Record<string, bigint>> = {
  VIRTIO_BALLOON_F_MUST_TELL_HOST: 0n,
  VIRTIO_BALLOON_F_STATS_VQ: 1n,
  VIRTIO_BALLOON_F_DEFLATE_ON_OOM: 2n,
  VIRTIO_BALLOON_F_FREE_PAGE_HINT: 3n,
  VIRTIO_BALLOON_F_PAGE_POISON: 4n,
  VIRTIO_BALLOON_F_REPORTING: 5n,
  VIRTIO_F_NOTIFY_ON_EMPTY: 24n,
  VIRTIO_F_ANY_LAYOUT: 27n,
  VIRTIO_RING_F_INDIRECT_DESC: 28n,
  VIRTIO_RING_F_EVENT_IDX: 29n,
  VIRTIO_F_VERSION_1: 32n,
  VIRTIO_F_IOMMU_PLATFORM: 33n,
  VIRTIO_F_RING_PACKED: 34n,
  VIRTIO_F_IN_ORDER: 35n,
  VIRTIO_F_ORDER_PLATFORM: 36n,
  VIRTIO_F_SR_IOV: 37n,
  VIRTIO_F_NOTIFICATION_DATA: 38n,
  VIRTIO_F_NOTIF_CONFIG_DATA: 39n,
  VIRTIO_F_RING_RESET: 40n,
  VIRTIO_F_ADMIN_VQ: 41n,
};

/** virtio 1.3, 2.1. */
const STATUS_BITS: Readonly<Record<string, bigint>> = {
  VIRTIO_CONFIG_S_ACKNOWLEDGE: 0n,
  VIRTIO_CONFIG_S_DRIVER: 1n,
  VIRTIO_CONFIG_S_DRIVER_OK: 2n,
  VIRTIO_CONFIG_S_FEATURES_OK: 3n,
  VIRTIO_CONFIG_S_NEEDS_RESET: 6n,
  VIRTIO_CONFIG_S_FAILED: 7n,
};

/** Returns a `VirtioDeviceFeatures` of QMP as a bit mask; an integer is the mask itself. */
export function featureBits(value: JsonValue | undefined): bigint {
  const plain = asBigInt(value);
  if (plain !== undefined) return plain;
  const features = isJsonObject(value) ? value : {};
  const named = [features.transports, features["dev-features"]].map((names) =>
    bitsOf({ names, table: FEATURE_BITS }),
  );
  return named.reduce((sum, bits) => sum | bits, asBigInt(features["unknown-dev-features"]) ?? 0n);
}

/** Returns a `VirtioDeviceStatus` of QMP as the device status field. */
export function statusBits(value: JsonValue | undefined): number {
  const plain = asBigInt(value);
  if (plain !== undefined) return Number(plain);
  const status = isJsonObject(value) ? value : {};
  const named = bitsOf({ names: status.statuses, table: STATUS_BITS });
  return Number(named | (asBigInt(status["unknown-statuses"]) ?? 0n));
}

function bitsOf(parts: {
  names: JsonValue | undefined;
  table: Readonly<Record<string, bigint>>;
}): bigint {
  const names = Array.isArray(parts.names) ? (parts.names as readonly JsonValue[]) : [];
  return names.reduce<bigint>((bits, text) => {
    const name = String(text).split(":", 1)[0] ?? "";
    const bit = parts.table[name];
    if (bit === undefined) {
      throw new VmmError({
        code: "protocol",
        what: "x-query-virtio-status",
        seen: `the unknown name ${JSON.stringify(name)}`,
        todo: "add the name and its bit to src/vmm/qemu/features.ts",
      });
    }
    return bits | (1n << bit);
  }, 0n);
}

/** A destination's message about a guest that has accepted features which it does not offer. */
const UNSUPPORTED = /Features (0x[0-9a-f]+) unsupported\. Allowed features: (0x[0-9a-f]+)/;

/** Returns the bits that the destination lacks, out of QEMU's messages; 0n for other messages. */
export function unsupportedFeatures(said: string): bigint {
  const [, accepted = "0", allowed = "0"] = UNSUPPORTED.exec(said) ?? [];
  return BigInt(accepted) & ~BigInt(allowed);
}
