/**
 * What every kind of virtqueue shares: the driver's private record of one queue.
 *
 * A ring's memory is open to the device, which may write anything at any time. So all that the
 * driver decides by is kept here, out of the device's sight: which ids are free or in flight, how
 * far it has published and how far it has taken. It must not know what the buffers hold.
 *
 * Invariant: an id is either on the free list or in flight, never both, so a buffer that the
 * device holds cannot be posted again.
 *
 * Memory of one record:
 *
 *   0   Ring (below)                       followed by
 *   40  u16 next[IDS_MAX]                  free list; IN_FLIGHT while the device has the id
 */

/** The most buffers one queue may have in flight; bounds the arena, not the ring. */
export const IDS_MAX: u32 = 256;
const NO_ID: u32 = 0xffff;
const IN_FLIGHT: u32 = 0xfffe;

/** Nothing returned yet. Not an error: ask again later. */
export const NOTHING: i32 = -1;
/** The device's used index ran past what is in flight (virtio 1.3, 2.7.8). */
export const FAULT_INDEX: i32 = -2;
/** The device returned an id that no buffer of this queue has. */
export const FAULT_ID: i32 = -3;
/** The device returned an id that is not in flight: never posted, or returned twice. */
export const FAULT_NOT_IN_FLIGHT: i32 = -4;

@unmanaged
export class Ring {
  /** Entries of the descriptor table; 0 while the queue does not exist. */
  size: u32 = 0;
  /** Ids that may be in flight at once. */
  ids: u32 = 0;
  inFlight: u32 = 0;
  firstFree: u32 = 0;
  /** Available index written into the ring, published to the device, and used index taken. */
  posted: u16 = 0;
  published: u16 = 0;
  taken: u16 = 0;
  eventIndex: u16 = 0;
  descriptorPtr: usize = 0;
  driverPtr: usize = 0;
  devicePtr: usize = 0;
}

export const RING_BYTES: usize = 40 + <usize>(IDS_MAX << 1);

function nextPtr(ring: Ring, id: u32): usize {
  return changetype<usize>(ring) + 40 + ((<usize>id) << 1);
}

/** Puts all ids on the free list, lowest first. */
export function openIds(ring: Ring, ids: u32): void {
  assert(ids != 0 && ids <= IDS_MAX && ids <= ring.size);
  ring.ids = ids;
  ring.inFlight = 0;
  ring.firstFree = 0;
  for (let id: u32 = 0; id < ids; id++) {
    store<u16>(nextPtr(ring, id), <u16>(id + 1 == ids ? NO_ID : id + 1));
  }
}

/** Never while the queue does not exist. */
export function hasFreeId(ring: Ring): bool {
  return ring.inFlight < ring.ids;
}

/** The id that takeId will answer; trap when there is none. */
export function takeId(ring: Ring): u32 {
  assert(hasFreeId(ring));
  const id = ring.firstFree;
  ring.firstFree = <u32>load<u16>(nextPtr(ring, id));
  store<u16>(nextPtr(ring, id), <u16>IN_FLIGHT);
  ring.inFlight += 1;
  return id;
}

/** Takes an id back from the device; the device's word is checked. Answers the id or a fault. */
export function returnId(ring: Ring, id: u32): i32 {
  if (id >= ring.ids) return FAULT_ID;
  if (load<u16>(nextPtr(ring, id)) != <u16>IN_FLIGHT) return FAULT_NOT_IN_FLIGHT;
  store<u16>(nextPtr(ring, id), <u16>ring.firstFree);
  ring.firstFree = id;
  ring.inFlight -= 1;
  return <i32>id;
}
