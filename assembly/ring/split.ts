/**
 * The driver's side of a split virtqueue (virtio 1.3, 2.7).
 *
 * Buffers are single direct descriptors, and a buffer's id is its descriptor's index. It must not
 * know what the buffers hold.
 *
 * Invariant: of all that the device can write, only `used.idx`, `used.ring[].id`, `used.flags`
 * and `avail_event` are ever read; the first two are checked against the private record, the last
 * two decide nothing but whether to notify. `used.len` is never read: devices disagree on what it
 * counts (virtio 1.3, 5.5.6.2).
 *
 * Memory of one ring of n entries:
 *
 *   descriptor area   16 n        { u64 address, u32 length, u16 flags, u16 next }
 *   driver area       6 + 2 n     { u16 flags, u16 idx, u16 ring[n], u16 used_event }
 *   (pad to the alignment: 4, or 4096 where the interface is a legacy one; virtio 1.3, 2.7.2)
 *   device area       6 + 8 n     { u16 flags, u16 idx, { u32 id, u32 len }[n], u16 avail_event }
 */
import { fence } from "../hal";
import { FAULT_INDEX, IDS_MAX, NOTHING, openIds, Ring, returnId, takeId } from "./ring";

/** The specification's own limit is 32768; nothing here needs more than this. */
export const QUEUE_SIZE_MAX: u32 = 1024;
const NO_NOTIFY: u16 = 1;

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
 * Lays an empty ring out at `ptr`, and forgets what was in flight. Both `ptr` and the device area
 * are multiples of `alignment`, a power of two, and `ptr` is one of 16 besides.
 */
export function openSplit(
  ring: Ring,
  ptr: usize,
  size: u32,
  ids: u32,
  eventIndex: bool,
  alignment: u32,
): void {
  assert(size != 0 && (size & (size - 1)) == 0 && size <= QUEUE_SIZE_MAX);
  assert(alignment >= ALIGNMENT_MIN && alignment <= ALIGNMENT_MAX);
  assert((alignment & (alignment - 1)) == 0);
  assert((ptr & 15) == 0 && (ptr & <usize>(alignment - 1)) == 0);
  ring.size = size;
  ring.posted = 0;
  ring.published = 0;
  ring.taken = 0;
  ring.eventIndex = eventIndex ? 1 : 0;
  ring.descriptorPtr = ptr;
  ring.driverPtr = ptr + ((<usize>size) << 4);
  ring.devicePtr = ptr + deviceOffset(size, alignment);
  memory.fill(ptr, 0, splitBytes(size, alignment));
  openIds(ring, min(min(ids, size), IDS_MAX));
}

/** Makes one device-readable buffer available; the device learns of it at publish. */
export function postOut(ring: Ring, ptr: usize, bytes: u32): u32 {
  const id = takeId(ring);
  const descriptor = ring.descriptorPtr + ((<usize>id) << 4);
  store<u64>(descriptor, <u64>ptr);
  store<u32>(descriptor, bytes, 8);
  store<u32>(descriptor, 0, 12);
  store<u16>(ring.driverPtr + ((<usize>(ring.posted & <u16>(ring.size - 1))) << 1), <u16>id, 4);
  ring.posted += 1;
  return id;
}

/** Shows the device all that was posted. True when it must be notified (virtio 1.3, 2.7.13). */
export function publish(ring: Ring): bool {
  if (ring.posted == ring.published) return false;
  const before = ring.published;
  fence();
  store<u16>(ring.driverPtr, ring.posted, 2);
  ring.published = ring.posted;
  fence();
  if (ring.eventIndex == 0) return (load<u16>(ring.devicePtr) & NO_NOTIFY) == 0;
  const event = load<u16>(ring.devicePtr + ((<usize>ring.size) << 3), 4);
  return <u16>(ring.posted - event - 1) < <u16>(ring.posted - before);
}

/**
 * Asks for an interrupt once `after` more buffers, beyond the next, have come back; without
 * EVENT_IDX there is one for each buffer.
 * True when some are back already: take them before sleeping (virtio 1.3, 2.7.14).
 */
export function arm(ring: Ring, after: u32): bool {
  if (ring.eventIndex != 0) {
    store<u16>(ring.driverPtr + ((<usize>ring.size) << 1), ring.taken + <u16>after, 4);
  }
  fence();
  return load<u16>(ring.devicePtr, 2) != ring.taken;
}

/** Buffers that came back and are not yet taken, or FAULT_INDEX. */
export function returned(ring: Ring): i32 {
  // Cut by hand: the compiler leaves a difference of u16 below 0 when it widens it.
  const ahead = (<u32>load<u16>(ring.devicePtr, 2) - <u32>ring.taken) & 0xffff;
  if (ahead > ring.inFlight) return FAULT_INDEX;
  fence();
  return <i32>ahead;
}

/** Takes the next of the buffers that `returned` counted: its id, or a fault. */
export function take(ring: Ring): i32 {
  const entry = ring.devicePtr + ((<usize>(ring.taken & <u16>(ring.size - 1))) << 3);
  const id = returnId(ring, load<u32>(entry, 4));
  if (id >= 0) ring.taken += 1;
  return id;
}

/** Takes one buffer: its id, NOTHING, or a fault. */
export function takeOne(ring: Ring): i32 {
  const ahead = returned(ring);
  if (ahead == 0) return NOTHING;
  return ahead < 0 ? ahead : take(ring);
}
