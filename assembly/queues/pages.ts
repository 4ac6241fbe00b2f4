/**
 * The inflateq and the deflateq: many pages between ledger and rings in one call.
 *
 * A frame becomes held only when its inflate came back. It becomes free when its deflate came back,
 * or at once where the caller chose `deflateUntold` or `deflateSilently`.
 */
import { arrayOf, DEFLATEQ, INFLATEQ, pfns, ringOf, runsOf, slotOf } from "../arena";
import {
  FREE,
  firstOf,
  HELD,
  hold,
  INFLATING,
  lengthOf,
  NO_RUN,
  post as postFrames,
  reclaimState,
  regain,
  reuse,
  tell,
} from "../ledger/ledger";
import { find } from "../ledger/search";
import { initialise, scrub } from "../poison";
import { hasFreeId, NOTHING, OUT, Ring } from "../ring/record";
import { post, take } from "../ring/virtqueue";

/** Pages in buffers that the device holds, by queue. */
let inflating: u32 = 0;
let deflating: u32 = 0;

export function inFlightPages(queue: u32): u32 {
  assert(queue == INFLATEQ || queue == DEFLATEQ);
  return queue == INFLATEQ ? inflating : deflating;
}

/** Nothing is in flight: the arena was opened, or the device was reset. */
export function forgetInFlight(): void {
  inflating = 0;
  deflating = 0;
}

/** free -> inflating, with nothing of the guest's left in them where that is asked for. */
function give(first: u32, length: u32): void {
  scrub(first, length);
  postFrames(first, length);
}

/** held -> free before the host knows. */
function takeBack(first: u32, length: u32): void {
  reuse(first, length);
  initialise(first, length);
}

/** Writes the PFNs of a run. The hottest loop of an inflate: two PFNs for each 8-byte store. */
function writePfns(ptr: usize, first: u32, length: u32): void {
  let at = ptr;
  let pair = ((<u64>(first + 1)) << 32) | <u64>first;
  for (let i: u32 = 1; i < length; i += 2) {
    store<u64>(at, pair);
    pair += 0x2_0000_0002;
    at += 8;
  }
  if ((length & 1) != 0) store<u32>(at, first + length - 1);
}

/** Fills one buffer with up to `want` pages, ascending, and posts it. Returns its pages. */
function postPages(ring: Ring, queue: u32, want: u32, untold: bool): u32 {
  const id = ring.firstFree;
  const array = arrayOf(queue, id);
  const runs = runsOf(queue, id);
  let pages: u32 = 0;
  let runCount: u32 = 0;
  let end: u32 = 0;
  while (pages < pfns && pages < want) {
    const most = min(pfns, want) - pages;
    const run = find(queue == INFLATEQ ? FREE : HELD, want - pages, most);
    const first = firstOf(run);
    const length = lengthOf(run);
    // Hosts merge only ascending pages, so a run that starts lower waits for the next buffer.
    if (run == NO_RUN || (pages != 0 && first < end)) break;
    if (queue == INFLATEQ) give(first, length);
    else if (untold) takeBack(first, length);
    else tell(first, length);
    writePfns(array + ((<usize>pages) << 2), first, length);
    store<u64>(runs + ((<usize>runCount) << 3), run);
    runCount += 1;
    pages += length;
    end = first + length;
  }
  if (pages == 0) return 0;
  const slot = slotOf(queue, id);
  store<u32>(slot, pages);
  // Pages that were reused at once need nothing more when their buffer comes back.
  store<u32>(slot, untold ? 0 : runCount, 4);
  post(ring, <u64>array, pages << 2, OUT);
  return pages;
}

/** Posts up to `want` pages in as many buffers as there are ids for. Returns the pages. */
function postBatch(queue: u32, want: u32, untold: bool): u32 {
  const ring = ringOf(queue);
  let done: u32 = 0;
  while (done < want && hasFreeId(ring)) {
    const pages = postPages(ring, queue, want - done, untold);
    if (pages == 0) break;
    done += pages;
  }
  if (queue == INFLATEQ) inflating += done;
  else deflating += done;
  return done;
}

/** free -> inflating for up to `want` pages, as far as buffers reach. Returns how many. */
export function inflate(want: u32): u32 {
  return postBatch(INFLATEQ, want, false);
}

/** held -> deflating for up to `want` pages; free once acknowledged. Returns how many. */
export function deflate(want: u32): u32 {
  return postBatch(DEFLATEQ, want, false);
}

/** held -> free for up to `want` pages at once; the next publish tells. Returns how many. */
export function deflateUntold(want: u32): u32 {
  return postBatch(DEFLATEQ, want, true);
}

/** held -> free for up to `want` pages at once; the host is never told. Returns how many. */
export function deflateSilently(want: u32): u32 {
  let done: u32 = 0;
  while (done < want) {
    const run = find(HELD, want - done, want - done);
    if (run == NO_RUN) break;
    takeBack(firstOf(run), lengthOf(run));
    done += lengthOf(run);
  }
  return done;
}

/** A buffer came back: its frames change state. Returns its pages. */
function settleBuffer(queue: u32, id: u32): u32 {
  const slot = slotOf(queue, id);
  const runs = runsOf(queue, id);
  const runCount = load<u32>(slot, 4);
  for (let i: u32 = 0; i < runCount; i++) {
    const run = load<u64>(runs + ((<usize>i) << 3));
    const first = firstOf(run);
    const length = lengthOf(run);
    if (queue == INFLATEQ) {
      hold(first, length);
    } else {
      regain(first, length);
      initialise(first, length);
    }
  }
  return load<u32>(slot);
}

/** Takes every buffer that came back on inflateq or deflateq. Returns the pages, or a fault. */
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

/** inflating -> free, all of them. Only right after a completed reset of the inflateq. */
export function abandonInflates(): void {
  reclaimState(INFLATING);
  inflating = 0;
}
