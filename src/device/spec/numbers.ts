/**
 * The numbers of virtio 1.3 and of the PCI specification, as the device knows them. The judge
 * shares no code with the drivers that it judges, so they stand here a second time, as printed
 * there; a test compares both with a third table.
 */

/** Virtio device ids and PCI ids (virtio 1.3, 4.1.2 and 5). */
export const ID = {
  balloon: 5,
  entropy: 4,
  vendor: 0x1af4,
  balloonTransitional: 0x1002,
  balloonModern: 0x1045,
  entropyTransitional: 0x1005,
  entropyModern: 0x1044,
} as const;

/** Feature bits, as bit numbers (virtio 1.3, 5.5.3 and 6). */
export const FEATURE = {
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

/** device_status bits (virtio 1.3, 2.1). */
export const STATUS = {
  acknowledge: 1,
  driver: 2,
  driverOk: 4,
  featuresOk: 8,
  needsReset: 64,
  failed: 128,
} as const;

/** Offsets in the balloon's device-specific configuration (virtio 1.3, 5.5.4). */
export const CONFIG = {
  numPages: 0,
  actual: 4,
  freePageHintCmdId: 8,
  poisonVal: 12,
} as const;

/** Reserved values of free_page_hint_cmd_id, and the smallest id of a run (5.5.6.5). */
export const HINT = { stop: 0, done: 1, firstId: 2 } as const;

/** Virtqueue numbers as the specification fixes them (virtio 1.3, 5.5.2). */
export const QUEUE = { inflate: 0, deflate: 1, stats: 2, freePage: 3, reporting: 4 } as const;

/** Statistic tags (virtio 1.3, 5.5.6.4). */
export const STAT = {
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

/** One statistic: le16 tag, le64 value, packed (virtio 1.3, 5.5.6.3). */
export const STAT_BYTES = 10;

/** The balloon's page size, which the guest's own does not change (virtio 1.3, 5.5.6). */
export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;

/** Types of virtio PCI capabilities (virtio 1.3, 4.1.4). */
export const CAP = {
  commonCfg: 1,
  notifyCfg: 2,
  isrCfg: 3,
  deviceCfg: 4,
  pciCfg: 5,
  sharedMemoryCfg: 8,
  vendorCfg: 9,
} as const;

/** Bytes of a virtio PCI capability without a type's extra fields (virtio 1.3, 4.1.4). */
export const CAP_BYTES = 16;

/** Offsets in the common configuration structure (virtio 1.3, 4.1.4.3). */
export const COMMON = {
  deviceFeatureSelect: 0x00,
  deviceFeature: 0x04,
  driverFeatureSelect: 0x08,
  driverFeature: 0x0c,
  configMsixVector: 0x10,
  numQueues: 0x12,
  deviceStatus: 0x14,
  configGeneration: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueMsixVector: 0x1a,
  queueEnable: 0x1c,
  queueNotifyOff: 0x1e,
  queueDesc: 0x20,
  queueDriver: 0x28,
  queueDevice: 0x30,
  queueNotifConfigData: 0x38,
  queueReset: 0x3a,
} as const;

/** Offsets of the registers over MMIO, of both versions (virtio 1.3, 4.2.2 and 4.2.4). */
export const MMIO = {
  magicValue: 0x000,
  version: 0x004,
  deviceId: 0x008,
  vendorId: 0x00c,
  deviceFeatures: 0x010,
  deviceFeaturesSel: 0x014,
  driverFeatures: 0x020,
  driverFeaturesSel: 0x024,
  guestPageSize: 0x028,
  queueSel: 0x030,
  queueNumMax: 0x034,
  queueNum: 0x038,
  queueAlign: 0x03c,
  queuePfn: 0x040,
  queueReady: 0x044,
  queueNotify: 0x050,
  interruptStatus: 0x060,
  interruptAck: 0x064,
  status: 0x070,
  queueDesc: 0x080,
  queueDriver: 0x090,
  queueDevice: 0x0a0,
  shmSel: 0x0ac,
  shmLen: 0x0b0,
  shmBase: 0x0b8,
  queueReset: 0x0c0,
  configGeneration: 0x0fc,
  config: 0x100,
} as const;

/** "virt", and the two versions of its registers (virtio 1.3, 4.2.2 and 4.2.4). */
export const MMIO_MAGIC = 0x7472_6976;
export const MMIO_VERSION = { legacy: 1, modern: 2 } as const;

/** Bytes of the common configuration that exist without optional features. */
export const COMMON_BYTES = 0x38;

/** Offsets in the header of the legacy interface (virtio 1.3, 4.1.4.10). */
export const LEGACY = {
  deviceFeatures: 0x00,
  driverFeatures: 0x04,
  queueAddress: 0x08,
  queueSize: 0x0c,
  queueSelect: 0x0e,
  queueNotify: 0x10,
  deviceStatus: 0x12,
  isrStatus: 0x13,
  configMsixVector: 0x14,
  queueMsixVector: 0x16,
} as const;

/** Offset of the device configuration, without and with MSI-X enabled (4.1.4.10). */
export const LEGACY_CONFIG = { plain: 0x14, msix: 0x18 } as const;

/** Unit of a queue's address, and alignment of its device area (4.1.5.1.3.1). */
export const LEGACY_PAGE_BYTES = 4096;

/** ISR status bits (virtio 1.3, 4.1.4.5). */
export const ISR = { queue: 1, config: 2 } as const;

/** "No vector" (virtio 1.3, 4.1.5.1.2). */
export const NO_VECTOR = 0xffff;

/** Descriptor flags (virtio 1.3, 2.7.5). */
export const DESC = { next: 1, write: 2, indirect: 4 } as const;

/** Flags of the driver area and of the device area (virtio 1.3, 2.7.6 and 2.7.8). */
export const RING_FLAG = { noInterrupt: 1, noNotify: 1 } as const;

/** Alignment and size of the three parts of a split virtqueue (virtio 1.3, 2.7). */
export const RING = {
  descAlign: 16,
  descBytes: 16,
  driverAlign: 2,
  driverBytes: 2,
  deviceAlign: 4,
  deviceBytes: 8,
  headerBytes: 4,
  eventBytes: 2,
  maxSize: 32768,
} as const;

/** Bits, alignments and sizes of a packed virtqueue (virtio 1.3, 2.8.1, 2.8.10 and 2.8.13). */
export const PACKED = {
  avail: 0x80,
  used: 0x8000,
  descAlign: 16,
  descBytes: 16,
  eventAlign: 4,
  eventBytes: 4,
  eventFlags: 3,
  eventEnable: 0,
  eventDisable: 1,
  eventDesc: 2,
  eventOffset: 0x7fff,
  eventWrap: 0x8000,
} as const;

/** PCI configuration space (PCI local bus specification 3.0, 6.1; mechanism #1, 3.2.2.3.2). */
export const PCI = {
  addressPort: 0xcf8,
  dataPort: 0xcfc,
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  headerType: 0x0e,
  bar0: 0x10,
  primaryBus: 0x18,
  subsystemVendor: 0x2c,
  subsystemId: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  vendorCapability: 0x09,
} as const;

/** The MSI-X capability and its table (PCI 3.0, 6.8.2). */
export const MSIX = {
  capability: 0x11,
  capBytes: 12,
  control: 2,
  table: 4,
  pending: 8,
  functionMask: 0x4000,
  enable: 0x8000,
  entryBytes: 16,
  masked: 1,
} as const;

/** Bits of the PCI command and status registers. */
export const PCI_COMMAND = { io: 1, memory: 2, busMaster: 4, intxDisable: 0x400 } as const;
export const PCI_STATUS = { interrupt: 8, capabilities: 16 } as const;
