/** The numbers of the balloon in the specification (virtio 1.3, 5.5), and those beside it. */
import { type Field, VIRTIO_PCI_MODERN_BASE } from "../virtio/constants.ts";

/** Virtio device id of the traditional memory balloon (virtio 1.3, 5.5.1). */
export const DEVICE_ID_BALLOON = 5;

/** Both PCI device ids of a balloon; 0x1002 is transitional (0x1005 is an entropy source). */
export const BALLOON_PCI_IDS: readonly number[] = [
  VIRTIO_PCI_MODERN_BASE + DEVICE_ID_BALLOON,
  0x1002,
];

/** Feature bit numbers of the balloon (virtio 1.3, 5.5.3). */
export const BALLOON_FEATURE = {
  MUST_TELL_HOST: 0,
  STATS_VQ: 1,
  DEFLATE_ON_OOM: 2,
  FREE_PAGE_HINT: 3,
  PAGE_POISON: 4,
  PAGE_REPORTING: 5,
} as const;

/**
 * Bits outside of the specification that some devices offer and that own queues. The driver never
 * accepts them, but their queues must be counted (see queue-numbering.ts).
 */
export const FOREIGN_BALLOON_FEATURE = {
  /** Working set reporting of crosvm: two queues, after the reporting queue. */
  WS_REPORTING: 8,
  /** The message queue of StratoVirt: one queue, after the reporting queue. */
  MESSAGE_VQ: 16,
} as const;

/**
 * An experiment, in no specification: two bits in place of MUST_TELL_HOST, the last of the range
 * that a device type may use on every transport (virtio 1.3, 2.2). Only the dialect `two-bit`
 * accepts them.
 */
export const EXPERIMENTAL_FEATURE = { WILL_TELL_HOST: 22, SILENT_DEFLATE: 23 } as const;

/** The device configuration (virtio 1.3, 5.5.4): four fields of 32 bits. */
export const BALLOON_CONFIG = {
  /** The host's target, in 4 KiB pages. */
  numPages: { offset: 0, width: 4 },
  /** Pages in the balloon, written by the driver. */
  actual: { offset: 4, width: 4 },
  /** Exists only with FREE_PAGE_HINT. */
  freePageHintCmdId: { offset: 8, width: 4 },
  /** Exists only with PAGE_POISON. Written before DRIVER_OK, never after. */
  poisonVal: { offset: 12, width: 4 },
} as const satisfies Record<string, Field>;

/** Bytes of device configuration that every balloon has: num_pages and actual. */
export const BALLOON_CONFIG_LENGTH = 8;

/** Tags of the statistics queue (virtio 1.3, 5.5.6.4). */
export const STAT = {
  SWAP_IN: 0,
  SWAP_OUT: 1,
  MAJFLT: 2,
  MINFLT: 3,
  MEMFREE: 4,
  MEMTOT: 5,
  AVAIL: 6,
  CACHES: 7,
  HTLB_PGALLOC: 8,
  HTLB_PGFAIL: 9,
  OOM_KILL: 10,
  ALLOC_STALL: 11,
  ASYNC_SCAN: 12,
  DIRECT_SCAN: 13,
  ASYNC_RECLAIM: 14,
  DIRECT_RECLAIM: 15,
} as const;

/** Bytes of one statistic: le16 tag, le64 value, packed. The specification's "6" is an error. */
export const STAT_LENGTH = 10;
