/**
 * The events of a session; `ballonet boot --json` prints them. Times are milliseconds, pages are
 * 4 KiB. Each session ends with one `summary` or one `failed`.
 */
import type { Failure } from "../failure.ts";
import type { StatisticName } from "../vmm/vmm.ts";
import type { GuestStatus } from "./guest-status.ts";

/** The image is built: `done` of `of` steps are done, `step` is next. */
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
  readonly machine: "pc" | "q35" | "microvm" | null;
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
  /** From the machine's start to the guest's log line "ready". */
  readonly ms: number;
  readonly transport: string;
  readonly persona: string;
  readonly policy: string;
  readonly deflateMode: string;
  /** Names of features, from the guest. */
  readonly offered: readonly string[];
  readonly negotiated: readonly string[];
  /** True when the emulator says the same about `negotiated`; null when it cannot say. */
  readonly hostAgrees: boolean | null;
  readonly queues: GuestStatus["queues"];
  readonly memoryPages: number;
  readonly freePages: number;
  readonly reservePages: number;
}

/** The guest's workload allocated its pages and wrote every byte of them. */
export interface Allocated {
  readonly type: "allocated";
  readonly pages: number;
  readonly seed: number;
  readonly ms: number;
}

/** The host asks for a balloon of `pages`. This is target `number` of `of`, counted from 1. */
export interface TargetSet {
  readonly type: "target";
  readonly number: number;
  readonly of: number;
  readonly pages: number;
  readonly memoryPages: number;
}

/** The balloon moves towards its target. */
export interface Progress {
  readonly type: "progress";
  readonly targetPages: number;
  /** `actual`, as the host reads it. */
  readonly actualPages: number;
  /** From the guest's ledger, at about the same time. */
  readonly heldPages: number;
  readonly freePages: number;
  readonly memoryPages: number;
}

/** Host and guest agree that the target is reached. */
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
  /** Notifications that the driver sent to the device meanwhile. */
  readonly kicks: number;
}

/** The workload compared every byte that it owns with what it wrote. */
export interface Verified {
  readonly type: "verified";
  readonly bytes: number;
  readonly mismatches: number;
  readonly ms: number;
}

/** Fresh statistics of the guest, from the host: bytes or counts. */
export interface FreshStatistics {
  readonly type: "statistics";
  readonly values: Readonly<Partial<Record<StatisticName, bigint>>>;
  readonly ms: number;
}

/** The workload freed its pages. */
export interface Freed {
  readonly type: "freed";
  readonly pages: number;
}

/** Free memory went back to the host by page reporting, without a balloon. */
export interface Reported {
  readonly type: "reported";
  /** Pages that the guest reported after its workload had freed them. */
  readonly pages: number;
  /** QEMU's resident set before the workload was freed, and now; null outside of Linux. */
  readonly residentBytesBefore: number | null;
  readonly residentBytes: number | null;
  readonly ms: number;
}

/** The session went well. Sums over all targets. */
export interface Summary {
  readonly type: "summary";
  readonly targets: number;
  readonly readyMs: number;
  /** From the machine's start, without building the image. */
  readonly sessionMs: number;
  readonly inflatedPages: number;
  readonly inflateMs: number;
  readonly deflatedPages: number;
  readonly deflateMs: number;
  /** Given back by page reporting; 0 in a session with targets, which does not count them. */
  readonly reportedPages: number;
  readonly verifiedBytes: number;
  readonly mismatches: number;
  readonly kicks: number;
}

/** The session failed. The machine has ended. */
export interface Failed extends Failure {
  readonly type: "failed";
  /** The guest's own exit code, if it ended by itself. */
  readonly guestExitCode: number | null;
  /** The end of the guest's log. */
  readonly logTail: readonly string[];
}

/** An event without its time. */
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
  | FreshStatistics
  | Freed
  | Reported
  | Summary
  | Failed;

/** An event; `atMs` is the time since the session's start. */
export type SessionEvent = SessionStep & { readonly atMs: number };
