/**
 * The driver's private record of one virtqueue, split or packed.
 *
 * The device may write anything into a ring at any time, so the driver decides by this record,
 * which the device cannot see: which ids are free or in flight, how far it published and how far
 * it took. An id is either on the free list or in flight, never both, so a buffer that the device
 * has cannot be posted again.
 *
 * Memory of one record:
 *
 *   Ring (below)
 *   u16 next[IDS_MAX]       free list; IN_FLIGHT while the device has the id
 *   u16 order[IDS_MAX]      with IN_ORDER: the ids in flight, oldest first, as a ring buffer
 */

/** Most buffers that a queue may have in flight. A power of two. */
export const IDS_MAX: u32 = 256;
export const NO_ID: u32 = 0xffff;
const IN_FLIGHT: u32 = 0xfffe;

/** What was negotiated for a queue: the bits of `features` in queue_open. */
export const EVENT_INDEX: u32 = 1;
export const PACKED: u32 = 2;
export const IN_ORDER: u32 = 4;
export const INDIRECT: u32 = 8;
/** Not a feature: the queue asks for no interrupts, because its user polls it. */
export const QUIET: u32 = 16;

/**
 * The kinds of a buffer: device-readable, device-writable, or an indirect table. The numbers are
 * the descriptor's flags (virtio 1.3, 2.7.5).
 */
export const OUT: u32 = 0;
export const IN: u32 = 2;
export const TABLE: u32 = 4;

/** No buffer came back yet. Not a fault: ask again later. */
export const NOTHING: i32 = -1;
/** The device's used index is ahead by more than is in flight (virtio 1.3, 2.7.8). */
export const FAULT_INDEX: i32 = -2;
/** The device returned an id that no buffer of this queue has. */
export const FAULT_ID: i32 = -3;
/** The device returned an id that is not in flight: not posted, or returned twice. */
export const FAULT_NOT_IN_FLIGHT: i32 = -4;

/** The fixed part of a record. A place is the number of a packed ring's descriptor. */
@unmanaged
export class Ring {
  /** Entries of the descriptor table; 0 while the queue does not exist. */
  size: u32 = 0;
  /** Ids that may be in flight at once. */
  ids: u32 = 0;
  inFlight: u32 = 0;
  /** The head of the free list; the id of the next buffer to be posted. */
  firstFree: u32 = 0;
  /** Bits: EVENT_INDEX and so on. */
  features: u32 = 0;
  descriptorPtr: usize = 0;
  driverPtr: usize = 0;
  devicePtr: usize = 0;
  /** Split: buffers posted, published and taken since the ring was opened, modulo 2^16. */
  postedIndex: u16 = 0;
  publishedIndex: u16 = 0;
  takenIndex: u16 = 0;
  /** Split: buffers that came back and are not taken yet, as far as `used.idx` was read. */
  backUntaken: u16 = 0;
  /** Packed: the next place to post and to take at, with its wrap counter (virtio 1.3, 2.8.1). */
  postedPlace: u16 = 0;
  postedWrap: u16 = 0;
  takenPlace: u16 = 0;
  takenWrap: u16 = 0;
  /** Packed: buffers of the burst; where it begins, and the flags that make its first available. */
  postedUnpublished: u16 = 0;
  burstPlace: u16 = 0;
  burstFlags: u16 = 0;
  /** IN_ORDER: where in `order` the oldest id is, and where the next one goes. */
  oldest: u16 = 0;
  newest: u16 = 0;
  /** IN_ORDER: the last id of the batch that is being taken, or NO_ID. */
  batchEnd: u16 = 0;
}

export const RING_BYTES: usize = ((offsetof<Ring>() + 7) & ~7) + <usize>(IDS_MAX << 2);

function nextPtr(ring: Ring, id: u32): usize {
  return changetype<usize>(ring) + ((offsetof<Ring>() + 7) & ~7) + ((<usize>id) << 1);
}

function orderPtr(ring: Ring, position: u16): usize {
  return nextPtr(ring, IDS_MAX + (<u32>position & (IDS_MAX - 1)));
}

/** Makes a record that of an empty ring: all ids are on the free list, lowest first. */
export function openRecord(ring: Ring, size: u32, ids: u32, features: u32): void {
  const most = min(min(ids, size), IDS_MAX);
  assert(most != 0);
  memory.fill(changetype<usize>(ring), 0, offsetof<Ring>());
  ring.size = size;
  ring.ids = most;
  ring.features = features;
  ring.postedWrap = 1;
  ring.takenWrap = 1;
  ring.batchEnd = <u16>NO_ID;
  for (let id: u32 = 0; id < most; id++) {
    store<u16>(nextPtr(ring, id), <u16>(id + 1 == most ? NO_ID : id + 1));
  }
}

/** False while the queue does not exist. */
export function hasFreeId(ring: Ring): bool {
  return ring.inFlight < ring.ids;
}

/** Takes the first free id; traps when there is none. */
export function takeId(ring: Ring): u32 {
  assert(hasFreeId(ring));
  const id = ring.firstFree;
  ring.firstFree = <u32>load<u16>(nextPtr(ring, id));
  store<u16>(nextPtr(ring, id), <u16>IN_FLIGHT);
  ring.inFlight += 1;
  if ((ring.features & IN_ORDER) != 0) {
    store<u16>(orderPtr(ring, ring.newest), <u16>id);
    ring.newest += 1;
  }
  return id;
}

/** Returns 0 when the device may return this id now, or a fault. */
export function checkId(ring: Ring, id: u32): i32 {
  if (id >= ring.ids) return FAULT_ID;
  return load<u16>(nextPtr(ring, id)) == <u16>IN_FLIGHT ? 0 : FAULT_NOT_IN_FLIGHT;
}

/** Puts an id that is in flight back on the free list. */
export function freeId(ring: Ring, id: u32): void {
  store<u16>(nextPtr(ring, id), <u16>ring.firstFree);
  ring.firstFree = id;
  ring.inFlight -= 1;
}

/** IN_ORDER: the id at position `older` of the ids in flight, counted from the oldest. */
export function idInFlight(ring: Ring, older: u32): u32 {
  return <u32>load<u16>(orderPtr(ring, ring.oldest + <u16>older));
}

/** IN_ORDER: removes and returns the id that has been in flight longest. */
export function takeOldest(ring: Ring): u32 {
  const id = <u32>load<u16>(orderPtr(ring, ring.oldest));
  ring.oldest += 1;
  return id;
}
