/**
 * What a running guest offers, whichever emulator runs it: balloon, log, control channel, power.
 *
 * This file holds types and knows neither QEMU nor v86. Pages are 4 KiB (virtio 1.3, 5.5.6),
 * whatever the guest's own page size. Every asynchronous call takes a signal and a time limit, and
 * rejects with a VmmError or with the signal's reason.
 *
 * Invariant: whatever differs between the emulators is visible in a type (undefined) or is an
 * error with the code `not-supported`; nothing is silently skipped.
 */

import type { ControlClient } from "./control.ts";
import type { Patience } from "./deadline.ts";
import type { GuestLog } from "./log.ts";

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

/** A target for the balloon: its own size, or what shall remain with the guest. */
export type BalloonTarget = { readonly pages: number } | { readonly guestBytes: number };

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

export interface BalloonStatistics {
  /** Bytes or counts as the specification has them; a tag that the guest left out is undefined. */
  readonly tags: Readonly<Partial<Record<StatisticName, bigint>>>;
  /** Milliseconds since 1970 at which the values arrived; undefined if none ever did. */
  readonly lastUpdateMs: number | undefined;
}

/** What host and guest agreed on, told by the emulator and not by the guest. */
export interface Negotiated {
  /** Feature bits offered by the device. */
  readonly offered: bigint;
  /** Feature bits accepted by the driver; 0n before it wrote any. */
  readonly accepted: bigint;
  /** The device status field (virtio 1.3, 2.1). */
  readonly status: number;
}

export interface Balloon {
  /**
   * Asks for a balloon of that size and returns what was asked for. It does not wait for the
   * guest. Rejects with `option` if the size is not between 0 and what the machine can be asked.
   */
  setTarget(options: BalloonTarget & Patience): Promise<{ pages: number; guestBytes: number }>;
  query(options?: Patience): Promise<BalloonState>;
  /**
   * Waits until the balloon holds exactly `pages`. A `timeout` (default: 60 s) says how many it
   * held instead. `onProgress` is called with each new number of pages.
   */
  waitForActual(
    options: { pages: number; onProgress?: (actualPages: number) => void } & Patience,
  ): Promise<BalloonState>;
  /**
   * The guest's statistics. With `fresh` (the default) it waits for values newer than those known
   * when it was called; without, it returns what is known.
   */
  statistics(options?: { fresh?: boolean } & Patience): Promise<BalloonStatistics>;
  negotiated(options?: Patience): Promise<Negotiated>;
  /**
   * Runs free page hinting once and resolves when the guest has told all, with what it hinted.
   * The next run may follow when the guest has seen the end of this one (its status names no
   * `hintRun`): v86 gives all runs the same id, and a guest cannot tell such a one from the last.
   * Rejects with `not-supported` where the emulator hints only as a part of something else.
   */
  hint(options?: Patience): Promise<{ hintedBytes: number }>;
}

/** The machine's whole state as bytes, to go back to later. */
export interface Snapshots {
  save(options?: Patience): Promise<ArrayBuffer>;
  /** Only for states of machines launched with the same options. */
  restore(options: { state: ArrayBuffer } & Patience): Promise<void>;
}

/** One running guest. Disposing of it (`await using`) kills it. */
export interface Vmm extends AsyncDisposable {
  readonly kind: "qemu" | "v86";
  readonly memoryBytes: number;
  readonly hasBalloon: boolean;
  /** Throws `no-balloon` if the machine was launched without one. */
  readonly balloon: Balloon;
  readonly log: GuestLog;
  readonly control: ControlClient;
  /** Undefined where this kind of machine has none. */
  readonly snapshots: Snapshots | undefined;
  /** Resolves once the machine has ended and all it held is released; it never rejects. */
  readonly exited: Promise<GuestExit>;
  /** Bytes of host memory resident for this machine; undefined where nobody can tell. */
  residentBytes(): Promise<number | undefined>;
  /** Seconds of host CPU used so far; undefined where nobody can tell. */
  cpuSeconds(): Promise<number | undefined>;
  pause(options?: Patience): Promise<void>;
  resume(options?: Patience): Promise<void>;
  /** As if the reset button was pressed. Lines that follow have numbers from log.nextNumber on. */
  reset(options?: Patience): Promise<void>;
  /** Ends the machine at once, whatever it is doing. May be called again. */
  kill(): Promise<GuestExit>;
}
