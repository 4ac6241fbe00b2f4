/**
 * The memory statistics that the driver reports (virtio 1.3, 5.5.6.3 and 5.5.6.4).
 *
 * It must not know queues. Invariant: the same tags every time (virtio 1.3,
 * 5.5.6.3.1), and without a request only the ten of the specification, which every device knows.
 */

import { type CoreExports, framesIn } from "../core/exports.ts";
import { FRAME_BYTES } from "../core/frames.ts";
import { STAT, STAT_LENGTH } from "./constants.ts";

/** Bytes (or counts, for the page faults) by tag. Exact up to 2^53. */
export interface Statistics {
  readonly swapIn: number;
  readonly swapOut: number;
  readonly majorFaults: number;
  readonly minorFaults: number;
  readonly free: number;
  readonly total: number;
  readonly available: number;
  readonly caches: number;
  readonly hugePageAllocations: number;
  readonly hugePageFailures: number;
}

/** What Linux 6.12 added. Devices that do not know them have been upset by them. */
export interface NewerStatistics {
  readonly oomKills: number;
  readonly allocationStalls: number;
  readonly asyncScans: number;
  readonly directScans: number;
  readonly asyncReclaims: number;
  readonly directReclaims: number;
}

const TAGS: Record<keyof Statistics, number> = {
  swapIn: STAT.SWAP_IN,
  swapOut: STAT.SWAP_OUT,
  majorFaults: STAT.MAJFLT,
  minorFaults: STAT.MINFLT,
  free: STAT.MEMFREE,
  total: STAT.MEMTOT,
  available: STAT.AVAIL,
  caches: STAT.CACHES,
  hugePageAllocations: STAT.HTLB_PGALLOC,
  hugePageFailures: STAT.HTLB_PGFAIL,
};

const NEWER_TAGS: Record<keyof NewerStatistics, number> = {
  oomKills: STAT.OOM_KILL,
  allocationStalls: STAT.ALLOC_STALL,
  asyncScans: STAT.ASYNC_SCAN,
  directScans: STAT.DIRECT_SCAN,
  asyncReclaims: STAT.ASYNC_RECLAIM,
  directReclaims: STAT.DIRECT_RECLAIM,
};

/**
 * What the ledger knows: a guest without swap, caches or huge pages of its own. Pages in the
 * balloon count neither as free nor as part of the total, as hosts expect of Linux.
 */
export function ledgerStatistics(core: CoreExports): Statistics {
  const free = framesIn(core, "free") * FRAME_BYTES;
  const inUse = framesIn(core, "used") * FRAME_BYTES;
  return {
    swapIn: 0,
    swapOut: 0,
    majorFaults: 0,
    minorFaults: 0,
    free,
    total: free + inUse,
    available: free,
    caches: 0,
    hugePageAllocations: 0,
    hugePageFailures: 0,
  };
}

/** A statistics buffer that says nothing: the same entry over and over, so many bytes of it. */
export interface FirstStatistics {
  readonly tag: number;
  /** Infinity is all ones. */
  readonly value: number;
  readonly bytes: number;
}

/** Posts a buffer that says nothing. */
export function postNoStatistics(core: CoreExports, { tag, value, bytes }: FirstStatistics): void {
  for (let index = 0; index * STAT_LENGTH < bytes; index++) core.stats_put(index, tag, value);
  core.stats_post(bytes);
}

/** Fills the statistics buffer and posts it; the newer tags, absent ones as 0, only on request. */
export function postStatistics(
  core: CoreExports,
  statistics: Statistics & Partial<NewerStatistics>,
  newer: boolean,
): void {
  let entries = 0;
  const put = (tag: number, value: number) => {
    core.stats_put(entries, tag, value);
    entries += 1;
  };
  for (const [name, tag] of Object.entries(TAGS)) put(tag, statistics[name as keyof Statistics]);
  if (newer) {
    for (const [name, tag] of Object.entries(NEWER_TAGS)) {
      put(tag, statistics[name as keyof NewerStatistics] ?? 0);
    }
  }
  core.stats_post(entries * STAT_LENGTH);
}
