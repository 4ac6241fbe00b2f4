/**
 * v86's balloon, commanded through its device object. The device takes differences of targets,
 * counts `actual` by itself, cuts statistics to 32 bits and gives no memory back to the host.
 */

import { PolledBalloon, targetPages } from "../balloon.ts";
import { type Deadline, waitFor } from "../deadline.ts";
import { VmmError } from "../errors.ts";
import {
  type Balloon,
  type BalloonState,
  type BalloonStatistics,
  type BalloonTarget,
  type Negotiated,
  PAGE_BYTES,
  type StatisticName,
} from "../vmm.ts";
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

interface V86BalloonParts {
  /** Returns the device. Throws when the machine has ended. */
  readonly device: () => V86BalloonDevice;
  readonly memoryBytes: number;
  readonly describeLog: () => string;
  /** Registers a listener for the machine's end. Returns a function that removes it. */
  readonly onEnd: (ended: (reason: Error) => void) => () => void;
}

/** The balloon of a machine that v86 runs. Its `actual` is the device's count, not the guest's. */
export class V86Balloon extends PolledBalloon implements Balloon {
  protected readonly pollMs = ACTUAL_POLL_MS;
  private readonly parts: V86BalloonParts;
  private known: BalloonStatistics = { tags: {}, lastUpdateMs: undefined };

  constructor(parts: V86BalloonParts) {
    super(parts.describeLog);
    this.parts = parts;
  }

  async setTarget(
    options: BalloonTarget & Deadline,
  ): Promise<{ pages: number; guestBytes: number }> {
    options.signal?.throwIfAborted();
    const { memoryBytes } = this.parts;
    const device = this.parts.device();
    const pages = targetPages({ target: options, memoryBytes });
    const difference = pages - device.num_pages;
    if (difference > 0) device.Inflate(difference);
    if (difference < 0) device.Deflate(-difference);
    return { pages, guestBytes: memoryBytes - pages * PAGE_BYTES };
  }

  async query(options: Deadline = {}): Promise<BalloonState> {
    options.signal?.throwIfAborted();
    const device = this.parts.device();
    return { actualPages: device.actual, targetPages: device.num_pages };
  }

  /** Values are the low 32 bits of what the guest reported; v86 drops tags above 9. */
  async statistics(options: { fresh?: boolean } & Deadline = {}): Promise<BalloonStatistics> {
    if (options.fresh === false) return this.known;
    return waitFor<BalloonStatistics>({
      ...this.statisticsWait(options),
      begin: (resolve, reject) => {
        this.parts.device().GetStats((values) => {
          this.known = { tags: namedTags(values), lastUpdateMs: Date.now() };
          resolve(this.known);
        });
        return this.parts.onEnd(reject);
      },
    });
  }

  async negotiated(options: Deadline = {}): Promise<Negotiated> {
    options.signal?.throwIfAborted();
    const { virtio } = this.parts.device();
    return {
      offered: words(virtio.device_feature),
      // After a reset v86 keeps all offered bits here until the driver writes its own.
      accepted: virtio.device_status === 0 ? 0n : words(virtio.driver_feature),
      status: virtio.device_status,
    };
  }

  /** v86 zeroes hinted pages at once, which makes saved states small. */
  async hint(options: Deadline = {}): Promise<{ hintedBytes: number }> {
    return waitFor<{ hintedBytes: number }>({
      what: "the end of the guest's free page hints",
      deadline: options,
      defaultMs: HINT_MS,
      seen: this.describeLog,
      begin: (resolve, reject) => {
        const device = this.parts.device();
        const { device_status: status, driver_feature: features } = device.virtio;
        if ((status & DRIVER_OK) === 0) throw cannotHint("no driver at work in the guest");
        if ((words(features) & FREE_PAGE_HINT) === 0n) throw cannotHint("a driver without it");
        device.Cleanup((hintedBytes) => resolve({ hintedBytes }));
        return this.parts.onEnd(reject);
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
