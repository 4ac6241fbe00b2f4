/**
 * The driver's side of a split virtqueue (virtio 1.3, 2.7).
 *
 * A buffer is one descriptor, direct or of an indirect table. Its id is its descriptor's index, but
 * with IN_ORDER descriptors are used in the table's order (virtio 1.3, 2.7.5), so that where one
 * lies tells only how long its buffer has been in flight. It must not know what the buffers hold.
 *
 * Invariant: of all that the device can write, only `used.idx`, `used.ring[].id`, `used.flags`
 * and `avail_event` are ever read; the first two are checked against the private record, the last
 * two decide nothing but whether to notify. `used.len` is never read: devices disagree on what it
 * counts (virtio 1.3, 5.5.6.2.1).
 *
 * Memory of one ring of n entries:
 *
 *   descriptor area   16 n           { u64 address, u32 length, u16 flags, u16 next }
 *   driver area       6 + 2 n        { u16 flags, u16 idx, u16 ring[n], u16 used_event }
 *   (pad to the alignment: 4, or 4096 where the interface is a legacy one; virtio 1.3, 2.7.2)
 *   device area       6 + 8 n        { u16 flags, u16 idx, { u32 id, u32 len }[n], u16 avail_event
 *   }
 */
import { fence } from "../hal";
import {
  EVENT_INDEX,
  FAULT_ID,
  FAULT_INDEX,
  FAULT_NOT_IN_FLIGHT,
  IN_ORDER,
  NOTHING,
  QUIET,
  Ring,
  takeId,
  waitingId,
} from "./record";

/** The specification's own limit is 32768; nothing here needs more than this. */
export const QUEUE_SIZE_MAX: u32 = 1024;
const NO_NOTIFY: u16 = 1;
const NO_INTERRUPT: u16 = 1;

function alignUp(value: usize, to: usize): usize {
  return (value + to - 1) & ~(to - 1);
}

/** What a device area needs at least, and what a legacy interface fixes it at. */
export const ALIGNMENT_MIN: u32 = 4;
export const ALIGNMENT_MAX: u32 = 4096;

/** Bytes from the descriptor area to the device area. */
function deviceOffset(size: u32, alignment: u32): usize {
  return alignUp(((<usize>size) << 4) + 6 + ((<usize>size) << 1), <usize>alignment);
}

/** Bytes of a ring of `size` entries whose device area is a multiple of `alignment`. */
export function splitBytes(size: u32, alignment: u32): usize {
  return deviceOffset(size, alignment) + 6 + ((<usize>size) << 3);
}

/**
 * Lays an empty ring out at `ptr`. Both `ptr` and the device area are multiples of `alignment`, a
 * power of two, and `ptr` is one of 16 besides.
 */
export function openSplit(ring: Ring, ptr: usize, size: u32, alignment: u32): void {
  assert(size != 0 && (size & (size - 1)) == 0 && size <= QUEUE_SIZE_MAX);
  assert(alignment >= ALIGNMENT_MIN && alignment <= ALIGNMENT_MAX);
  assert((alignment & (alignment - 1)) == 0);
  assert((ptr & 15) == 0 && (ptr & <usize>(alignment - 1)) == 0);
  ring.descriptorPtr = ptr;
  ring.driverPtr = ptr + ((<usize>size) << 4);
  ring.devicePtr = ptr + deviceOffset(size, alignment);
  memory.fill(ptr, 0, splitBytes(size, alignment));
  // With EVENT_IDX the flags stay 0 (virtio 1.3, 2.7.7.1).
  if ((ring.features & (EVENT_INDEX | QUIET)) == QUIET) store<u16>(ring.driverPtr, NO_INTERRUPT);
}

/** Makes one buffer available; the device learns of it at publish. */
export function postSplit(ring: Ring, address: u64, bytes: u32, kind: u32): u32 {
  const id = takeId(ring);
  const place = <u32>ring.posted & (ring.size - 1);
  const head = (ring.features & IN_ORDER) != 0 ? place : id;
  const descriptor = ring.descriptorPtr + ((<usize>head) << 4);
  store<u64>(descriptor, address);
  store<u32>(descriptor, bytes, 8);
  store<u32>(descriptor, kind, 12);
  store<u16>(ring.driverPtr + ((<usize>place) << 1), <u16>head, 4);
  ring.posted += 1;
  return id;
}

/** Shows the device all that was posted. True when it must be notified (virtio 1.3, 2.7.13). */
export function publishSplit(ring: Ring): bool {
  if (ring.posted == ring.published) return false;
  const before = ring.published;
  fence();
  store<u16>(ring.driverPtr, ring.posted, 2);
  ring.published = ring.posted;
  fence();
  if ((ring.features & EVENT_INDEX) == 0) return (load<u16>(ring.devicePtr) & NO_NOTIFY) == 0;
  const event = load<u16>(ring.devicePtr + ((<usize>ring.size) << 3), 4);
  return <u16>(ring.posted - event - 1) < <u16>(ring.posted - before);
}

/** See arm in virtqueue.ts; without EVENT_IDX there is an interrupt for each buffer. */
export function armSplit(ring: Ring, after: u32): bool {
  if ((ring.features & EVENT_INDEX) != 0) {
    store<u16>(ring.driverPtr + ((<usize>ring.size) << 1), ring.taken + <u16>after, 4);
  }
  fence();
  return load<u16>(ring.devicePtr, 2) != ring.taken;
}

/** The id that the device says came back next, in range but unchecked, NOTHING, or a fault. */
export function returnedSplit(ring: Ring): i32 {
  if (ring.ahead == 0) {
    // Cut by hand: the compiler leaves a difference of u16 below 0 when it widens it.
    const ahead = (<u32>load<u16>(ring.devicePtr, 2) - <u32>ring.taken) & 0xffff;
    if (ahead == 0) return NOTHING;
    if (ahead > ring.inFlight) return FAULT_INDEX;
    fence();
    ring.ahead = <u16>ahead;
  }
  const entry = ring.devicePtr + ((<usize>(ring.taken & <u16>(ring.size - 1))) << 3);
  const id = load<u32>(entry, 4);
  if ((ring.features & IN_ORDER) != 0) return idInOrder(ring, id);
  return id < ring.ids ? <i32>id : FAULT_ID;
}

/** IN_ORDER: the id of the buffer whose descriptor is `head`, or a fault. */
function idInOrder(ring: Ring, head: u32): i32 {
  if (head >= ring.size) return FAULT_ID;
  const older = (head - <u32>ring.taken) & (ring.size - 1);
  return older < ring.inFlight ? <i32>waitingId(ring, older) : FAULT_NOT_IN_FLIGHT;
}

/** One buffer was taken. */
export function passSplit(ring: Ring): void {
  ring.taken += 1;
  ring.ahead -= 1;
}
