/** Everything in which one balloon device differs from another, as plain values to spread. */

import type { Completion } from "../queue/completion.ts";
import type { Lapses } from "../spec/lapses.ts";
import type { QueueNumbering } from "../spec/roles.ts";

/** One BAR of the PCI function. */
export interface BarSpec {
  readonly index: number;
  readonly kind: "io" | "mem32" | "mem64";
  readonly bytes: number;
  /** The address that the firmware gave it. */
  readonly base: number;
  readonly prefetchable?: boolean;
}

/** One capability of the PCI function. */
export interface CapSpec {
  readonly type: number;
  readonly bar: number;
  readonly offset: number;
  readonly bytes: number;
  /** Bytes by which cap_len is larger than it needs to be. */
  readonly padding?: number;
  /** To be ignored by drivers: its type or its BAR number is reserved. */
  readonly reserved?: boolean;
}

/** Where the MSI-X table and its pending bits lie (PCI 3.0, 6.8.2). */
export interface MsixSpec {
  readonly bar: number;
  readonly vectors: number;
  /** Offsets in the BAR. */
  readonly table: number;
  readonly pending: number;
}

/** How a device appears on PCI: its place, ids, BARs and capabilities. */
export interface PciLayout {
  readonly deviceId: number;
  readonly revision: number;
  readonly subsystemId: number;
  /** Base class, subclass and programming interface as 0xBBSSPP. */
  readonly classCode: number;
  readonly bus: 0 | 1;
  readonly device: number;
  readonly function: number;
  /** The command register as the firmware left it. */
  readonly command: number;
  readonly bars: readonly BarSpec[];
  /** In the order of the capability list. */
  readonly caps: readonly CapSpec[];
  /** The notify_off_multiplier (virtio 1.3, 4.1.4.4). */
  readonly notifyMultiplier: number;
  /** Whether the PCI configuration access capability works (virtio 1.3, 4.1.4.9). */
  readonly window: boolean;
  /** Other functions on the bus, to be left alone. */
  readonly decoys: boolean;
  /** Whether BAR 0 starts with the header of the interface from before virtio 1.0. */
  readonly legacy?: boolean;
  readonly msix?: MsixSpec;
}

/** Where a device's registers lie over MMIO, and which there are. */
export interface MmioLayout {
  /** Address of the registers: a multiple of 4 above the guest's memory. */
  readonly base: number;
  /** Bytes of each slot. */
  readonly bytes: number;
  /** Whether other slots, to be left alone, stand just before the balloon's. */
  readonly decoys: boolean;
  /** Whether a device that offers RING_RESET also has the register QueueReset. */
  readonly queueReset: boolean;
}

/**
 * What an access of a wrong width does, besides being a breach. `native`: writes do nothing, and
 * reads give ones. `any`: the bytes are read or written. `v86`: as v86's port handlers do it.
 */
export type AccessQuirk = "native" | "any" | "v86";

/**
 * What `used.len` is on the inflate and deflate queues: 0, the buffer's length in bytes, its number
 * of pages, or all ones. A driver has to ignore it (virtio 1.3, 5.5.6.2.1).
 */
export type UsedLength = "zero" | "total" | "pfns" | "ones";

/** How a device runs free page hinting (virtio 1.3, 5.5.6.5). */
export interface HintQuirks {
  /** The command id of the first run; each run has the next one. */
  readonly firstId: number;
  /** Whether every run has `firstId` instead. */
  readonly sameId: boolean;
  /** Whether the device answers the driver's STOP with DONE; otherwise the host decides when. */
  readonly doneOnStop: boolean;
  /** Whether pages are taken with any id, and also when no run is on. */
  readonly anyId: boolean;
  /** Whether free_page_hint_cmd_id reads 0 once the driver has begun the run. */
  readonly hidesId: boolean;
  /** What a hinted page holds afterwards: the host's canary fill, or zeros. */
  readonly fill: "canary" | "zero";
  /** Whether the device starts runs and returns buffers at all. */
  readonly served: boolean;
}

/** In what a device's balloon differs from the specification's, or from other devices. */
export interface BalloonQuirks {
  /** Bytes of device configuration; `offered`: as many as the offered features need. */
  readonly configBytes: number | "offered";
  /**
   * Which value `actual` reads as: the last one that the driver wrote, the device's own count, or
   * the later of both. `nobody`: writes are ignored and it reads 0.
   */
  readonly actualOwner: "driver" | "device" | "both" | "nobody";
  readonly actualAfterReset: "zero" | "kept";
  readonly usedLength: UsedLength;
  /** Whether a buffer of more than 256 pages is served, returned unserved, or never returned. */
  readonly oversize: "serve" | "skip" | "lose";
  /** Whether only the first descriptor of a chain is read. */
  readonly headOnly: boolean;
  /** Whether inflate and deflate buffers are returned at all. */
  readonly returns: "by schedule" | "never";
  /** Bits of a statistic's value that the host reads. */
  readonly statBits: 32 | 64;
  /** Whether the host ever asks for statistics. */
  readonly statsServed: boolean;
  readonly hints: HintQuirks;
  /** What `used.len` is for a report: 0, or the bytes of all its ranges. */
  readonly reportUsedLength: "zero" | "total";
}

/** One queue as the device offers it. */
export interface QueueSpec {
  /** Entries offered. */
  readonly size: number;
  /** Its queue_notify_off over PCI. */
  readonly notifyOff: number;
}

/** One balloon device: what it offers, how it appears on a bus, and its quirks. */
export interface Profile {
  readonly name: string;
  /** Feature bits offered unless the caller says otherwise. */
  readonly features: readonly number[];
  /** In the order of the specification's numbers, whatever `queueNumbering` makes of them. */
  readonly queues: readonly QueueSpec[];
  readonly queueNumbering: QueueNumbering;
  /** With `fixed` numbers: whether queues whose feature is not offered exist all the same. */
  readonly queuesShown: "offered" | "all";
  /** Whether config_generation changes with the configuration; `when up`: after DRIVER_OK alone. */
  readonly generation: "changes" | "when up" | "never";
  /** What the driver's feature words hold after a reset. */
  readonly driverFeaturesStart: "none" | "offered";
  readonly access: AccessQuirk;
  /** Whether the upper halves of queue addresses are ignored. */
  readonly lowAddressesOnly: boolean;
  readonly lapses: Lapses;
  readonly completion: Completion;
  readonly pci: PciLayout;
  readonly mmio: MmioLayout;
  readonly balloon: BalloonQuirks;
}
