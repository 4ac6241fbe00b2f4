/**
 * The numbers of the virtio specification that the driver uses. The reference device has its own: a
 * judge shares no constants with the judged.
 */
import type { Width } from "../hal.ts";

/** One field of a register layout, and the only width that an access to it may have. */
export interface Field {
  /** Bytes from the start of its structure. */
  readonly offset: number;
  readonly width: Width;
}

const u8 = (offset: number): Field => ({ offset, width: 1 });
const le16 = (offset: number): Field => ({ offset, width: 2 });
const le32 = (offset: number): Field => ({ offset, width: 4 });

/** PCI identity (virtio 1.3, 4.1.2). */
export const VIRTIO_PCI_VENDOR = 0x1af4;
/** A modern device's PCI id is this plus its virtio device id (virtio 1.3, 4.1.2). */
export const VIRTIO_PCI_MODERN_BASE = 0x1040;
/** Transitional devices have PCI ids from here on (virtio 1.3, 4.1.2.1). */
export const VIRTIO_PCI_TRANSITIONAL_BASE = 0x1000;

/** Bits of the device status (virtio 1.3, 2.1). They are only ever added; reset clears them all. */
export const STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const;

/** The status read where no device answers any more; no device has it. */
export const STATUS_GONE = 0xff;

/** Feature bit numbers of the transport and the rings (virtio 1.3, 6). */
export const FEATURE = {
  NOTIFY_ON_EMPTY: 24,
  ANY_LAYOUT: 27,
  INDIRECT_DESC: 28,
  EVENT_IDX: 29,
  VERSION_1: 32,
  ACCESS_PLATFORM: 33,
  RING_PACKED: 34,
  IN_ORDER: 35,
  ORDER_PLATFORM: 36,
  SR_IOV: 37,
  NOTIFICATION_DATA: 38,
  NOTIF_CONFIG_DATA: 39,
  RING_RESET: 40,
  ADMIN_VQ: 41,
} as const;

/** `cfg_type` of a virtio structure's PCI capability (virtio 1.3, 4.1.4). */
export const CFG_TYPE = {
  COMMON: 1,
  NOTIFY: 2,
  ISR: 3,
  DEVICE: 4,
  PCI: 5,
  SHARED_MEMORY: 8,
  VENDOR: 9,
} as const;

/** The common configuration structure (virtio 1.3, 4.1.4.3). 64-bit fields are two halves. */
export const COMMON = {
  deviceFeatureSelect: le32(0x00),
  deviceFeature: le32(0x04),
  driverFeatureSelect: le32(0x08),
  driverFeature: le32(0x0c),
  configMsixVector: le16(0x10),
  numQueues: le16(0x12),
  deviceStatus: u8(0x14),
  configGeneration: u8(0x15),
  queueSelect: le16(0x16),
  queueSize: le16(0x18),
  queueMsixVector: le16(0x1a),
  queueEnable: le16(0x1c),
  queueNotifyOff: le16(0x1e),
  queueDescLow: le32(0x20),
  queueDescHigh: le32(0x24),
  queueDriverLow: le32(0x28),
  queueDriverHigh: le32(0x2c),
  queueDeviceLow: le32(0x30),
  queueDeviceHigh: le32(0x34),
  /** Exists only with NOTIF_CONFIG_DATA. */
  queueNotifConfigData: le16(0x38),
  /** Exists only with RING_RESET. */
  queueReset: le16(0x3a),
} as const satisfies Record<string, Field>;

/** Bytes of the common configuration that every device has: up to the end of `queue_device`. */
export const COMMON_LENGTH = 0x38;
/** Its bytes with all fields that features add. */
export const COMMON_WHOLE_LENGTH = 0x3c;

/** The header of a legacy PCI device, in the I/O ports of BAR 0 (virtio 1.3, 4.1.4.10). */
export const LEGACY = {
  deviceFeatures: le32(0x00),
  driverFeatures: le32(0x04),
  queueAddress: le32(0x08),
  queueSize: le16(0x0c),
  queueSelect: le16(0x0e),
  queueNotify: le16(0x10),
  deviceStatus: u8(0x12),
  isrStatus: u8(0x13),
  /** These two exist only while MSI-X is enabled, and then move the device configuration. */
  configMsixVector: le16(0x14),
  queueMsixVector: le16(0x16),
} as const satisfies Record<string, Field>;

/** Where the device configuration of a legacy PCI device begins. */
export const LEGACY_CONFIG = { withoutMsix: 0x14, withMsix: 0x18 } as const;

/** Registers of an MMIO device (virtio 1.3, 4.2.2 and, for the legacy ones, 4.2.4). */
export const MMIO = {
  magicValue: le32(0x000),
  version: le32(0x004),
  deviceId: le32(0x008),
  vendorId: le32(0x00c),
  deviceFeatures: le32(0x010),
  deviceFeaturesSel: le32(0x014),
  driverFeatures: le32(0x020),
  driverFeaturesSel: le32(0x024),
  /** Legacy only. */
  guestPageSize: le32(0x028),
  queueSel: le32(0x030),
  queueNumMax: le32(0x034),
  queueNum: le32(0x038),
  /** Legacy only, both. */
  queueAlign: le32(0x03c),
  queuePfn: le32(0x040),
  queueReady: le32(0x044),
  queueNotify: le32(0x050),
  interruptStatus: le32(0x060),
  interruptAck: le32(0x064),
  status: le32(0x070),
  queueDescLow: le32(0x080),
  queueDescHigh: le32(0x084),
  queueDriverLow: le32(0x090),
  queueDriverHigh: le32(0x094),
  queueDeviceLow: le32(0x0a0),
  queueDeviceHigh: le32(0x0a4),
  /** Exists only with RING_RESET. */
  queueReset: le32(0x0c0),
  configGeneration: le32(0x0fc),
} as const satisfies Record<string, Field>;

/** "virt", little-endian. */
export const MMIO_MAGIC = 0x7472_6976;
export const MMIO_VERSION = { legacy: 1, modern: 2 } as const;
/** Where the device configuration begins. */
export const MMIO_CONFIG = 0x100;

/** Bits of the ISR status (virtio 1.3, 4.1.4.5). Reading clears them and lowers the interrupt. */
export const ISR = { QUEUE: 1, CONFIG: 2 } as const;
