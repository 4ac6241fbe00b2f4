/**
 * The driver's side of a split virtqueue (virtio 1.3, 2.7).
 *
 * A buffer is one descriptor, direct or of an indirect table. Its id is its descriptor's index.
 * With IN_ORDER instead, descriptors are used in the order of the table (virtio 1.3, 2.7.5): the
 * index says how many older buffers are in flight, and the record knows their ids.
 *
 * The device can write anything. Of that only `used.idx` and `used.ring[].id` are believed, once
 * they are checked against the private record; `used.flags` and `avail_event` decide only whether
 * to notify. `used.len` is not read: devices disagree on what it counts (virtio 1.3, 5.5.6.2.1).
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
  idInFlight,
  NOTHING,
  QUIET,
  Ring,
  takeId,
} from "./record";

/** The balloon needs no more; the specification allows 32768. */
export const QUEUE_SIZE_MAX: u32 = 1024;
const NO_NOTIFY: u16 = 1;
const NO_INTERRUPT: u16 = 1;

export function alignUp(value: usize, to: usize): usize {
  return (value + to - 1) & ~(to - 1);
}

/** What a device area needs (virtio 1.3, 2.7), and what a legacy interface wants (2.7.2). */
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
 * Lays an empty ring out at `ptr`, a multiple of 16 and of `alignment`. The device area is a
 * multiple of `alignment`, which is a power of two.
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

/** Adds one buffer; the device sees it at publish. Returns its id. */
export function postSplit(ring: Ring, address: u64, bytes: u32, kind: u32): u32 {
  const id = takeId(ring);
  const place = <u32>ring.postedIndex & (ring.size - 1);
  const head = (ring.features & IN_ORDER) != 0 ? place : id;
  const descriptor = ring.descriptorPtr + ((<usize>head) << 4);
  store<u64>(descriptor, address);
  store<u32>(descriptor, bytes, 8);
  store<u32>(descriptor, kind, 12);
  store<u16>(ring.driverPtr + ((<usize>place) << 1), <u16>head, 4);
  ring.postedIndex += 1;
  return id;
}

/** See publish in virtqueue.ts (virtio 1.3, 2.7.13). */
export function publishSplit(ring: Ring): bool {
  if (ring.postedIndex == ring.publishedIndex) return false;
  const before = ring.publishedIndex;
  fence();
  store<u16>(ring.driverPtr, ring.postedIndex, 2);
  ring.publishedIndex = ring.postedIndex;
  fence();
  if ((ring.features & EVENT_INDEX) == 0) return (load<u16>(ring.devicePtr) & NO_NOTIFY) == 0;
  const event = load<u16>(ring.devicePtr + ((<usize>ring.size) << 3), 4);
  return <u16>(ring.postedIndex - event - 1) < <u16>(ring.postedIndex - before);
}

/** See arm in virtqueue.ts. */
export function armSplit(ring: Ring, after: u32): bool {
  if ((ring.features & EVENT_INDEX) != 0) {
    store<u16>(ring.driverPtr + ((<usize>ring.size) << 1), ring.takenIndex + <u16>after, 4);
  }
  fence();
  return load<u16>(ring.devicePtr, 2) != ring.takenIndex;
}

/**
 * The id that the device says came back next, NOTHING, or a fault. The id is in range; whether it
 * is in flight is not checked.
 */
export function usedIdSplit(ring: Ring): i32 {
  if (ring.backUntaken == 0) {
    // Cut by hand: the compiler leaves a difference of u16 below 0 when it widens it.
    const back = (<u32>load<u16>(ring.devicePtr, 2) - <u32>ring.takenIndex) & 0xffff;
    if (back == 0) return NOTHING;
    if (back > ring.inFlight) return FAULT_INDEX;
    fence();
    ring.backUntaken = <u16>back;
  }
  const entry = ring.devicePtr + ((<usize>(ring.takenIndex & <u16>(ring.size - 1))) << 3);
  const id = load<u32>(entry, 4);
  if ((ring.features & IN_ORDER) != 0) return idInOrder(ring, id);
  return id < ring.ids ? <i32>id : FAULT_ID;
}

/** IN_ORDER: the id of the buffer whose descriptor is `head`, or a fault. */
function idInOrder(ring: Ring, head: u32): i32 {
  if (head >= ring.size) return FAULT_ID;
  const older = (head - <u32>ring.takenIndex) & (ring.size - 1);
  return older < ring.inFlight ? <i32>idInFlight(ring, older) : FAULT_NOT_IN_FLIGHT;
}

/** Steps past one used entry. */
export function passSplit(ring: Ring): void {
  ring.takenIndex += 1;
  ring.backUntaken -= 1;
}
