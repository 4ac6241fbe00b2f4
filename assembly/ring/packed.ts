/**
 * The driver's side of a packed virtqueue (virtio 1.3, 2.8).
 *
 * A buffer is one descriptor, direct or of an indirect table, so one place in the ring. The buffers
 * that are posted between two publishes are a burst. Its first descriptor is made available last,
 * so the device sees a burst whole or not at all.
 *
 * The device can write anything. Of that only the flags and the id of a used descriptor and the
 * device area are read; ids are checked against the private record.
 *
 * Memory of one ring of n entries (n need not be a power of two):
 *
 *   descriptor area   16 n     { u64 address, u32 length, u16 id, u16 flags }
 *   driver area       4        { u16 place and wrap, u16 flags }    when to interrupt
 *   device area       4        the same                              when to notify
 */
import { fence } from "../hal";
import { EVENT_INDEX, FAULT_ID, FAULT_NOT_IN_FLIGHT, NOTHING, QUIET, Ring, takeId } from "./record";
import { QUEUE_SIZE_MAX } from "./split";

const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/** Flags of an event suppression structure (virtio 1.3, 2.8.10). */
const EVENTS_OFF: u16 = 1;
const EVENTS_AT_PLACE: u16 = 2;
const EVENT_FLAGS: u16 = 3;
const WRAP_SHIFT: u32 = 15;
const PLACE_MASK: u32 = 0x7fff;

/** Lays an empty ring out at `ptr`, a multiple of 16. */
export function openPacked(ring: Ring, ptr: usize, size: u32): void {
  assert(size != 0 && size <= QUEUE_SIZE_MAX && (ptr & 15) == 0);
  ring.descriptorPtr = ptr;
  ring.driverPtr = ptr + ((<usize>size) << 4);
  ring.devicePtr = ring.driverPtr + 4;
  memory.fill(ptr, 0, ((<usize>size) << 4) + 8);
  if ((ring.features & QUIET) != 0) store<u16>(ring.driverPtr, EVENTS_OFF, 2);
}

function descriptorAt(ring: Ring, place: u32): usize {
  return ring.descriptorPtr + ((<usize>place) << 4);
}

/** Adds one buffer; the device sees it at publish. Returns its id. */
export function postPacked(ring: Ring, address: u64, bytes: u32, kind: u32): u32 {
  const id = takeId(ring);
  const descriptor = descriptorAt(ring, ring.postedPlace);
  const flags = <u16>kind | (ring.postedWrap != 0 ? AVAILABLE : USED);
  store<u64>(descriptor, address);
  store<u32>(descriptor, bytes, 8);
  store<u16>(descriptor, <u16>id, 12);
  if (ring.postedUnpublished == 0) {
    ring.burstPlace = ring.postedPlace;
    ring.burstFlags = flags;
  } else {
    // Available at once, but the device gets here only past the first one.
    store<u16>(descriptor, flags, 14);
  }
  ring.postedUnpublished += 1;
  ring.postedPlace += 1;
  if (<u32>ring.postedPlace == ring.size) {
    ring.postedPlace = 0;
    ring.postedWrap ^= 1;
  }
  return id;
}

/** See publish in virtqueue.ts (virtio 1.3, 2.8.21). */
export function publishPacked(ring: Ring): bool {
  if (ring.postedUnpublished == 0) return false;
  const burst = ring.postedUnpublished;
  ring.postedUnpublished = 0;
  fence();
  store<u16>(descriptorAt(ring, ring.burstPlace), ring.burstFlags, 14);
  fence();
  const flags = load<u16>(ring.devicePtr, 2) & EVENT_FLAGS;
  if (flags == EVENTS_OFF) return false;
  if (flags != EVENTS_AT_PLACE || (ring.features & EVENT_INDEX) == 0) return true;
  const event = <u32>load<u16>(ring.devicePtr);
  // A place of the lap before counts as that many places before this lap.
  let place = event & PLACE_MASK;
  if (event >> WRAP_SHIFT != <u32>ring.postedWrap) place -= ring.size;
  return ((<u32>ring.postedPlace - place - 1) & 0xffff) < <u32>burst;
}

/** See arm in virtqueue.ts. */
export function armPacked(ring: Ring, after: u32): bool {
  if ((ring.features & (EVENT_INDEX | QUIET)) == EVENT_INDEX) {
    let place = <u32>ring.takenPlace + after;
    let wrap = <u32>ring.takenWrap;
    if (place >= ring.size) {
      place -= ring.size;
      wrap ^= 1;
    }
    store<u16>(ring.driverPtr, <u16>(place | (wrap << WRAP_SHIFT)));
    fence();
    store<u16>(ring.driverPtr, EVENTS_AT_PLACE, 2);
  }
  fence();
  return isUsed(ring);
}

/** True when the device has used the descriptor that is to be taken next (virtio 1.3, 2.8.1). */
function isUsed(ring: Ring): bool {
  const flags = load<u16>(descriptorAt(ring, ring.takenPlace), 14);
  const used = (flags & USED) != 0;
  return used == ((flags & AVAILABLE) != 0) && used == (ring.takenWrap != 0);
}

/**
 * The id that the device says came back next, NOTHING, or a fault. The id is in range; whether it
 * is in flight is not checked.
 */
export function usedIdPacked(ring: Ring): i32 {
  if (!isUsed(ring)) return NOTHING;
  // Else the driver would look again at once, for ever: what is used is never taken.
  if (ring.inFlight == 0) return FAULT_NOT_IN_FLIGHT;
  fence();
  const id = <u32>load<u16>(descriptorAt(ring, ring.takenPlace), 12);
  return id < ring.ids ? <i32>id : FAULT_ID;
}

/** Steps past one place of the ring. */
export function passPacked(ring: Ring): void {
  ring.takenPlace += 1;
  if (<u32>ring.takenPlace == ring.size) {
    ring.takenPlace = 0;
    ring.takenWrap ^= 1;
  }
}
