/** The status of a driver. */
import type { FrameCounts, QUEUE_ROLES } from "../core/exports.ts";
import type { ErrorCode } from "../errors.ts";
import type { InterruptMode } from "../virtio/interrupts.ts";
import type { DeflateMode } from "./deflate-order.ts";
import type { DriverStateName } from "./lifecycle.ts";

/** Counts since the driver was made, over all devices. */
export interface Totals {
  /** Pages that the device acknowledged. */
  inflated: number;
  deflated: number;
  /** Notifications of any queue. */
  notifications: number;
  /** Writes of `actual`. */
  actualWrites: number;
  /** Requests for statistics that were answered. */
  stats: number;
  /** Frames, each counted as often as it was hinted. */
  hinted: number;
  /** Frames, each counted as often as it was reported. */
  reported: number;
}

export const NO_TOTALS: Readonly<Totals> = {
  inflated: 0,
  deflated: 0,
  notifications: 0,
  actualWrites: 0,
  stats: 0,
  hinted: 0,
  reported: 0,
};

/** One queue in use. */
export interface QueueStatus {
  readonly role: (typeof QUEUE_ROLES)[number];
  /** Its number on this device, which differs from host to host. */
  readonly index: number;
  /** Entries of its ring. */
  readonly size: number;
}

/** What a driver says of itself: plain values, which JSON carries unchanged over every channel. */
export interface DriverStatus {
  readonly state: DriverStateName;
  /** The way to the device: "modern PCI at 00:0b.0", or "none". */
  readonly transport: string;
  /** The persona that the settings were made from. */
  readonly persona: string;
  /** Feature names; "none" before negotiation. */
  readonly offered: string;
  readonly negotiated: string;
  readonly queues: readonly QueueStatus[];
  /** How the device interrupts. */
  readonly interrupts: InterruptMode["kind"];
  /** The free page hinting run that is under way, or undefined. */
  readonly hintRun?: number;
  /** Frames by state. */
  readonly frames: FrameCounts;
  /** num_pages as last read. */
  readonly targetPages: number;
  /** `actual` as last written. */
  readonly actualPages: number;
  /** Pages that were posted and are not acknowledged. */
  readonly inFlight: { readonly inflatePages: number; readonly deflatePages: number };
  /** How long pages have been in flight without any coming back; 0 when none are. */
  readonly waitingMs: number;
  /** The policy's name. */
  readonly policy: string;
  readonly deflateMode: DeflateMode;
  /** Free pages that inflating leaves to the guest. */
  readonly reservePages: number;
  /** True while the target cannot be reached: free memory lacks, or it is beyond the share. */
  readonly outOfReach: boolean;
  /** How often this device was brought up again because it needed a reset. */
  readonly restarts: number;
  readonly totals: Readonly<Totals>;
  /** Why the driver failed, or the last trouble that it survived. */
  readonly lastError?: { readonly code: ErrorCode; readonly message: string };
}
