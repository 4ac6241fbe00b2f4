/**
 * What a session tells while it runs: one event a step, the same for text, JSON and tests.
 *
 * It must not know who listens. Invariant: a session's last event is `summary` or `failed`, and
 * there is exactly one of both together. Times are milliseconds, pages are 4 KiB, and every number
 * was measured or told by one of the two sides, never computed to look good.
 */

import type { Failure } from "../failure.ts";
import type { StatisticName } from "../vmm/vmm.ts";
import type { GuestQueue } from "./guest-status.ts";

/** The image is being built; `done` of `of` steps are behind it. */
export interface Building {
  readonly type: "building";
  readonly step: string;
  readonly done: number;
  readonly of: number;
}

/** The machine is about to start. */
export interface Booting {
  readonly type: "booting";
  readonly on: "v86" | "qemu";
  readonly arch: "i386" | "x86_64";
  /** QEMU's machine type; null on v86, which has only one. */
  readonly machine: "pc" | "q35" | null;
  readonly memoryBytes: number;
  readonly image: string;
  readonly imageBytes: number;
  /** The guest's command line. */
  readonly append: string;
}

/** A line of the guest's log. */
export interface Log {
  readonly type: "log";
  readonly line: string;
}

/** The balloon was found and brought up. */
export interface Ready {
  readonly type: "ready";
  /** From the machine's start to the guest's word that it is ready. */
  readonly ms: number;
  readonly transport: string;
  readonly persona: string;
  readonly policy: string;
  readonly deflateMode: string;
  /** Feature names, as the guest tells them. */
  readonly offered: readonly string[];
  readonly negotiated: readonly string[];
  /** True when the emulator tells the same of what was accepted; null where it cannot be asked. */
  readonly hostAgrees: boolean | null;
  readonly queues: readonly GuestQueue[];
  readonly memoryPages: number;
  readonly freePages: number;
  readonly reservePages: number;
}

/** The workload took its frames and wrote every byte of them. */
export interface Allocated {
  readonly type: "allocated";
  readonly pages: number;
  readonly seed: number;
  readonly ms: number;
}

/** The host asks for a balloon of `pages`; target number `number` of `of`. */
export interface TargetSet {
  readonly type: "target";
  readonly number: number;
  readonly of: number;
  readonly pages: number;
  readonly memoryPages: number;
}

/** On the way to a target. */
export interface Progress {
  readonly type: "progress";
  readonly targetPages: number;
  /** `actual`, as the host reads it. */
  readonly actualPages: number;
  /** By the guest's ledger, at about the same time. */
  readonly heldPages: number;
  readonly freePages: number;
  readonly memoryPages: number;
}

/** The target is reached. */
export interface Reached {
  readonly type: "reached";
  readonly pages: number;
  readonly heldPages: number;
  readonly freePages: number;
  readonly memoryPages: number;
  /** How many pages went in or came out, and how long that took. */
  readonly movedPages: number;
  readonly ms: number;
  readonly pagesPerSecond: number;
  /** Notifications that the driver sent to the device for it. */
  readonly kicks: number;
}

/** The workload looked at every byte that it owns. */
export interface Verified {
  readonly type: "verified";
  readonly bytes: number;
  readonly mismatches: number;
  readonly ms: number;
}

/** Fresh statistics of the guest, as the host got them: bytes or counts. */
export interface StatisticsTold {
  readonly type: "statistics";
  readonly values: Readonly<Partial<Record<StatisticName, bigint>>>;
  readonly ms: number;
}

/** The workload gave its frames back. */
export interface Freed {
  readonly type: "freed";
  readonly pages: number;
}

/** All went well. */
export interface Summary {
  readonly type: "summary";
  readonly targets: number;
  readonly readyMs: number;
  /** From the machine's start; building the image is not in it. */
  readonly sessionMs: number;
  readonly inflatedPages: number;
  readonly inflateMs: number;
  readonly deflatedPages: number;
  readonly deflateMs: number;
  readonly verifiedBytes: number;
  readonly mismatches: number;
  readonly kicks: number;
}

/** It did not go well; the machine has been ended. */
export interface Failed extends Failure {
  readonly type: "failed";
  /** The guest's own exit code, if it ended by itself. */
  readonly guestExitCode: number | null;
  /** The end of the guest's log. */
  readonly logTail: readonly string[];
}

export type SessionStep =
  | Building
  | Booting
  | Log
  | Ready
  | Allocated
  | TargetSet
  | Progress
  | Reached
  | Verified
  | StatisticsTold
  | Freed
  | Summary
  | Failed;

/** `atMs`: since the session's start. */
export type SessionEvent = SessionStep & { readonly atMs: number };
