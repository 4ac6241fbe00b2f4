/**
 * The ABI: every function that the core exports. runtime/core/exports.ts documents them.
 *
 * A 64-bit integer costs a JavaScript caller a BigInt, so numbers are u32, i32 or f64.
 */
import * as arena from "./arena";
import * as ledger from "./ledger/ledger";
import * as pages from "./queues/pages";
import { Ring } from "./ring/record";
import { arm, nextPlace, open, publish } from "./ring/virtqueue";

export { arenaBytes as arena_bytes } from "./arena";
export {
  add as ledger_add,
  claim as ledger_claim,
  count as ledger_count,
  frameCount as ledger_frames,
  release as ledger_release,
  stateOf as ledger_state,
  uniform as ledger_uniform,
} from "./ledger/ledger";
export {
  allocate as ledger_allocate,
  allocatedLength as ledger_run,
  setUnit as ledger_unit,
} from "./ledger/search";
export {
  clearPoison as poison_clear,
  setPoison as poison_set,
  setScrub as scrub_set,
} from "./poison";
export {
  abandonInflates as balloon_abandon_inflates,
  deflate as balloon_deflate,
  deflateSilently as balloon_deflate_silently,
  deflateUntold as balloon_deflate_untold,
  inFlightPages as queue_pages_in_flight,
  inflate as balloon_inflate,
  settle as balloon_settle,
} from "./queues/pages";
export {
  hint as hint_post,
  hintCommand as hint_command,
  report as report_post,
  settleHints as hint_settle,
  settleReports as report_settle,
} from "./queues/ranges";
export {
  postStats as stats_post,
  putStat as stats_put,
  takeStats as stats_take,
} from "./queues/statistics";

/** Changes whenever a name, a parameter or a meaning in this file does. */
const ABI_VERSION: u32 = 5;

export function abi_version(): u32 {
  return ABI_VERSION;
}

export function arena_open(ptr: usize, frames: u32, queueSize: u32, buffers: u32, pfns: u32): void {
  arena.openArena(ptr, frames, queueSize, buffers, pfns);
  pages.forgetInFlight();
}

export function ledger_reclaim(): void {
  ledger.reclaim();
  pages.forgetInFlight();
}
export function hint_release(): void {
  ledger.reclaimState(ledger.HINTED);
}

function ring(queue: u32): Ring {
  return arena.ringOf(queue);
}
export function queue_open(queue: u32, size: u32, features: u32, alignment: u32): void {
  assert(size <= arena.queueSizeMax());
  open(ring(queue), arena.ringMemory(queue), size, arena.idsOf(queue), features, alignment);
  // The queue that reports needs to know which blocks are unreported.
  if (queue == arena.REPORTQ) ledger.trackUnreported();
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
export function queue_next_place(queue: u32): u32 {
  return nextPlace(ring(queue));
}
export function queue_publish(queue: u32): bool {
  return publish(ring(queue));
}
export function queue_arm(queue: u32, after: u32): bool {
  return arm(ring(queue), after);
}
