/**
 * The memory statistics that the driver reports (virtio 1.3, 5.5.6.3 and 5.5.6.4).
 *
 * It must not know queues. Invariant: the same ten tags every time, those of the specification, so
 * that a device which knows no newer ones understands all of them.
 */
import { type CoreExports, framesIn } from "../core.ts";
import { STAT } from "../virtio/constants.ts";

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

const FRAME_BYTES = 4096;

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

/** Fills the statistics buffer and posts it. */
export function postStatistics(core: CoreExports, statistics: Statistics): void {
  let entries = 0;
  for (const [name, tag] of Object.entries(TAGS)) {
    core.stats_put(entries, tag, statistics[name as keyof Statistics]);
    entries += 1;
  }
  core.stats_post(entries);
}
