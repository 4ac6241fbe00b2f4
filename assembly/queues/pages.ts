/**
 * Batches: moving many pages between ledger and rings in one call.
 *
 * It must not decide how many, when or in which order; the runtime says. Invariant: a frame
 * becomes held only when its inflate came back, and free only when its deflate came back, unless
 * the caller asked for the reuse in so many words.
 */
import {
  arrayOf,
  DEFLATEQ,
  INFLATEQ,
  pfns,
  ringOf,
  runsOf,
  STAT_BYTES,
  STATS_MAX,
  STATSQ,
  slotOf,
  statsPtr,
} from "../arena";
import {
  abandonInflating,
  findToDeflate,
  findToInflate,
  hold,
  post as postFrames,
  regain,
  reuse,
  runLength,
  tell,
} from "../ledger/ledger";
import { NONE } from "../ledger/summary";
import { initialise } from "../poison";
import { hasFreeId, NOTHING, OUT, Ring } from "../ring/record";
import { post, take } from "../ring/virtqueue";

/** Pages in buffers that the device holds, by queue. */
let inflating: u32 = 0;
let deflating: u32 = 0;

export function inFlightPages(queue: u32): u32 {
  assert(queue == INFLATEQ || queue == DEFLATEQ);
  return queue == INFLATEQ ? inflating : deflating;
}

export function forgetInFlight(): void {
  inflating = 0;
  deflating = 0;
}

/** held -> free ahead of the host. */
function takeBack(first: u32, length: u32): void {
  reuse(first, length);
  initialise(first, length);
}

/** Writes the numbers of a run, two at a time: of all that is done for a page, this is most. */
function writeNumbers(ptr: usize, first: u32, length: u32): void {
  let at = ptr;
  let pair = ((<u64>(first + 1)) << 32) | <u64>first;
  for (let i: u32 = 1; i < length; i += 2) {
    store<u64>(at, pair);
    pair += 0x2_0000_0002;
    at += 8;
  }
  if ((length & 1) != 0) store<u32>(at, first + length - 1);
}

/** Fills one buffer with up to `want` pages, ascending, and posts it. Answers its pages. */
function fill(ring: Ring, queue: u32, want: u32, untold: bool): u32 {
  const id = ring.firstFree;
  const array = arrayOf(queue, id);
  const runs = runsOf(queue, id);
  let pages: u32 = 0;
  let runCount: u32 = 0;
  let above: u32 = 0;
  while (pages < pfns && pages < want) {
    const most = min(pfns, want) - pages;
    const first =
      queue == INFLATEQ ? findToInflate(want - pages, most) : findToDeflate(want - pages, most);
    // Hosts merge only what ascends, so a run that starts lower waits for the next buffer.
    if (first == NONE || (pages != 0 && first < above)) break;
    const length = runLength;
    if (queue == INFLATEQ) postFrames(first, length);
    else if (untold) takeBack(first, length);
    else tell(first, length);
    writeNumbers(array + ((<usize>pages) << 2), first, length);
    store<u32>(runs + ((<usize>runCount) << 3), first);
    store<u32>(runs + ((<usize>runCount) << 3), length, 4);
    runCount += 1;
    pages += length;
    above = first + length;
  }
  if (pages == 0) return 0;
  const slot = slotOf(queue, id);
  store<u32>(slot, pages);
  store<u32>(slot, untold ? 0 : runCount, 4);
  post(ring, <u64>array, pages << 2, OUT);
  return pages;
}

function batch(queue: u32, want: u32, untold: bool): u32 {
  const ring = ringOf(queue);
  let done: u32 = 0;
  while (done < want && hasFreeId(ring)) {
    const pages = fill(ring, queue, want - done, untold);
    if (pages == 0) break;
    done += pages;
  }
  if (queue == INFLATEQ) inflating += done;
  else deflating += done;
  return done;
}

/** free -> inflating for up to `want` pages, as far as buffers reach. Answers how many. */
export function inflate(want: u32): u32 {
  return batch(INFLATEQ, want, false);
}

/** held -> deflating, the pages ours once the host acknowledged. Answers how many. */
export function deflate(want: u32): u32 {
  return batch(DEFLATEQ, want, false);
}

/** held -> free at once, the host told by the next publish. Answers how many. */
export function deflateUntold(want: u32): u32 {
  return batch(DEFLATEQ, want, true);
}

/** held -> free at once, the host never told. Answers how many. */
export function deflateSilently(want: u32): u32 {
  let done: u32 = 0;
  while (done < want) {
    const first = findToDeflate(want - done, want - done);
    if (first == NONE) break;
    const length = runLength;
    takeBack(first, length);
    done += length;
  }
  return done;
}

function settleBuffer(queue: u32, id: u32): u32 {
  const slot = slotOf(queue, id);
  const runs = runsOf(queue, id);
  const runCount = load<u32>(slot, 4);
  for (let i: u32 = 0; i < runCount; i++) {
    const first = load<u32>(runs + ((<usize>i) << 3));
    const length = load<u32>(runs + ((<usize>i) << 3), 4);
    if (queue == INFLATEQ) {
      hold(first, length);
    } else {
      regain(first, length);
      initialise(first, length);
    }
  }
  return load<u32>(slot);
}

/** Takes every buffer that came back on inflateq or deflateq. Answers the pages, or a fault. */
export function settle(queue: u32): i32 {
  assert(queue == INFLATEQ || queue == DEFLATEQ);
  const ring = ringOf(queue);
  let pages: u32 = 0;
  let id = take(ring);
  for (; id >= 0; id = take(ring)) pages += settleBuffer(queue, <u32>id);
  if (queue == INFLATEQ) inflating -= pages;
  else deflating -= pages;
  return id == NOTHING ? <i32>pages : id;
}

/** Everything on the inflateq -> free. Only right after a completed reset of that queue. */
export function abandonInflates(): void {
  abandonInflating();
  inflating = 0;
}

/** Writes entry `index` of the statistics buffer (virtio 1.3, 5.5.6.3). */
export function putStat(index: u32, tag: u32, value: f64): void {
  assert(index < STATS_MAX);
  const ptr = statsPtr + <usize>(index * STAT_BYTES);
  store<u16>(ptr, <u16>tag);
  store<u64>(ptr, <u64>value, 2);
}

/** Posts the first `bytes` of the statistics buffer; there is one, so it traps while it is out. */
export function postStats(bytes: u32): void {
  assert(bytes <= STATS_MAX * STAT_BYTES);
  const ring = ringOf(STATSQ);
  assert(ring.inFlight == 0);
  post(ring, <u64>statsPtr, bytes, OUT);
}

/** 1 when the statistics buffer came back, 0 when not, or a fault. */
export function takeStats(): i32 {
  const id = take(ringOf(STATSQ));
  return id == NOTHING ? 0 : id < 0 ? id : 1;
}
