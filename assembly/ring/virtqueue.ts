/**
 * A virtqueue, whether its ring is split or packed.
 *
 * A buffer is taken only when the device may return it: `checkId` comes before every take.
 */
import {
  armPacked,
  openPacked,
  passPacked,
  postPacked,
  publishPacked,
  usedIdPacked,
} from "./packed";
import {
  checkId,
  EVENT_INDEX,
  FAULT_INDEX,
  freeId,
  IN_ORDER,
  INDIRECT,
  NO_ID,
  openRecord,
  PACKED,
  QUIET,
  Ring,
  takeOldest,
} from "./record";
import { armSplit, openSplit, passSplit, postSplit, publishSplit, usedIdSplit } from "./split";

function isPacked(ring: Ring): bool {
  return (ring.features & PACKED) != 0;
}

/** Lays an empty ring out at `ptr`, for at most `ids` buffers; nothing is in flight on it. */
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

/** Adds one buffer of `bytes` at `address`; the device sees it at publish. Returns its id. */
export function post(ring: Ring, address: u64, bytes: u32, kind: u32): u32 {
  return isPacked(ring)
    ? postPacked(ring, address, bytes, kind)
    : postSplit(ring, address, bytes, kind);
}

/** Shows the device all posted buffers. Returns true when the device must be notified. */
export function publish(ring: Ring): bool {
  return isPacked(ring) ? publishPacked(ring) : publishSplit(ring);
}

/** Half of all indices ahead: a split ring's event that the device does not reach. */
const NEVER: u32 = 0x8000;

/**
 * Asks for an interrupt once `after` more buffers, beyond the next, have come back. Without
 * EVENT_IDX every buffer interrupts; a QUIET queue never does.
 *
 * Returns true when a buffer is back already: take it before sleeping (virtio 1.3, 2.7.14).
 */
export function arm(ring: Ring, after: u32): bool {
  const event = (ring.features & QUIET) != 0 ? NEVER : after;
  return isPacked(ring) ? armPacked(ring, event) : armSplit(ring, event);
}

/** Where the next buffer will go, as NOTIFICATION_DATA carries it (virtio 1.3, 2.9). */
export function nextPlace(ring: Ring): u32 {
  return isPacked(ring)
    ? <u32>ring.postedPlace | ((<u32>ring.postedWrap) << 15)
    : <u32>ring.postedIndex;
}

/** Takes the next buffer that came back. Returns its id, NOTHING, or a fault. */
export function take(ring: Ring): i32 {
  if (<u32>ring.batchEnd != NO_ID) return takeFromBatch(ring);
  const id = isPacked(ring) ? usedIdPacked(ring) : usedIdSplit(ring);
  if (id < 0) return id;
  const fault = checkId(ring, <u32>id);
  if (fault < 0) return fault;
  if ((ring.features & IN_ORDER) == 0) {
    finish(ring, <u32>id);
    return id;
  }
  // One used entry stands for a whole batch and names its last buffer (virtio 1.3, 2.7.9).
  ring.batchEnd = <u16>id;
  return takeFromBatch(ring);
}

/** IN_ORDER: takes the oldest buffer, which belongs to the batch that ends at `batchEnd`. */
function takeFromBatch(ring: Ring): i32 {
  if (!isPacked(ring) && ring.backUntaken == 0) return FAULT_INDEX;
  const id = takeOldest(ring);
  if (id == <u32>ring.batchEnd) ring.batchEnd = <u16>NO_ID;
  finish(ring, id);
  return <i32>id;
}

/** The driver has the buffer again: its id is free, and the ring is past it. */
function finish(ring: Ring, id: u32): void {
  freeId(ring, id);
  if (isPacked(ring)) passPacked(ring);
  else passSplit(ring);
}
