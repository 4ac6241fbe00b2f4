/**
 * `memory`: memory of the machine that the program takes and gives back, beside the engine's heap.
 *
 * What `allocate` returns lies in frames of the ledger, which the balloon takes from as well.
 */
import { host, isGuest, PAGES } from "./host.ts";

const PAGE_BYTES = 4096;
/** The longest ArrayBuffer of the engine. */
const BYTES_MAX = 0x7fff_ffff;

/** How urgent the want of memory is, the least urgent first. */
export type Urgency = "target" | "allocation";

/** What a listener of `memory.onPressure` gets. */
export interface Pressure {
  /** Bytes that are wanted: more is welcome, less is better than nothing. */
  readonly bytes: number;
  /**
   * `target`: the host wants more than is free, and the driver is about to call its target out of
   * reach. `allocation`: `memory.allocate` is about to fail.
   */
  readonly urgency: Urgency;
}

/** Gives memory back, at once: what it frees later comes too late. */
export type PressureListener = (pressure: Pressure) => void;

/** Where the machine's memory is, in bytes. */
export interface MemoryCounts {
  /** Free for the program and for the balloon. */
  readonly free: number;
  /** In the balloon, or on the way in or out. */
  readonly balloon: number;
  /** In ArrayBuffers of `memory.allocate`. */
  readonly buffers: number;
  /** Behind the engine's heap, which the program shares with the driver. */
  readonly heap: number;
}

const listeners = new Set<PressureListener>();
/** The buffers of `allocate`. Taken as they are now: a program may change what it likes later. */
const buffers = new WeakSet<ArrayBuffer>();
const { apply } = Reflect;
const isOurs = buffers.has.bind(buffers);
const { slice, transfer } = ArrayBuffer.prototype as ArrayBuffer & {
  readonly transfer?: (this: ArrayBuffer, bytes: number) => ArrayBuffer;
};

function detach(buffer: ArrayBuffer): void {
  if (transfer !== undefined) apply(transfer, buffer, [0]);
}

/**
 * To transfer a buffer, the engine takes its bytes over and gives them another length, which it can
 * only do with what is in its own heap: a buffer of ours is copied there first.
 */
function guardTransfer(name: string): void {
  const own = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, name);
  if (typeof own?.value !== "function") return;
  const original = own.value as (...values: unknown[]) => unknown;
  const guarded = {
    [name](this: ArrayBuffer, ...values: unknown[]): unknown {
      if (!isOurs(this)) return apply(original, this, values);
      const copy = apply(slice, this, [0]);
      const result = apply(original, copy, values);
      detach(this);
      return result;
    },
  };
  Object.defineProperty(ArrayBuffer.prototype, name, { ...own, value: guarded[name] });
}

if (isGuest) {
  for (const name of ["transfer", "transferToFixedLength", "transferToImmutable"]) {
    guardTransfer(name);
  }
}

/** Tells all listeners. What one throws is not caught: it is the program's error. */
export function press(pressure: Pressure): void {
  for (const listener of [...listeners]) listener(pressure);
}

/** What to do for memory, one after the other, until there is enough. */
const LAST_RESORTS: readonly ((bytes: number) => void)[] = [
  (bytes) => press({ bytes, urgency: "allocation" }),
  () => host.collect(),
  (bytes) => {
    host.send(JSON.stringify({ shortage: Math.ceil(bytes / PAGE_BYTES) }));
    host.yield();
  },
];

function allocate(bytes: number): ArrayBuffer {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > BYTES_MAX) {
    throw new RangeError(`memory.allocate: a whole number from 1 to ${BYTES_MAX}, not ${bytes}`);
  }
  let buffer = host.allocate(bytes);
  for (const resort of LAST_RESORTS) {
    if (buffer !== undefined) break;
    resort(bytes);
    buffer = host.allocate(bytes);
  }
  if (buffer === undefined) {
    throw new RangeError(`memory.allocate: ${bytes} bytes, ${counts().free} are free`);
  }
  buffers.add(buffer);
  return buffer;
}

function release(buffer: ArrayBuffer): void {
  if (!isOurs(buffer)) throw new TypeError("memory.release: a buffer of allocate");
  if (buffer.byteLength > 0) detach(buffer);
}

function onPressure(listener: PressureListener): () => void {
  if (typeof listener !== "function") throw new TypeError("memory.onPressure: a function");
  const own: PressureListener = (pressure) => listener(pressure);
  listeners.add(own);
  return () => {
    listeners.delete(own);
  };
}

function counts(): MemoryCounts {
  const bytes = (kind: number) => host.pages(kind) * PAGE_BYTES;
  return {
    free: bytes(PAGES.free),
    balloon: bytes(PAGES.balloon),
    buffers: bytes(PAGES.buffers),
    heap: bytes(PAGES.heap),
  };
}

/** What a program can do about the machine's memory. */
export const memory: {
  /**
   * Returns an ArrayBuffer of so many bytes, all 0, in pages of 4 KiB of its own beside the
   * engine's heap. They go back at `release`, or when nothing refers to the buffer any more.
   * Before it fails, it tells the listeners of `onPressure`, collects garbage, and takes pages back
   * from the balloon, if the host allows that.
   * @throws RangeError when there is too little memory, or for what is no length.
   */
  allocate(bytes: number): ArrayBuffer;
  /**
   * Gives the pages of a buffer of `allocate` back now; the buffer is detached, and its length 0.
   * Does nothing for one that is detached already. @throws TypeError for another buffer.
   */
  release(buffer: ArrayBuffer): void;
  /** Calls the listener whenever memory is wanted. Returns a function that ends it. */
  onPressure(listener: PressureListener): () => void;
  /** Returns where the memory is now. */
  counts(): MemoryCounts;
} = { allocate, release, onPressure, counts };
