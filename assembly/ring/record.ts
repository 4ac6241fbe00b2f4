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
 *   Ring (below)
 *   u16 next[IDS_MAX]       free list; IN_FLIGHT while the device has the id
 *   u16 order[IDS_MAX]      with IN_ORDER: the ids in flight, oldest first, as a ring buffer
 */

/**
 * The most buffers one queue may have in flight; bounds the arena, not the ring. A power of
 * two.
 */
export const IDS_MAX: u32 = 256;
export const NO_ID: u32 = 0xffff;
const IN_FLIGHT: u32 = 0xfffe;

/** What was negotiated for a queue; also the argument of queue_open. */
export const EVENT_INDEX: u32 = 1;
export const PACKED: u32 = 2;
export const IN_ORDER: u32 = 4;
export const INDIRECT: u32 = 8;
/** No feature: this queue is to interrupt for nothing; whoever uses it looks for itself. */
export const QUIET: u32 = 16;

/** What a buffer is to the device; the numbers are the descriptor's flags (virtio 1.3, 2.7.5). */
export const OUT: u32 = 0;
export const IN: u32 = 2;
export const TABLE: u32 = 4;

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
  /** EVENT_INDEX and so on. */
  features: u32 = 0;
  descriptorPtr: usize = 0;
  driverPtr: usize = 0;
  devicePtr: usize = 0;
  /** Split: indices that run on for ever. Packed: places in the ring. */
  posted: u16 = 0;
  published: u16 = 0;
  taken: u16 = 0;
  /** Split: buffers that are back and not yet taken. Packed: posted and not yet published. */
  ahead: u16 = 0;
  /** Packed: the wrap counters, 1 or 0, of posting and of taking (virtio 1.3, 2.8.1). */
  postWrap: u16 = 0;
  takeWrap: u16 = 0;
  /** Packed: the flags that will make the first unpublished descriptor available. */
  heldFlags: u16 = 0;
  /** IN_ORDER: ends of `order`, and the last id of the batch that is being taken, or NO_ID. */
  oldest: u16 = 0;
  newest: u16 = 0;
  batchEnd: u16 = 0;
}

export const RING_BYTES: usize = ((offsetof<Ring>() + 7) & ~7) + <usize>(IDS_MAX << 2);

function nextPtr(ring: Ring, id: u32): usize {
  return changetype<usize>(ring) + ((offsetof<Ring>() + 7) & ~7) + ((<usize>id) << 1);
}

function orderPtr(ring: Ring, place: u16): usize {
  return nextPtr(ring, IDS_MAX + (<u32>place & (IDS_MAX - 1)));
}

/** An empty ring's record: all ids on the free list, lowest first. */
export function openRecord(ring: Ring, size: u32, ids: u32, features: u32): void {
  const most = min(min(ids, size), IDS_MAX);
  assert(most != 0);
  ring.size = size;
  ring.ids = most;
  ring.inFlight = 0;
  ring.firstFree = 0;
  ring.features = features;
  ring.posted = 0;
  ring.published = 0;
  ring.taken = 0;
  ring.ahead = 0;
  ring.postWrap = 1;
  ring.takeWrap = 1;
  ring.heldFlags = 0;
  ring.oldest = 0;
  ring.newest = 0;
  ring.batchEnd = <u16>NO_ID;
  for (let id: u32 = 0; id < most; id++) {
    store<u16>(nextPtr(ring, id), <u16>(id + 1 == most ? NO_ID : id + 1));
  }
}

/** Never while the queue does not exist. */
export function hasFreeId(ring: Ring): bool {
  return ring.inFlight < ring.ids;
}

/** Takes the first free id; trap when there is none. */
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

/** 0 when the device may return this id now, or the fault that it would be. */
export function checkId(ring: Ring, id: u32): i32 {
  if (id >= ring.ids) return FAULT_ID;
  return load<u16>(nextPtr(ring, id)) == <u16>IN_FLIGHT ? 0 : FAULT_NOT_IN_FLIGHT;
}

/** Takes an id back that `checkId` found good. */
export function returnId(ring: Ring, id: u32): void {
  store<u16>(nextPtr(ring, id), <u16>ring.firstFree);
  ring.firstFree = id;
  ring.inFlight -= 1;
}

/** IN_ORDER: the id that `older` ids have been in flight for longer than. */
export function waitingId(ring: Ring, older: u32): u32 {
  return <u32>load<u16>(orderPtr(ring, ring.oldest + <u16>older));
}

/** IN_ORDER: removes and answers the id that has been in flight longest. */
export function takeOldest(ring: Ring): u32 {
  const id = <u32>load<u16>(orderPtr(ring, ring.oldest));
  ring.oldest += 1;
  return id;
}
