/**
 * The statistics queue: one buffer, which the device keeps until it wants newer statistics (virtio
 * 1.3, 5.5.6.3).
 */
import { ringOf, STAT_BYTES, STATS_MAX, STATSQ, statsPtr } from "../arena";
import { NOTHING, OUT } from "../ring/record";
import { post, take } from "../ring/virtqueue";

/** Writes entry `index` of the buffer: { u16 tag, u64 value }. */
export function putStat(index: u32, tag: u32, value: f64): void {
  assert(index < STATS_MAX);
  const ptr = statsPtr + <usize>(index * STAT_BYTES);
  store<u16>(ptr, <u16>tag);
  store<u64>(ptr, <u64>value, 2);
}

/** Posts the first `bytes` of the buffer; traps while the device has it. */
export function postStats(bytes: u32): void {
  assert(bytes <= STATS_MAX * STAT_BYTES);
  const ring = ringOf(STATSQ);
  assert(ring.inFlight == 0);
  post(ring, <u64>statsPtr, bytes, OUT);
}

/** Returns 1 when the buffer came back, 0 when not, or a fault. */
export function takeStats(): i32 {
  const id = take(ringOf(STATSQ));
  return id == NOTHING ? 0 : id < 0 ? id : 1;
}
