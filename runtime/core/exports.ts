/**
 * The exports of core.wasm with their types, and names for the numbers in them.
 */
import { BallonetError } from "../errors.ts";

/** The `abi_version` of the core that these types describe. */
export const CORE_ABI_VERSION = 5;

/** What `ledger_allocate` returns when no frame is free; compare after `>>> 0`. */
export const NO_FRAME = 0xffff_ffff;

/** Most entries of one ring. */
export const QUEUE_SIZE_LIMIT = 1024;
/** Most buffers that one queue may have in flight. */
export const BUFFERS_LIMIT = 256;
/** Most page frame numbers in one buffer. Some devices accept only 256. */
export const PFNS_LIMIT = 512;

/** The core's numbers for the queues; the device's numbers depend on the features. */
export const INFLATEQ = 0;
export const DEFLATEQ = 1;
export const STATSQ = 2;
export const HINTQ = 3;
export const REPORTQ = 4;

/** What each of them is for, by the specification's names (virtio 1.3, 5.5.2), at its number. */
export const QUEUE_ROLES = [
  "inflateq",
  "deflateq",
  "statsq",
  "free_page_vq",
  "reporting_vq",
] as const;

/** The bits of `features` in `queue_open`. `quiet`: the ring asks for no interrupt at all. */
export const RING_FEATURE = {
  eventIndex: 1,
  packed: 2,
  inOrder: 4,
  indirect: 8,
  quiet: 16,
} as const;

/** The states of a frame; the index of each is its number in the core. */
export const FRAME_STATES = [
  "reserved",
  "used",
  "free",
  "inflating",
  "held",
  "deflating",
  "hinted",
  "reporting",
] as const;

/**
 * What a frame is: `reserved` (no RAM, or not the balloon's), `used` by the guest, `free`,
 * `inflating` (posted, not yet acknowledged), `held` in the balloon, `deflating` (told, not yet
 * acknowledged), `hinted` (lent until the host's hinting run is done), or `reporting` (posted on
 * the reporting queue, not yet acknowledged).
 */
export type FrameState = (typeof FRAME_STATES)[number];

/** Number of frames in each state; the sum is the number of frames in the ledger. */
export type FrameCounts = Record<FrameState, number>;

/**
 * The exports of core.wasm. A boolean comes back as 0 or 1. A u32 comes back signed: use `>>> 0`
 * where the top bit can be set. A frame is named by its page frame number (PFN), a queue by
 * INFLATEQ and so on, a state by its index in FRAME_STATES; lengths are in frames. `a -> b` moves
 * frames from state a to state b, and traps if a frame is not in state a. Every function traps on
 * an argument that is out of range. A fault is a number below -1: `describeFault`.
 */
export interface CoreExports {
  /** The version of this interface: CORE_ABI_VERSION. */
  abi_version(): number;
  /** Bytes of an arena for so many frames, ring entries, buffers in flight and PFNs a buffer. */
  arena_bytes(frames: number, queueSize: number, buffers: number, pfns: number): number;
  /** Lays the arena out at `ptr`, a multiple of 4096; then every frame is reserved. */
  arena_open(ptr: number, frames: number, queueSize: number, buffers: number, pfns: number): void;
  /** Frames in the ledger. */
  ledger_frames(): number;
  /** Frames in `state`. */
  ledger_count(state: number): number;
  /** The state of one frame. */
  ledger_state(pfn: number): number;
  /** 1 when these frames exist and all are in `state`. */
  ledger_uniform(first: number, length: number, state: number): number;
  /** reserved -> free. */
  ledger_add(first: number, length: number): void;
  /** free -> used for one run of at most `most`. Returns its first frame, or NO_FRAME. */
  ledger_allocate(most: number): number;
  /** Length of the run that `ledger_allocate` returned last. */
  ledger_run(): number;
  /** free -> used, exactly these. */
  ledger_claim(first: number, length: number): void;
  /** used -> free. */
  ledger_release(first: number, length: number): void;
  /**
   * How the balloon picks frames, until the arena is opened again. 512 (at first): whole blocks
   * first, then pieces. 1: the lowest frame. A divisor of 512 between: only aligned units of it.
   */
  ledger_unit(frames: number): void;
  /** All that the device had -> free. Call it only after a completed device reset. */
  ledger_reclaim(): void;
  /**
   * Empties a ring of `size` entries; nothing is in flight on it afterwards. `features` are bits of
   * RING_FEATURE. A split ring and its device area begin at multiples of `alignment`: 4 to 4096.
   */
  queue_open(queue: number, size: number, features: number, alignment: number): void;
  /** Guest physical address of the descriptor area. */
  queue_descriptor_area(queue: number): number;
  /** Guest physical address of the driver area. */
  queue_driver_area(queue: number): number;
  /** Guest physical address of the device area. */
  queue_device_area(queue: number): number;
  /** Buffers that the device has. */
  queue_buffers_in_flight(queue: number): number;
  /** Pages in the buffers that the device has; inflateq and deflateq only. */
  queue_pages_in_flight(queue: number): number;
  /** Where the next buffer will go, as NOTIFICATION_DATA carries it (virtio 1.3, 2.9). */
  queue_next_place(queue: number): number;
  /** Shows the device all posted buffers. Returns 1 when the device must be notified. */
  queue_publish(queue: number): number;
  /**
   * Asks for an interrupt once `after` more buffers, beyond the next, have come back. Returns 1
   * when a buffer is back already: settle again before sleeping.
   */
  queue_arm(queue: number, after: number): number;
  /** free -> inflating for up to `want` pages. Returns how many. */
  balloon_inflate(want: number): number;
  /** held -> deflating for up to `want` pages; free once acknowledged. Returns how many. */
  balloon_deflate(want: number): number;
  /** held -> free for up to `want` pages, and posts them on the deflateq. Returns how many. */
  balloon_deflate_untold(want: number): number;
  /** held -> free for up to `want` pages; the host is never told. Returns how many. */
  balloon_deflate_silently(want: number): number;
  /** inflating -> held, or deflating -> free. Returns the pages that came back, or a fault. */
  balloon_settle(queue: number): number;
  /** Everything on the inflateq -> free. Call it only after a completed reset of that queue. */
  balloon_abandon_inflates(): void;
  /** Writes entry `index` of the statistics buffer; `value` is a whole number from 0 on. */
  stats_put(index: number, tag: number, value: number): void;
  /** Posts the first `bytes` of the statistics buffer; traps while the device has it. */
  stats_post(bytes: number): void;
  /** Returns 1 when the statistics buffer came back, 0 when not, or a fault. */
  stats_take(): number;
  /** From now on frames that come back, and those to be reported, are filled with `value`. */
  poison_set(value: number): void;
  /** From now on no frame is filled with a poison. */
  poison_clear(): void;
  /**
   * Whether frames are filled, with the poison or 0, before they are posted, hinted or reported
   * (`given`), and when they come back in any way (`returned`). Both are 0 at first.
   */
  scrub_set(given: number, returned: number): void;
  /** free -> reporting for up to `want` frames, whole 2 MiB blocks only. Returns how many. */
  report_post(want: number): number;
  /** reporting -> free. Returns the frames whose report came back, or a fault. */
  report_settle(): number;
  /** Posts the id of a hinting run, or 0 to stop. Returns 0 when the queue has no room. */
  hint_command(command: number): number;
  /** free -> hinted for up to `want` frames. Returns how many. */
  hint_post(want: number): number;
  /** Returns the buffers that came back on the hinting queue, or a fault. */
  hint_settle(): number;
  /** hinted -> free, all of them. */
  hint_release(): void;
}

/** What the core imports beside its memory (`env.memory`). */
export interface CoreImports {
  readonly hal: {
    /** A full memory barrier: stores before it are seen by the device before loads after it. */
    fence(): void;
    /** Fills `length` frames from PFN `first` on with a 32-bit value. Numbers arrive signed. */
    fill(first: number, length: number, value: number): void;
  };
}

/**
 * Returns `exports` when they are of a core of this version.
 * @throws BallonetError `core-abi` otherwise.
 */
export function checkCore(exports: CoreExports): CoreExports {
  const version = exports.abi_version?.();
  if (version === CORE_ABI_VERSION) return exports;
  throw new BallonetError({
    code: "core-abi",
    what: "core.wasm",
    seen: `ABI version ${version ?? "none"}, wanted ${CORE_ABI_VERSION}`,
    todo: "load the core.wasm that was built with this runtime",
  });
}

/** What a fault, a number below -1 from the core, means in words. */
export function describeFault(fault: number): string {
  switch (fault) {
    case -2:
      return "used.idx ran past the buffers in flight";
    case -3:
      return "a used id that no buffer has";
    case -4:
      return "a used id that is not in flight";
    default:
      return `fault ${fault}`;
  }
}

/** Counts the frames in each state. */
export function frameCounts(core: CoreExports): FrameCounts {
  const counts = {} as FrameCounts;
  FRAME_STATES.forEach((state, index) => {
    counts[state] = core.ledger_count(index) >>> 0;
  });
  return counts;
}

/** Frames in one state. */
export function framesIn(core: CoreExports, state: FrameState): number {
  return core.ledger_count(FRAME_STATES.indexOf(state)) >>> 0;
}
