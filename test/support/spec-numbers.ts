/**
 * The specification's numbers, written down a third time, for tests.
 *
 * Driver and device each have a table of their own. A test compares both with this one, so that a
 * slip in any of the three is found. Every number was read in virtio 1.3 (sections in the
 * comments), never copied from the other tables.
 */

/** 4.1.2 and 5. */
export const SPEC_ID = {
  vendor: 0x1af4,
  balloon: 5,
  entropy: 4,
  balloonTransitional: 0x1002,
  balloonModern: 0x1045,
  entropyTransitional: 0x1005,
  entropyModern: 0x1044,
} as const;

/** 5.5.3 and 6. */
export const SPEC_FEATURE = {
  mustTellHost: 0,
  statsVq: 1,
  deflateOnOom: 2,
  freePageHint: 3,
  pagePoison: 4,
  pageReporting: 5,
  notifyOnEmpty: 24,
  anyLayout: 27,
  ringIndirectDesc: 28,
  ringEventIdx: 29,
  version1: 32,
  accessPlatform: 33,
  ringPacked: 34,
  inOrder: 35,
  orderPlatform: 36,
  notificationData: 38,
  notifConfigData: 39,
  ringReset: 40,
} as const;

/** 2.1. */
export const SPEC_STATUS = {
  acknowledge: 0x01,
  driver: 0x02,
  driverOk: 0x04,
  featuresOk: 0x08,
  needsReset: 0x40,
  failed: 0x80,
} as const;

/** 5.5.4. */
export const SPEC_CONFIG = {
  numPages: 0,
  actual: 4,
  freePageHintCmdId: 8,
  poisonVal: 12,
} as const;

/** 5.5.6.5: STOP, DONE, and the first value that is not reserved. */
export const SPEC_HINT = { stop: 0, done: 1, firstId: 2 } as const;

/** 5.5.2. */
export const SPEC_QUEUE = { inflate: 0, deflate: 1, stats: 2, freePage: 3, reporting: 4 } as const;

/** 5.5.6.4. */
export const SPEC_STAT = {
  swapIn: 0,
  swapOut: 1,
  majorFaults: 2,
  minorFaults: 3,
  memoryFree: 4,
  memoryTotal: 5,
  available: 6,
  caches: 7,
  hugePagesAllocated: 8,
  hugePagesFailed: 9,
} as const;

/** 4.1.4. */
export const SPEC_CAP = {
  commonCfg: 1,
  notifyCfg: 2,
  isrCfg: 3,
  deviceCfg: 4,
  pciCfg: 5,
  sharedMemoryCfg: 8,
  vendorCfg: 9,
} as const;

/** 4.1.4.3, offsets of the fields. */
export const SPEC_COMMON = {
  deviceFeatureSelect: 0,
  deviceFeature: 4,
  driverFeatureSelect: 8,
  driverFeature: 12,
  configMsixVector: 16,
  numQueues: 18,
  deviceStatus: 20,
  configGeneration: 21,
  queueSelect: 22,
  queueSize: 24,
  queueMsixVector: 26,
  queueEnable: 28,
  queueNotifyOff: 30,
  queueDesc: 32,
  queueDriver: 40,
  queueDevice: 48,
  queueNotifConfigData: 56,
  queueReset: 58,
} as const;

/** 4.1.4.10, offsets in the legacy header; the last two are there with MSI-X enabled. */
export const SPEC_LEGACY = {
  deviceFeatures: 0,
  driverFeatures: 4,
  queueAddress: 8,
  queueSize: 12,
  queueSelect: 14,
  queueNotify: 16,
  deviceStatus: 18,
  isrStatus: 19,
  configMsixVector: 20,
  queueMsixVector: 22,
} as const;

/** 4.1.4.10: where the device configuration starts. */
export const SPEC_LEGACY_CONFIG = { plain: 20, msix: 24 } as const;

/** PCI 3.0, 6.8.2: the capability, bits of message control, an entry and its mask bit. */
export const SPEC_MSIX = {
  capability: 17,
  capBytes: 12,
  control: 2,
  table: 4,
  pending: 8,
  functionMask: 1 << 14,
  enable: 1 << 15,
  entryBytes: 16,
  masked: 1,
} as const;

/** 4.2.2, the registers in bytes from the slot's start, and with them those of 4.2.4. */
export const SPEC_MMIO = {
  magicValue: 0,
  version: 4,
  deviceId: 8,
  vendorId: 12,
  deviceFeatures: 16,
  deviceFeaturesSel: 20,
  driverFeatures: 32,
  driverFeaturesSel: 36,
  guestPageSize: 40,
  queueSel: 48,
  queueNumMax: 52,
  queueNum: 56,
  queueAlign: 60,
  queuePfn: 64,
  queueReady: 68,
  queueNotify: 80,
  interruptStatus: 96,
  interruptAck: 100,
  status: 112,
  queueDesc: 128,
  queueDriver: 144,
  queueDevice: 160,
  shmSel: 172,
  shmLen: 176,
  shmBase: 184,
  queueReset: 192,
  configGeneration: 252,
  config: 256,
} as const;

/** 4.2.2: the letters of "virt", the first one lowest. */
export const SPEC_MMIO_MAGIC = 0x74726976;

/** 4.2.4 and 4.2.2. */
export const SPEC_MMIO_VERSION = { legacy: 1, modern: 2 } as const;

/** 4.1.4.5. */
export const SPEC_ISR = { queue: 1, config: 2 } as const;

/** 2.7.5. */
export const SPEC_DESC = { next: 1, write: 2, indirect: 4 } as const;

/** 2.7: alignment of the three parts, bytes of an entry of each. */
export const SPEC_RING = {
  descAlign: 16,
  descBytes: 16,
  driverAlign: 2,
  driverBytes: 2,
  deviceAlign: 4,
  deviceBytes: 8,
} as const;

/** 2.8.1: flags of a descriptor; 2.8.10: event suppression, its flags in the low 2 bits; 2.8.13. */
export const SPEC_PACKED = {
  avail: 1 << 7,
  used: 1 << 15,
  descAlign: 16,
  descBytes: 16,
  eventAlign: 4,
  eventBytes: 4,
  eventFlags: 0b11,
  eventEnable: 0,
  eventDisable: 1,
  eventDesc: 2,
  eventOffset: 0b111_1111_1111_1111,
  eventWrap: 1 << 15,
} as const;

/** 5.5.6.3: 16 bits of tag, 64 bits of value. */
export const SPEC_STAT_BYTES = 10;

/** 5.5.6: addresses are divided by 4096. */
export const SPEC_PAGE_BYTES = 4096;

/** 4.1.5.1.2. */
export const SPEC_NO_VECTOR = 0xffff;
