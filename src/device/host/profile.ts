/**
 * What a profile says: everything in which one balloon device differs from another.
 *
 * It must not hold any device's values; profiles.ts does. Invariant: a profile is plain values, so
 * that a caller can spread one and change what it likes.
 */

import type { Completion } from "../queue/completion.ts";
import type { QueueNumbering } from "../spec/roles.ts";

/** How a BAR is made. */
export interface BarSpec {
  readonly index: number;
  readonly kind: "io" | "mem32" | "mem64";
  readonly bytes: number;
  /** Where the firmware has put it. */
  readonly base: number;
  readonly prefetchable?: boolean;
}

/** One capability. `reserved` ones are there to be ignored. */
export interface CapSpec {
  readonly type: number;
  readonly bar: number;
  readonly offset: number;
  readonly bytes: number;
  /** Bytes by which cap_len is larger than it needs to be. */
  readonly padding?: number;
  /** A capability that no driver can use, because its type or its BAR number is reserved. */
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
  readonly notifyMultiplier: number;
  /** Whether the configuration access window works. */
  readonly window: boolean;
  /** Other functions on the bus, to be left alone. */
  readonly decoys: boolean;
  /** Whether BAR 0 starts with the header of the interface from before virtio 1.0. */
  readonly legacy?: boolean;
  readonly msix?: MsixSpec;
}

export interface MmioLayout {
  /** Where the registers lie: a multiple of 4 above the guest's memory. */
  readonly base: number;
  /** Of each slot. */
  readonly bytes: number;
  /** Other slots, just before the balloon's, to be left alone. */
  readonly decoys: boolean;
  /** Whether a device that offers RING_RESET has the register for it, too. */
  readonly queueReset: boolean;
}

/**
 * What an access with a wrong width does, besides being a breach. `native`: nothing, reads give
 * ones. `any`: what the bytes say. `v86`: what that emulator's port handlers do.
 */
export type AccessQuirk = "native" | "any" | "v86";

/**
 * What `used.len` says on the inflate and deflate queues: nothing was written, the buffer's length,
 * the number of pages, or the largest number there is. A driver has to ignore it (5.5.6.2.1).
 */
export type UsedLength = "zero" | "total" | "pfns" | "ones";

/** How a device runs free page hinting (5.5.6.5). */
export interface HintQuirks {
  /** The id of the first run; each further run has the next one. */
  readonly firstId: number;
  /** Whether every run has the first id again. */
  readonly sameId: boolean;
  /** Whether the device says DONE as soon as the driver says STOP; otherwise the host decides. */
  readonly doneOnStop: boolean;
  /** Whether pages are taken whatever id they come with, and also when no run is on. */
  readonly anyId: boolean;
  /** Whether a run's id is shown only until the run is begun, and then 0, though it goes on. */
  readonly hidesId: boolean;
  /** What becomes of a hinted page's contents. */
  readonly fill: "canary" | "zero";
  /** Whether runs are ever started and buffers returned. */
  readonly served: boolean;
}

export interface BalloonQuirks {
  /** Bytes of device configuration; `offered`: as many as the offered features need. */
  readonly configBytes: number | "offered";
  /** Whose value `actual` shows. `nobody`: writes are ignored and it reads 0. */
  readonly actualOwner: "driver" | "device" | "both" | "nobody";
  readonly actualAfterReset: "zero" | "kept";
  readonly usedLength: UsedLength;
  /** A buffer of more than 256 pages is served, returned unserved, or lost. */
  readonly oversize: "serve" | "skip" | "lose";
  /** Whether only the first descriptor of a chain is read. */
  readonly headOnly: boolean;
  /** Whether inflate and deflate buffers come back at all. */
  readonly returns: "by schedule" | "never";
  /** Bits of a statistic's value that the host looks at. */
  readonly statBits: 32 | 64;
  /** Whether requests for statistics are made. */
  readonly statsServed: boolean;
  readonly hints: HintQuirks;
  /** What `used.len` says of a report: nothing was written, or the bytes of all ranges. */
  readonly reportUsedLength: "zero" | "total";
}

export interface QueueSpec {
  readonly size: number;
  readonly notifyOff: number;
}

export interface Profile {
  readonly name: string;
  /** Feature bits offered unless the caller says otherwise. */
  readonly features: readonly number[];
  /** By the specification's numbers, however the queues are numbered then. */
  readonly queues: readonly QueueSpec[];
  readonly queueNumbering: QueueNumbering;
  /** Whether, numbered as the specification does, queues without their feature are there, too. */
  readonly queuesShown: "offered" | "all";
  readonly generation: "changes" | "never";
  readonly driverFeaturesStart: "none" | "offered";
  readonly access: AccessQuirk;
  /** Whether the upper halves of queue addresses are ignored. */
  readonly lowAddressesOnly: boolean;
  readonly completion: Completion;
  readonly pci: PciLayout;
  readonly mmio: MmioLayout;
  readonly balloon: BalloonQuirks;
}
