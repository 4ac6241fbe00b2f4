/**
 * One face for both kinds of ring, and the order in which buffers come back.
 *
 * It must not know layouts or contents. Invariant: a buffer is taken at most once, and only when
 * the device may return it.
 */
import {
  armPacked,
  openPacked,
  passPacked,
  postPacked,
  publishPacked,
  returnedPacked,
} from "./packed";
import {
  checkId,
  EVENT_INDEX,
  FAULT_INDEX,
  IN_ORDER,
  INDIRECT,
  NO_ID,
  openRecord,
  PACKED,
  QUIET,
  Ring,
  returnId,
  takeOldest,
} from "./record";
import { armSplit, openSplit, passSplit, postSplit, publishSplit, returnedSplit } from "./split";

function isPacked(ring: Ring): bool {
  return (ring.features & PACKED) != 0;
}

/** An empty ring at `ptr`, with `ids` buffers at most; forgets what was in flight. */
export function open(
  ring: Ring,
  ptr: usize,
  size: u32,
  ids: u32,
  features: u32,
  alignment: u32,
): void {
  assert((features & ~(EVENT_INDEX | PACKED | IN_ORDER | INDIRECT | QUIET)) == 0);
  openRecord(ring, size, ids, features);
  if ((features & PACKED) != 0) openPacked(ring, ptr, size);
  else openSplit(ring, ptr, size, alignment);
}

/** Makes one buffer available; the device learns of it at publish. Answers its id. */
export function post(ring: Ring, address: u64, bytes: u32, kind: u32): u32 {
  return isPacked(ring)
    ? postPacked(ring, address, bytes, kind)
    : postSplit(ring, address, bytes, kind);
}

/** Shows the device all that was posted. True when it must be notified. */
export function publish(ring: Ring): bool {
  return isPacked(ring) ? publishPacked(ring) : publishSplit(ring);
}

/** Half of all indices away: an event of a split ring that is always still to come. */
const NEVER: u32 = 0x8000;

/**
 * Asks for an interrupt once `after` more buffers, beyond the next, have come back; without
 * EVENT_IDX there is one for each, and for a quiet queue there is none.
 * True when some are back already: take them before sleeping (virtio 1.3, 2.7.14).
 */
export function arm(ring: Ring, after: u32): bool {
  const event = (ring.features & QUIET) != 0 ? NEVER : after;
  return isPacked(ring) ? armPacked(ring, event) : armSplit(ring, event);
}

/** Where the next buffer will go, as NOTIFICATION_DATA wants it (virtio 1.3, 2.9). */
export function nextPlace(ring: Ring): u32 {
  return isPacked(ring) ? <u32>ring.posted | ((<u32>ring.postWrap) << 15) : <u32>ring.posted;
}

/** Takes the next buffer that came back: its id, NOTHING, or a fault. */
export function take(ring: Ring): i32 {
  if (<u32>ring.batchEnd != NO_ID) return takeOfBatch(ring);
  const id = isPacked(ring) ? returnedPacked(ring) : returnedSplit(ring);
  if (id < 0) return id;
  const fault = checkId(ring, <u32>id);
  if (fault < 0) return fault;
  if ((ring.features & IN_ORDER) == 0) {
    pass(ring, <u32>id);
    return id;
  }
  // One used entry stands for a whole batch and names its last buffer (virtio 1.3, 2.7.9).
  ring.batchEnd = <u16>id;
  return takeOfBatch(ring);
}

function takeOfBatch(ring: Ring): i32 {
  if (!isPacked(ring) && ring.ahead == 0) return FAULT_INDEX;
  const id = takeOldest(ring);
  if (id == <u32>ring.batchEnd) ring.batchEnd = <u16>NO_ID;
  pass(ring, id);
  return <i32>id;
}

function pass(ring: Ring, id: u32): void {
  returnId(ring, id);
  if (isPacked(ring)) passPacked(ring);
  else passSplit(ring);
}
