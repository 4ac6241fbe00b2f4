/**
 * The queues whose buffers are the memory itself, not PFNs: free page hinting and free page
 * reporting (virtio 1.3, 5.5.6.5 and 5.5.6.7).
 *
 * A reported frame is free again only when its report came back. A hinted frame is free again only
 * when the caller says that the host is done: that its buffer came back means nothing.
 */
import {
  COMMAND_BYTES,
  commandOf,
  HINTQ,
  RANGES_MAX,
  REPORTQ,
  rangeRunsOf,
  rangeSlotOf,
  ringOf,
  tableOf,
} from "../arena";
import {
  BLOCK_FRAMES,
  BLOCK_SHIFT,
  FREE,
  firstOf,
  hint as hintFrames,
  lengthOf,
  NO_RUN,
  reported,
  report as reportFrames,
} from "../ledger/ledger";
import { find, findUnreported } from "../ledger/search";
import { initialiseAgain, initialiseReport, scrub } from "../poison";
import { hasFreeId, IN, INDIRECT, NOTHING, OUT, PACKED, Ring, TABLE } from "../ring/record";
import { post, take } from "../ring/virtqueue";

const FRAME_SHIFT: u32 = 12;
const DESCRIPTOR_SHIFT: u32 = 4;
/** Descriptor flag: the table goes on in the entry that `next` names (virtio 1.3, 2.7.5). */
const NEXT: u32 = 1;
/** One range covers at most 4 MiB, the largest block that other drivers send. */
const RANGE_BLOCKS: u32 = 2;

function address(pfn: u32): u64 {
  return (<u64>pfn) << FRAME_SHIFT;
}

/** Writes entry `index` of an indirect table (virtio 1.3, 2.7.5.3 and 2.8.7). */
function writeEntry(ring: Ring, tablePtr: usize, index: u32, run: u64): void {
  const entry = tablePtr + ((<usize>index) << DESCRIPTOR_SHIFT);
  store<u64>(entry, address(firstOf(run)));
  store<u32>(entry, lengthOf(run) << FRAME_SHIFT, 8);
  const isPacked = (ring.features & PACKED) != 0;
  store<u32>(entry, isPacked ? IN << 16 : IN | NEXT | ((index + 1) << 16), 12);
}

/** Ends the chain in a split ring's table at its last entry; a packed ring has no chain. */
function endTable(ring: Ring, tablePtr: usize, ranges: u32): void {
  if ((ring.features & PACKED) != 0) return;
  store<u32>(tablePtr + ((<usize>(ranges - 1)) << DESCRIPTOR_SHIFT), IN, 12);
}

/** Posts one buffer of up to `want` frames, whole blocks only. Returns its frames. */
function postReport(ring: Ring, want: u32): u32 {
  const id = ring.firstFree;
  const table = tableOf(id);
  const runs = rangeRunsOf(id);
  // A table is no longer than its queue (virtio 1.3, 2.7.5.3.1).
  const most: u32 = (ring.features & INDIRECT) != 0 ? min(RANGES_MAX, ring.size) : 1;
  let frames: u32 = 0;
  let ranges: u32 = 0;
  while (ranges < most && want - frames >= BLOCK_FRAMES) {
    const run = findUnreported(min(RANGE_BLOCKS, (want - frames) >> BLOCK_SHIFT));
    if (run == NO_RUN) break;
    initialiseReport(firstOf(run), lengthOf(run));
    reportFrames(firstOf(run), lengthOf(run));
    writeEntry(ring, table, ranges, run);
    store<u64>(runs + ((<usize>ranges) << 3), run);
    frames += lengthOf(run);
    ranges += 1;
  }
  if (ranges == 0) return 0;
  store<u32>(rangeSlotOf(id), frames);
  store<u32>(rangeSlotOf(id), ranges, 4);
  if (ranges == 1) {
    post(ring, address(load<u32>(runs)), frames << FRAME_SHIFT, IN);
  } else {
    endTable(ring, table, ranges);
    post(ring, <u64>table, ranges << DESCRIPTOR_SHIFT, TABLE);
  }
  return frames;
}

/** free -> reporting for up to `want` frames, whole blocks only. Returns how many. */
export function report(want: u32): u32 {
  const ring = ringOf(REPORTQ);
  let done: u32 = 0;
  while (hasFreeId(ring)) {
    const frames = postReport(ring, want - done);
    if (frames == 0) break;
    done += frames;
  }
  return done;
}

/** Takes every report that came back. Returns the frames, or a fault. */
export function settleReports(): i32 {
  const ring = ringOf(REPORTQ);
  let frames: i32 = 0;
  let id = take(ring);
  for (; id >= 0; id = take(ring)) {
    const runs = rangeRunsOf(id);
    const ranges = load<u32>(rangeSlotOf(id), 4);
    for (let i: u32 = 0; i < ranges; i++) {
      const run = load<u64>(runs + ((<usize>i) << 3));
      reported(firstOf(run), lengthOf(run));
      initialiseAgain(firstOf(run), lengthOf(run));
    }
    frames += <i32>load<u32>(rangeSlotOf(id));
  }
  return id == NOTHING ? frames : id;
}

/** Posts a command on the hinting queue: a run id, or 0 to stop. False when there is no room. */
export function hintCommand(command: u32): bool {
  const ring = ringOf(HINTQ);
  if (!hasFreeId(ring)) return false;
  const ptr = commandOf(ring.firstFree);
  store<u32>(ptr, command);
  post(ring, <u64>ptr, COMMAND_BYTES, OUT);
  return true;
}

/** free -> hinted for up to `want` frames, one run in each buffer. Returns how many. */
export function hint(want: u32): u32 {
  const ring = ringOf(HINTQ);
  let done: u32 = 0;
  while (done < want && hasFreeId(ring)) {
    const run = find(FREE, want - done, min(want - done, BLOCK_FRAMES));
    if (run == NO_RUN) break;
    const first = firstOf(run);
    const length = lengthOf(run);
    scrub(first, length);
    hintFrames(first, length);
    post(ring, address(first), length << FRAME_SHIFT, IN);
    done += length;
  }
  return done;
}

/** Takes every buffer that came back on the hinting queue. Returns how many, or a fault. */
export function settleHints(): i32 {
  const ring = ringOf(HINTQ);
  let taken: i32 = 0;
  let id = take(ring);
  for (; id >= 0; id = take(ring)) taken += 1;
  return id == NOTHING ? taken : id;
}
