/**
 * The memory plan: all that the core needs of guest memory, carved once.
 *
 * It must not know what the rooms are for. Invariant: what the device has no business with lies
 * below the first shared page, what the device reads and writes lies above it, and the two never
 * share a page: a host that can see only the shared part can harm no decision of the driver.
 *
 *   arenaPtr (multiple of 4096, not 0)
 *   +---------------------------------------------------------------+ private
 *   | ledger                                                        |
 *   | QUEUES x Ring record                                          |
 *   | QUEUES_OF_PAGES x IDS_MAX x { u32 pages, u32 runs }           |  slots
 *   | QUEUES_OF_PAGES x buffers x pfns x { u32 first, u32 length }  |  runs
 *   +---------------------------------------------------------------+ 4096-aligned, shared
 *   | QUEUES x split ring of up to queueSize entries                |  4096-aligned each
 *   | QUEUES_OF_PAGES x buffers x pfns x u32                        |  PFN arrays
 *   | statistics buffer                                             |
 *   +---------------------------------------------------------------+
 */
import { ledgerBytes, openLedger } from "./ledger";
import { IDS_MAX, RING_BYTES, Ring } from "./ring/ring";
import { ALIGNMENT_MAX, QUEUE_SIZE_MAX, splitBytes } from "./ring/split";

/** inflateq, deflateq, statsq: roles, not the device's queue numbers. */
export const QUEUES: u32 = 3;
/** The first two carry page frame numbers. */
export const QUEUES_OF_PAGES: u32 = 2;
/** Sixteen tags are known; a few more may come. */
export const STATS_MAX: u32 = 24;
const STAT_BYTES: u32 = 10;
const PAGE: usize = 4096;
const SLOTS_BYTES: usize = <usize>((QUEUES_OF_PAGES * IDS_MAX) << 3);
/** Devices drop longer arrays; 512 lets QEMU free a 2 MiB host page at once. */
export const PFNS_MAX: u32 = 512;

let recordsPtr: usize = 0;
let slotsPtr: usize = 0;
let runsPtr: usize = 0;
let ringsPtr: usize = 0;
let arraysPtr: usize = 0;
export let statsPtr: usize = 0;

let queueSize: u32 = 0;
let ringStride: usize = 0;
export let buffers: u32 = 0;
export let pfns: u32 = 0;

function up(value: usize, to: usize): usize {
  return (value + to - 1) & ~(to - 1);
}

/** Entries of all buffers together, by which runs and PFN arrays are measured. */
function entries(bufferCount: u32, pfnCount: u32): usize {
  assert(bufferCount != 0 && bufferCount <= IDS_MAX && pfnCount != 0 && pfnCount <= PFNS_MAX);
  return <usize>(QUEUES_OF_PAGES * bufferCount * pfnCount);
}

function privateBytes(frames: u32, bufferCount: u32, pfnCount: u32): usize {
  const runs = entries(bufferCount, pfnCount) << 3;
  return up(ledgerBytes(frames) + <usize>QUEUES * RING_BYTES + SLOTS_BYTES + runs, PAGE);
}

/** Room for any alignment: which one a device needs is known long after the arena is carved. */
function ringBytes(size: u32): usize {
  assert(size != 0 && size <= QUEUE_SIZE_MAX);
  return up(splitBytes(size, ALIGNMENT_MAX), PAGE);
}

/** Bytes of an arena for so many frames, ring entries, buffers in flight and PFNs a buffer. */
export function arenaBytes(frames: u32, size: u32, bufferCount: u32, pfnCount: u32): usize {
  const arrays = entries(bufferCount, pfnCount) << 2;
  const shared = <usize>QUEUES * ringBytes(size) + arrays + <usize>(STATS_MAX * STAT_BYTES);
  return privateBytes(frames, bufferCount, pfnCount) + up(shared, PAGE);
}

/** Carves the arena at `ptr` and starts the ledger, with every frame reserved and no queue. */
export function openArena(
  ptr: usize,
  frames: u32,
  size: u32,
  bufferCount: u32,
  pfnCount: u32,
): void {
  assert(ptr != 0 && (ptr & (PAGE - 1)) == 0);
  queueSize = size;
  ringStride = ringBytes(size);
  buffers = bufferCount;
  pfns = pfnCount;
  recordsPtr = ptr + ledgerBytes(frames);
  slotsPtr = recordsPtr + <usize>QUEUES * RING_BYTES;
  runsPtr = slotsPtr + SLOTS_BYTES;
  ringsPtr = ptr + privateBytes(frames, bufferCount, pfnCount);
  arraysPtr = ringsPtr + <usize>QUEUES * ringStride;
  statsPtr = arraysPtr + (entries(bufferCount, pfnCount) << 2);
  memory.fill(ptr, 0, arenaBytes(frames, size, bufferCount, pfnCount));
  openLedger(ptr, frames);
}

export function queueSizeMax(): u32 {
  return queueSize;
}

export function ringOf(queue: u32): Ring {
  assert(queue < QUEUES && recordsPtr != 0);
  return changetype<Ring>(recordsPtr + <usize>queue * RING_BYTES);
}

export function ringMemory(queue: u32): usize {
  return ringsPtr + <usize>queue * ringStride;
}

/** The shared PFN array of one buffer. */
export function arrayOf(queue: u32, id: u32): usize {
  return arraysPtr + (((<usize>queue * buffers + id) * pfns) << 2);
}

/** The private runs of one buffer. */
export function runsOf(queue: u32, id: u32): usize {
  return runsPtr + (((<usize>queue * buffers + id) * pfns) << 3);
}

/** The private { pages, runs } of one buffer. */
export function slotOf(queue: u32, id: u32): usize {
  return slotsPtr + ((<usize>queue * IDS_MAX + id) << 3);
}
