/**
 * The ABI: every function that the core exports. runtime/core/exports.ts documents them.
 *
 * A 64-bit integer costs a JavaScript caller a BigInt, so numbers are u32, i32 or f64.
 */
import * as arena from "./arena";
import * as ledger from "./ledger/ledger";
import * as search from "./ledger/search";
import * as poison from "./poison";
import * as pages from "./queues/pages";
import * as ranges from "./queues/ranges";
import * as statistics from "./queues/statistics";
import { Ring } from "./ring/record";
import { arm, nextPlace, open, publish } from "./ring/virtqueue";

/** Changes whenever a name, a parameter or a meaning below does. */
const ABI_VERSION: u32 = 4;

export function abi_version(): u32 {
  return ABI_VERSION;
}

export function arena_bytes(frames: u32, queueSize: u32, buffers: u32, pfns: u32): usize {
  return arena.arenaBytes(frames, queueSize, buffers, pfns);
}
export function arena_open(ptr: usize, frames: u32, queueSize: u32, buffers: u32, pfns: u32): void {
  arena.openArena(ptr, frames, queueSize, buffers, pfns);
  pages.forgetInFlight();
}

export function ledger_frames(): u32 {
  return ledger.frameCount();
}
export function ledger_count(state: u32): u32 {
  return ledger.count(state);
}
export function ledger_state(pfn: u32): u32 {
  return ledger.stateOf(pfn);
}
export function ledger_uniform(first: u32, length: u32, state: u32): bool {
  return ledger.uniform(first, length, state);
}
export function ledger_add(first: u32, length: u32): void {
  ledger.add(first, length);
}
export function ledger_allocate(most: u32): u32 {
  return search.allocate(most);
}
export function ledger_run(): u32 {
  return search.allocatedLength();
}
export function ledger_claim(first: u32, length: u32): void {
  ledger.claim(first, length);
}
export function ledger_release(first: u32, length: u32): void {
  ledger.release(first, length);
}
export function ledger_unit(frames: u32): void {
  search.setUnit(frames);
}
export function ledger_reclaim(): void {
  ledger.reclaim();
  pages.forgetInFlight();
}

function ring(queue: u32): Ring {
  return arena.ringOf(queue);
}
export function queue_open(queue: u32, size: u32, features: u32, alignment: u32): void {
  assert(size <= arena.queueSizeMax());
  open(ring(queue), arena.ringMemory(queue), size, arena.idsOf(queue), features, alignment);
  ranges.opened(queue);
}
export function queue_descriptor_area(queue: u32): usize {
  return ring(queue).descriptorPtr;
}
export function queue_driver_area(queue: u32): usize {
  return ring(queue).driverPtr;
}
export function queue_device_area(queue: u32): usize {
  return ring(queue).devicePtr;
}
export function queue_buffers_in_flight(queue: u32): u32 {
  return ring(queue).inFlight;
}
export function queue_pages_in_flight(queue: u32): u32 {
  return pages.inFlightPages(queue);
}
export function queue_next_place(queue: u32): u32 {
  return nextPlace(ring(queue));
}
export function queue_publish(queue: u32): bool {
  return publish(ring(queue));
}
export function queue_arm(queue: u32, after: u32): bool {
  return arm(ring(queue), after);
}
export function balloon_inflate(want: u32): u32 {
  return pages.inflate(want);
}
export function balloon_deflate(want: u32): u32 {
  return pages.deflate(want);
}
export function balloon_deflate_untold(want: u32): u32 {
  return pages.deflateUntold(want);
}
export function balloon_deflate_silently(want: u32): u32 {
  return pages.deflateSilently(want);
}
export function balloon_settle(queue: u32): i32 {
  return pages.settle(queue);
}

export function balloon_abandon_inflates(): void {
  pages.abandonInflates();
}

export function poison_set(value: u32): void {
  poison.setPoison(value);
}
export function poison_clear(): void {
  poison.clearPoison();
}
export function report_post(want: u32): u32 {
  return ranges.report(want);
}
export function report_settle(): i32 {
  return ranges.settleReports();
}
export function hint_command(command: u32): bool {
  return ranges.hintCommand(command);
}
export function hint_post(want: u32): u32 {
  return ranges.hint(want);
}
export function hint_settle(): i32 {
  return ranges.settleHints();
}
export function hint_release(): void {
  ledger.reclaimState(ledger.HINTED);
}

export function stats_put(index: u32, tag: u32, value: f64): void {
  statistics.putStat(index, tag, value);
}
export function stats_post(bytes: u32): void {
  statistics.postStats(bytes);
}
export function stats_take(): i32 {
  return statistics.takeStats();
}
