/**
 * The typed face of core.wasm: its exports as they are, and names for the numbers in them.
 *
 * It must not decide anything. Invariant: a core of another ABI version is refused at load, before
 * any memory is carved.
 */
import { BallonetError } from "../errors.ts";

/** The version in assembly/index.ts that this face was written for. */
export const CORE_ABI_VERSION = 4;

/** What a search of the ledger answers when it finds nothing; compare after `>>> 0`. */
export const NO_FRAME = 0xffff_ffff;

/** Most entries of one ring; the core carves no longer ones. */
export const QUEUE_SIZE_LIMIT = 1024;
/** Most buffers that one queue may have in flight. */
export const BUFFERS_LIMIT = 256;
/** Most page frame numbers in one buffer. Devices in the wild drop more than 256. */
export const PFNS_LIMIT = 512;

/** The roles of the core's queues; a device may number its queues otherwise. */
export const INFLATEQ = 0;
export const DEFLATEQ = 1;
export const STATSQ = 2;
export const HINTQ = 3;
export const REPORTQ = 4;

/** What was negotiated for a ring, for queue_open. */
export const RING_FEATURE = {
  eventIndex: 1,
  packed: 2,
  inOrder: 4,
  indirect: 8,
  quiet: 16,
} as const;

/** The states of a frame, at the index that the core uses for each. */
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

export type FrameState = (typeof FRAME_STATES)[number];

/** Frames by state; the sum is the number of frames that the ledger describes. */
export type FrameCounts = Record<FrameState, number>;

/**
 * The exports of core.wasm. Booleans come back as 0 or 1, and every u32 comes back signed: use
 * `>>> 0` where the top bit can be set. All of them trap when an invariant is broken.
 */
export interface PageExports {
  abi_version(): number;
  /** Bytes of an arena for so many frames, ring entries, buffers in flight and PFNs a buffer. */
  arena_bytes(frames: number, queueSize: number, buffers: number, pfns: number): number;
  arena_open(ptr: number, frames: number, queueSize: number, buffers: number, pfns: number): void;
  ledger_frames(): number;
  ledger_count(state: number): number;
  ledger_state(pfn: number): number;
  /** 1 when these frames exist and all are in `state`. */
  ledger_uniform(first: number, length: number, state: number): number;
  /** reserved -> free. */
  ledger_add(first: number, length: number): void;
  /**
   * free -> used: the first frame of a run of at most `most`, or NO_FRAME; length by ledger_run.
   */
  ledger_allocate(most: number): number;
  ledger_run(): number;
  /** free -> used, exactly these. */
  ledger_claim(first: number, length: number): void;
  /** used -> free. */
  ledger_release(first: number, length: number): void;
  /**
   * How many frames the balloon takes at once, a divisor of 512, until the arena is opened again:
   * 512 are whole blocks first, 1 the lowest frames, and anything between aligned units alone.
   */
  ledger_unit(frames: number): void;
  /** Everything the device had -> free; only after a completed device reset. */
  ledger_reclaim(): void;
  /** The device area, and the ring as a whole, begin at multiples of `alignment`: 4 to 4096. */
  queue_open(queue: number, size: number, features: number, alignment: number): void;
  queue_descriptor_area(queue: number): number;
  queue_driver_area(queue: number): number;
  queue_device_area(queue: number): number;
  queue_buffers_in_flight(queue: number): number;
  queue_pages_in_flight(queue: number): number;
  /** Where the next buffer will go, for NOTIFICATION_DATA. */
  queue_next_place(queue: number): number;
  /** 1 when the device must be notified. */
  queue_publish(queue: number): number;
  /** 1 when buffers are back already. */
  queue_arm(queue: number, after: number): number;
  balloon_inflate(want: number): number;
  balloon_deflate(want: number): number;
  balloon_deflate_untold(want: number): number;
  balloon_deflate_silently(want: number): number;
  /** Pages that came back, or a fault below 0. */
  balloon_settle(queue: number): number;
  stats_put(index: number, tag: number, value: number): void;
  stats_post(bytes: number): void;
  /** 1 when the buffer came back, 0 when not, or a fault below 0. */
  stats_take(): number;
}

/** Ranges instead of pages: poison, reporting, hinting, and the end of a queue. */
export interface RangeExports {
  /** Everything on the inflateq -> free; only after a completed reset of that queue. */
  balloon_abandon_inflates(): void;
  /** From now on frames that come back, and those to be reported, are filled with `value`. */
  poison_set(value: number): void;
  poison_clear(): void;
  /** free -> reporting for up to `want` frames, whole 2 MiB blocks only; answers how many. */
  report_post(want: number): number;
  /** Frames whose report came back, or a fault below 0. */
  report_settle(): number;
  /** Posts a run's id, or 0 to stop; 0 when there is no room. */
  hint_command(command: number): number;
  /** free -> hinted for up to `want` frames; answers how many. */
  hint_post(want: number): number;
  /** Buffers that came back, or a fault below 0. */
  hint_settle(): number;
  /** hinted -> free, all of them. */
  hint_release(): void;
}

export interface CoreExports extends PageExports, RangeExports {}

/** What the core imports beside its memory (`env.memory`). */
export interface CoreImports {
  readonly hal: {
    /** A full memory barrier. */
    fence(): void;
    /** Fills frames with a 32-bit value. */
    fill(first: number, length: number, value: number): void;
  };
}

/** Refuses a core of another version. Throws BallonetError `core-abi`. */
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

/** What a fault number from the core means, in words. */
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
