/**
 * The types of a running guest, whichever emulator runs it: balloon, log, control channel, power.
 *
 * Every asynchronous call rejects with a VmmError or with the signal's reason. What one emulator
 * lacks is undefined, or an error `not-supported`: nothing is silently skipped.
 */

import type { ControlClient } from "./control.ts";
import type { Deadline } from "./deadline.ts";
import type { GuestLog } from "./log.ts";

/** Bytes of a balloon page, whatever the guest's own page size (virtio 1.3, 5.5.6). */
export const PAGE_BYTES = 4_096;

/** Why and how a machine ended. */
export interface GuestExit {
  /**
   * - `guest`: the guest wrote an exit code to the exit port.
   * - `shutdown`: the machine was powered off, or rebooted where that ends it.
   * - `halted`: the guest stopped with interrupts off and can never go on (seen on v86 only).
   * - `killed`: `kill()` was called, or the launch was given up.
   * - `failed`: the emulator itself ended or broke.
   */
  readonly reason: "guest" | "shutdown" | "halted" | "killed" | "failed";
  /** The guest's own exit code, 0 to 127, if the reason is `guest`. */
  readonly guestExitCode?: number;
  /** The emulator process's exit status; null if a signal ended it or there was no process. */
  readonly code: number | null;
  readonly signal: string | null;
  /** The last of what the emulator said about itself, for people. */
  readonly complaint: string;
}

/** A target for the balloon: its size in pages, or the bytes that the guest keeps. */
export type BalloonTarget = { readonly pages: number } | { readonly guestBytes: number };

/** The balloon's size and its target, in pages of 4 KiB. */
export interface BalloonState {
  /** Pages that the guest says are in the balloon (`actual`; virtio 1.3, 5.5.4). */
  readonly actualPages: number;
  /** Pages last asked for (`num_pages`), as far as this host side knows. */
  readonly targetPages: number;
}

/** The statistics of virtio 1.3, 5.5.6.4, and the tags that later drivers send. */
export type StatisticName =
  | "swapIn"
  | "swapOut"
  | "majorFaults"
  | "minorFaults"
  | "freeMemory"
  | "totalMemory"
  | "availableMemory"
  | "diskCaches"
  | "hugetlbAllocations"
  | "hugetlbFailures"
  | "oomKills"
  | "allocationStalls"
  | "asyncScans"
  | "directScans"
  | "asyncReclaims"
  | "directReclaims";

/** The guest's memory statistics. */
export interface BalloonStatistics {
  /** Bytes or counts (virtio 1.3, 5.5.6.4). A tag that the guest did not report is undefined. */
  readonly tags: Readonly<Partial<Record<StatisticName, bigint>>>;
  /** Milliseconds since 1970 at which the values arrived; undefined if none ever did. */
  readonly lastUpdateMs: number | undefined;
}

/** What device and driver negotiated, as the emulator reports it. */
export interface Negotiated {
  /** Feature bits offered by the device. */
  readonly offered: bigint;
  /** Feature bits accepted by the driver; 0n before it wrote any. */
  readonly accepted: bigint;
  /** The device status field (virtio 1.3, 2.1). */
  readonly status: number;
}

/** The host's side of a machine's balloon. Pages have 4 KiB. */
export interface Balloon {
  /**
   * Sets the target and returns it. Does not wait for the guest.
   * Rejects with `option` unless the guest keeps at least one page and at most all it has.
   */
  setTarget(options: BalloonTarget & Deadline): Promise<{ pages: number; guestBytes: number }>;
  /** Returns the balloon's size and its target now. */
  query(options?: Deadline): Promise<BalloonState>;
  /**
   * Waits until the balloon holds exactly `pages`. A `timeout` (default: 60 s) says how many it
   * held instead. `onProgress` is called with each new number of pages.
   */
  waitForActual(
    options: { pages: number; onProgress?: (actualPages: number) => void } & Deadline,
  ): Promise<BalloonState>;
  /**
   * Returns the guest's statistics. With `fresh` (the default) it waits for values newer than the
   * known ones (default limit: 10 s); without, it returns the known ones.
   */
  statistics(options?: { fresh?: boolean } & Deadline): Promise<BalloonStatistics>;
  /** Returns the feature bits of both sides and the device status. */
  negotiated(options?: Deadline): Promise<Negotiated>;
  /**
   * Runs free page hinting once. Resolves when the guest has hinted all, with how many bytes.
   * Start the next run only when the guest has seen the end of this one (its status names no
   * `hintRun`): v86 gives all runs the same id, so a guest cannot tell the next from the last.
   * Rejects with `not-supported` on QEMU, which hints only during a migration, and for a guest that
   * has not negotiated the feature.
   */
  hint(options?: Deadline): Promise<{ hintedBytes: number }>;
}

/** Saves the machine's whole state as bytes, and restores it. */
export interface Snapshots {
  /** Returns the state now; the machine goes on. */
  save(options?: Deadline): Promise<ArrayBuffer>;
  /** Goes back to a state of a machine launched with the same options. */
  restore(options: { state: ArrayBuffer } & Deadline): Promise<void>;
}

/** One running guest. Disposing of it (`await using`) kills it. */
export interface Vmm extends AsyncDisposable {
  readonly kind: "qemu" | "v86";
  readonly memoryBytes: number;
  readonly hasBalloon: boolean;
  /** @throws VmmError `no-balloon` when the machine has none. */
  readonly balloon: Balloon;
  readonly log: GuestLog;
  readonly control: ControlClient;
  /** Undefined on QEMU: see `saveState` and `loadState` there. */
  readonly snapshots: Snapshots | undefined;
  /** Resolves once the machine has ended and all it held is released; it never rejects. */
  readonly exited: Promise<GuestExit>;
  /** Bytes of host memory resident for this machine; undefined on v86 and outside of Linux. */
  residentBytes(): Promise<number | undefined>;
  /** Seconds of host CPU used so far; undefined on v86 and outside of Linux. */
  cpuSeconds(): Promise<number | undefined>;
  /** Stops the guest's processor; resolves when it stands still. */
  pause(options?: Deadline): Promise<void>;
  /** Lets the guest run, after `pause` or a launch with `paused`. */
  resume(options?: Deadline): Promise<void>;
  /** Resets the machine. Log lines that follow have numbers from `log.nextNumber` on. */
  reset(options?: Deadline): Promise<void>;
  /** Ends the machine at once. May be called again. */
  kill(): Promise<GuestExit>;
}
