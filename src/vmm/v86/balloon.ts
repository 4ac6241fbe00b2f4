/**
 * v86's balloon, commanded through its device object.
 *
 * It knows that object and nothing of the emulator around it. The device takes differences, counts
 * `actual` by itself, truncates statistics to 32 bits and hands nothing back to the host.
 *
 * Invariant: the device's num_pages is always the target last set here, whatever it was before.
 */

import { STATISTICS_MS, targetPages, waitForActual } from "../balloon.ts";
import { type Patience, waitFor } from "../deadline.ts";
import { VmmError } from "../errors.ts";
import type {
  Balloon,
  BalloonState,
  BalloonStatistics,
  BalloonTarget,
  Negotiated,
  StatisticName,
} from "../vmm.ts";
import { PAGE_BYTES } from "../vmm.ts";
import type { V86BalloonDevice } from "./internals.ts";

/** Looking costs a property read, and the guest runs between two looks. */
const ACTUAL_POLL_MS = 2;
const HINT_MS = 10_000;
/** virtio 1.3, 2.1 and 5.5.3. */
const DRIVER_OK = 4;
const FREE_PAGE_HINT = 1n << 3n;

const STATISTIC_OF_NAME: Readonly<Record<string, StatisticName>> = {
  SWAP_IN: "swapIn",
  SWAP_OUT: "swapOut",
  MAJFLT: "majorFaults",
  MINFLT: "minorFaults",
  MEMFREE: "freeMemory",
  MEMTOT: "totalMemory",
  AVAIL: "availableMemory",
  CACHES: "diskCaches",
  HTLB_PGALLOC: "hugetlbAllocations",
  HTLB_PGFAIL: "hugetlbFailures",
};

export interface V86BalloonParts {
  /** The device, or an error thrown if the machine has ended. */
  readonly device: () => V86BalloonDevice;
  readonly memoryBytes: number;
  readonly describeLog: () => string;
  /** Calls back when the machine ends; returns what takes that back. */
  readonly onEnd: (ended: (reason: Error) => void) => () => void;
}

export class V86Balloon implements Balloon {
  readonly #parts: V86BalloonParts;
  #known: BalloonStatistics = { tags: {}, lastUpdateMs: undefined };

  constructor(parts: V86BalloonParts) {
    this.#parts = parts;
  }

  async setTarget(
    options: BalloonTarget & Patience,
  ): Promise<{ pages: number; guestBytes: number }> {
    options.signal?.throwIfAborted();
    const { memoryBytes } = this.#parts;
    const device = this.#parts.device();
    const pages = targetPages({ target: options, memoryBytes });
    const difference = pages - device.num_pages;
    if (difference > 0) device.Inflate(difference);
    if (difference < 0) device.Deflate(-difference);
    return { pages, guestBytes: memoryBytes - pages * PAGE_BYTES };
  }

  async query(options: Patience = {}): Promise<BalloonState> {
    options.signal?.throwIfAborted();
    const device = this.#parts.device();
    return { actualPages: device.actual, targetPages: device.num_pages };
  }

  waitForActual(
    options: { pages: number; onProgress?: (actualPages: number) => void } & Patience,
  ): Promise<BalloonState> {
    return waitForActual({
      ...options,
      everyMs: ACTUAL_POLL_MS,
      query: (patience) => this.query(patience),
      describeLog: this.#parts.describeLog,
    });
  }

  /** Values are the low 32 bits of what the guest said, and tags above 9 are lost: v86's limits. */
  async statistics(options: { fresh?: boolean } & Patience = {}): Promise<BalloonStatistics> {
    if (options.fresh === false) return this.#known;
    return waitFor<BalloonStatistics>({
      what: "statistics from the guest",
      patience: options,
      defaultMs: STATISTICS_MS,
      seen: this.#parts.describeLog,
      begin: (resolve, reject) => {
        this.#parts.device().GetStats((values) => {
          this.#known = { tags: namedTags(values), lastUpdateMs: Date.now() };
          resolve(this.#known);
        });
        return this.#parts.onEnd(reject);
      },
    });
  }

  async negotiated(options: Patience = {}): Promise<Negotiated> {
    options.signal?.throwIfAborted();
    const { virtio } = this.#parts.device();
    return {
      offered: words(virtio.device_feature),
      // After a reset v86 keeps all offered bits here until the driver writes its own.
      accepted: virtio.device_status === 0 ? 0n : words(virtio.driver_feature),
      status: virtio.device_status,
    };
  }

  /** v86 zeroes what the guest hints at once, which makes saved states small. */
  async hint(options: Patience = {}): Promise<{ hintedBytes: number }> {
    return waitFor<{ hintedBytes: number }>({
      what: "the end of the guest's free page hints",
      patience: options,
      defaultMs: HINT_MS,
      seen: this.#parts.describeLog,
      begin: (resolve, reject) => {
        const device = this.#parts.device();
        const { device_status: status, driver_feature: features } = device.virtio;
        if ((status & DRIVER_OK) === 0) throw cannotHint("no driver at work in the guest");
        if ((words(features) & FREE_PAGE_HINT) === 0n) throw cannotHint("a driver without it");
        device.Cleanup((hintedBytes) => resolve({ hintedBytes }));
        return this.#parts.onEnd(reject);
      },
    });
  }
}

function namedTags(values: Readonly<Record<string, number>>): BalloonStatistics["tags"] {
  const tags: Partial<Record<StatisticName, bigint>> = {};
  for (const [name, value] of Object.entries(values)) {
    const statistic = STATISTIC_OF_NAME[name];
    // The device reads 32 bits with a sign.
    if (statistic !== undefined) tags[statistic] = BigInt(value >>> 0);
  }
  return tags;
}

function words(features: Uint32Array): bigint {
  return features.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

function cannotHint(seen: string): VmmError {
  return new VmmError({
    code: "not-supported",
    what: "free page hinting",
    seen,
    todo: "wait until a guest that negotiates the feature says that it is ready",
  });
}
