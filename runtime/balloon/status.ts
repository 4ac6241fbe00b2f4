/**
 * What a driver says of itself: plain values, the same in every guest and over every channel.
 *
 * Invariant: it can go through JSON and come back equal.
 */
import type { FrameCounts } from "../core/exports.ts";
import type { ErrorCode } from "../errors.ts";
import type { InterruptMode } from "../virtio/interrupts.ts";
import type { DeflateMode } from "./deflate-order.ts";
import type { DriverStateName } from "./driver.ts";

/** The core's queues, at the index that the core uses for each. */
export const QUEUE_ROLES = [
  "inflateq",
  "deflateq",
  "statsq",
  "free_page_vq",
  "reporting_vq",
] as const;

/** One queue in use: what for, its number on this device, and its size in entries. */
export interface QueueStatus {
  readonly role: (typeof QUEUE_ROLES)[number];
  readonly index: number;
  readonly size: number;
}

export interface DriverStatus {
  readonly state: DriverStateName;
  readonly transport: string;
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
  readonly inFlight: { readonly inflatePages: number; readonly deflatePages: number };
  /** How long pages have been in flight without any coming back; 0 when none are. */
  readonly waitingMs: number;
  readonly policy: string;
  readonly deflateMode: DeflateMode;
  readonly reservePages: number;
  /** True while the target cannot be reached for want of free memory. */
  readonly outOfReach: boolean;
  /** How often this device was brought up again because it needed a reset. */
  readonly restarts: number;
  readonly totals: {
    readonly inflated: number;
    readonly deflated: number;
    readonly notifications: number;
    readonly actualWrites: number;
    readonly stats: number;
    /** Frames, each counted as often as it was handed over. */
    readonly hinted: number;
    readonly reported: number;
  };
  readonly lastError?: { readonly code: ErrorCode; readonly message: string };
}
