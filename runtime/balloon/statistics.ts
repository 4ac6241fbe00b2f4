/**
 * The memory statistics that the driver reports (virtio 1.3, 5.5.6.3 and 5.5.6.4): the same tags
 * every time (5.5.6.3.1), and by default only the ten of the specification.
 */
import { type CoreExports, framesIn } from "../core/exports.ts";
import { FRAME_BYTES } from "../core/frames.ts";
import { STAT, STAT_LENGTH } from "./constants.ts";
import type { DriverSettings } from "./settings.ts";

const TAGS = {
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

/** What Linux 6.12 added. Devices that do not know them have been upset by them. */
const NEWER_TAGS = {
  oomKills: STAT.OOM_KILL,
  allocationStalls: STAT.ALLOC_STALL,
  asyncScans: STAT.ASYNC_SCAN,
  directScans: STAT.DIRECT_SCAN,
  asyncReclaims: STAT.ASYNC_RECLAIM,
  directReclaims: STAT.DIRECT_RECLAIM,
};

/**
 * What a guest says of its memory, in the tags of virtio 1.3, 5.5.6.4: bytes, but counts for page
 * faults and huge pages. Whole numbers up to 2^53.
 */
export type Statistics = Readonly<Record<keyof typeof TAGS, number>>;

/**
 * Returns what the ledger knows: a guest without swap, caches or huge pages of its own. Pages in
 * the balloon count neither as free nor as part of the total, as hosts expect of Linux.
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

/** Into how many steps coarse statistics divide the guest's memory. */
const STEPS = 16;
/** What tells how much memory there is; all else tells what the guest does. */
const SIZES = ["free", "total", "available", "caches"] as const;

/**
 * Returns sizes rounded down to sixteenths of all RAM, and no counts: enough for a host that shares
 * memory out, too little to watch a guest's work by.
 */
export function coarse(core: CoreExports, statistics: Statistics): Statistics {
  const frames = (core.ledger_frames() >>> 0) - framesIn(core, "reserved");
  const step = Math.max(1, Math.ceil(frames / STEPS)) * FRAME_BYTES;
  const none = Object.keys(TAGS).map((name) => [name, 0]);
  const sizes = SIZES.map((name) => [name, Math.floor(statistics[name] / step) * step]);
  return Object.fromEntries([...none, ...sizes]);
}

/**
 * The content of a statistics buffer: tags with their values, and how many bytes of them to post.
 */
export interface StatisticsEntries {
  readonly entries: readonly (readonly [tag: number, value: number])[];
  /** Default: all of the entries. */
  readonly bytes?: number;
}

/** Returns the first buffer of a persona whose first buffer says nothing; undefined for others. */
export function firstStatistics(settings: DriverSettings): StatisticsEntries | undefined {
  if (settings.firstStatistics === undefined) return undefined;
  const { tag, value, bytes } = settings.firstStatistics;
  const length = Math.ceil(bytes / STAT_LENGTH);
  return { entries: Array.from({ length }, () => [tag, value] as const), bytes };
}

/**
 * Returns a buffer's content; the newer tags, absent ones as 0, only where settings ask for them.
 */
export function statisticsEntries(
  statistics: Readonly<Record<string, number>>,
  { newerStatistics }: DriverSettings,
): StatisticsEntries {
  const tags = Object.entries(newerStatistics ? { ...TAGS, ...NEWER_TAGS } : TAGS);
  return { entries: tags.map(([name, tag]) => [tag, statistics[name] ?? 0]) };
}
