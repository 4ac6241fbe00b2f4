/**
 * The memory plan: where everything that the core keeps in guest memory lies.
 *
 * Private and shared memory have no page in common, so a host that sees only the shared pages
 * cannot change what the driver decides by.
 *
 *   arenaPtr (multiple of 4096, not 0)
 *   +---------------------------------------------------------------+ private
 *   | ledger                                                        |
 *   | QUEUES x Ring record                                          |
 *   | slots: of each buffer with pages { u32 pages, u32 runs }      |
 *   | runs: of each buffer with pages, { u32 first, u32 length } x  |
 *   |   pfns (inflateq, deflateq) or RANGES_MAX (reporting queue)   |
 *   +---------------------------------------------------------------+ 4096-aligned, shared
 *   | QUEUES x ring of up to queueSize entries                      |
 *   | PFN arrays: inflateq, deflateq                                |
 *   | indirect tables: reporting queue                              |
 *   | command buffers: hinting queue                                |
 *   | statistics buffer                                             |
 *   +---------------------------------------------------------------+
 */
import { ledgerBytes, openLedger } from "./ledger/ledger";
import { openSearch } from "./ledger/search";
import { IDS_MAX, RING_BYTES, Ring } from "./ring/record";
import { ALIGNMENT_MAX, alignUp, QUEUE_SIZE_MAX, splitBytes } from "./ring/split";

/** The core's own numbers for the queues; the device's numbers depend on the features. */
export const INFLATEQ: u32 = 0;
export const DEFLATEQ: u32 = 1;
export const STATSQ: u32 = 2;
export const HINTQ: u32 = 3;
export const REPORTQ: u32 = 4;
export const QUEUES: u32 = 5;
/** The queues that carry page frame numbers: inflateq and deflateq. */
const PFN_QUEUES: u32 = 2;
/** Entries of the statistics buffer: sixteen tags are known, and a few more may come. */
export const STATS_MAX: u32 = 24;
export const STAT_BYTES: u32 = 10;
/** Buffers in flight on the hinting and on the reporting queue: QEMU's reporting queue has 32. */
export const RANGE_IDS: u32 = 32;
/** Ranges in one indirect table: as many as Linux sends, which devices accept. */
export const RANGES_MAX: u32 = 32;
const DESCRIPTOR_BYTES: u32 = 16;
export const COMMAND_BYTES: u32 = 4;
const PAGE: usize = 4096;
const SLOTS_BYTES: usize = <usize>((PFN_QUEUES * IDS_MAX + RANGE_IDS) << 3);
const RANGE_RUNS_BYTES: usize = <usize>((RANGE_IDS * RANGES_MAX) << 3);
const TABLES_BYTES: usize = <usize>(RANGE_IDS * RANGES_MAX * DESCRIPTOR_BYTES);
const COMMANDS_BYTES: usize = <usize>(RANGE_IDS * COMMAND_BYTES);
/** PFNs of one buffer. Devices drop longer arrays; 512 let QEMU free a 2 MiB host page at once. */
export const PFNS_MAX: u32 = 512;

let recordsPtr: usize = 0;
let slotsPtr: usize = 0;
let runsPtr: usize = 0;
let rangeRunsPtr: usize = 0;
let ringsPtr: usize = 0;
let arraysPtr: usize = 0;
let tablesPtr: usize = 0;
let commandsPtr: usize = 0;
export let statsPtr: usize = 0;

let queueSize: u32 = 0;
let ringStride: usize = 0;
let buffers: u32 = 0;
export let pfns: u32 = 0;

/** PFNs of all buffers together. There are as many entries for runs: a run has at least one PFN. */
function pfnEntries(bufferCount: u32, pfnCount: u32): usize {
  assert(bufferCount != 0 && bufferCount <= IDS_MAX && pfnCount != 0 && pfnCount <= PFNS_MAX);
  return <usize>(PFN_QUEUES * bufferCount * pfnCount);
}

function privateBytes(frames: u32, bufferCount: u32, pfnCount: u32): usize {
  const runs = (pfnEntries(bufferCount, pfnCount) << 3) + RANGE_RUNS_BYTES;
  return alignUp(ledgerBytes(frames) + <usize>QUEUES * RING_BYTES + SLOTS_BYTES + runs, PAGE);
}

/** Room for any alignment: the arena is opened before the device, which needs one, is found. */
function ringBytes(size: u32): usize {
  assert(size != 0 && size <= QUEUE_SIZE_MAX);
  return alignUp(splitBytes(size, ALIGNMENT_MAX), PAGE);
}

/** Bytes of an arena for so many frames, ring entries, buffers in flight and PFNs a buffer. */
export function arenaBytes(frames: u32, size: u32, bufferCount: u32, pfnCount: u32): usize {
  const arrays = pfnEntries(bufferCount, pfnCount) << 2;
  const fixed = TABLES_BYTES + COMMANDS_BYTES + <usize>(STATS_MAX * STAT_BYTES);
  const shared = <usize>QUEUES * ringBytes(size) + arrays + fixed;
  return privateBytes(frames, bufferCount, pfnCount) + alignUp(shared, PAGE);
}

/** Lays the arena out at `ptr` and starts the ledger, with every frame reserved and no queue. */
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
  rangeRunsPtr = runsPtr + (pfnEntries(bufferCount, pfnCount) << 3);
  ringsPtr = ptr + privateBytes(frames, bufferCount, pfnCount);
  arraysPtr = ringsPtr + <usize>QUEUES * ringStride;
  tablesPtr = arraysPtr + (pfnEntries(bufferCount, pfnCount) << 2);
  commandsPtr = tablesPtr + TABLES_BYTES;
  statsPtr = commandsPtr + COMMANDS_BYTES;
  memory.fill(ptr, 0, arenaBytes(frames, size, bufferCount, pfnCount));
  openLedger(ptr, frames);
  openSearch();
}

/** Most entries of one ring. */
export function queueSizeMax(): u32 {
  return queueSize;
}

/** Buffers that may be in flight on a queue. */
export function idsOf(queue: u32): u32 {
  if (queue == STATSQ) return 1;
  return queue < PFN_QUEUES ? buffers : RANGE_IDS;
}

/** The private record of a ring. */
export function ringOf(queue: u32): Ring {
  assert(queue < QUEUES && recordsPtr != 0);
  return changetype<Ring>(recordsPtr + <usize>queue * RING_BYTES);
}

/** The shared memory of a ring. */
export function ringMemory(queue: u32): usize {
  return ringsPtr + <usize>queue * ringStride;
}

/** The shared PFN array of one buffer of inflateq or deflateq. */
export function arrayOf(queue: u32, id: u32): usize {
  return arraysPtr + (((<usize>queue * buffers + id) * pfns) << 2);
}

/** The private runs of one buffer of inflateq or deflateq. */
export function runsOf(queue: u32, id: u32): usize {
  return runsPtr + (((<usize>queue * buffers + id) * pfns) << 3);
}

/** The private { pages, runs } of one buffer of inflateq or deflateq. */
export function slotOf(queue: u32, id: u32): usize {
  return slotsPtr + ((<usize>queue * IDS_MAX + id) << 3);
}

/** The shared indirect table of one buffer of the reporting queue: RANGES_MAX descriptors. */
export function tableOf(id: u32): usize {
  return tablesPtr + <usize>(id * RANGES_MAX * DESCRIPTOR_BYTES);
}

/** The private runs of one buffer of the reporting queue. */
export function rangeRunsOf(id: u32): usize {
  return rangeRunsPtr + <usize>((id * RANGES_MAX) << 3);
}

/** The private { frames, runs } of one buffer of the reporting queue. */
export function rangeSlotOf(id: u32): usize {
  return slotOf(PFN_QUEUES, id);
}

/** The shared four bytes of a command on the hinting queue. */
export function commandOf(id: u32): usize {
  return commandsPtr + <usize>(id * COMMAND_BYTES);
}
