/**
 * Where a stretch of guest memory really is: in a buffer of this process, or behind an interface.
 *
 * A store opens a place for reading or writing, and says where in its views that place begins. The
 * views of a buffer are the memory itself; those of an interface are a copy of what was asked for.
 */

import { MachineOptionError } from "../errors.ts";
import { PAGE_BYTES } from "../spec/numbers.ts";

/**
 * Guest memory in a buffer: a WebAssembly.Memory, a typed array, or an object of your own.
 *
 * Its members are read anew at every access, because a wasm memory that grows gets a new buffer.
 */
export interface GuestMemoryBuffer {
  readonly buffer: ArrayBufferLike;
  /** Where in the buffer the memory begins, a multiple of 8. Default 0. */
  readonly byteOffset?: number;
  /** Bytes of the memory. Default: up to the buffer's end. */
  readonly byteLength?: number;
  /**
   * Called after the device wrote to the memory, with the physical address: an emulator forgets
   * the code that it made from these bytes.
   */
  wrote?(address: number, bytes: number): void;
}

/**
 * Guest memory that is no buffer: a file that is shared with an emulator, for example.
 *
 * Addresses count from the start of the memory. The device asks for at most 4096 bytes at once,
 * and never beyond `bytes`.
 */
export interface GuestMemoryAccess {
  /** Bytes that exist now. */
  readonly bytes: number;
  /** Fills all of `into` with the bytes from `address` on. 2, 4 and 8 bytes are read at once. */
  read(address: number, into: Uint8Array): void;
  /** Writes all of `from` from `address` on. */
  write(address: number, from: Uint8Array): void;
}

/** One stretch of guest memory, or a function that returns the buffer as it is now. */
export type GuestMemoryStretch =
  | GuestMemoryBuffer
  | GuestMemoryAccess
  | (() => ArrayBufferLike | GuestMemoryBuffer);

/** The little-endian views of a store; all three begin at the same byte. */
export interface MemoryStore {
  /** Bytes that exist now. */
  readonly bytes: number;
  readonly view: DataView;
  readonly words: Uint32Array;
  /** The same memory as doubles: comparing a page takes half as many steps. */
  readonly doubles: Float64Array;
  /** The same memory as a buffer of Node, which compares faster; undefined in a page. */
  readonly whole: Buffer | undefined;
  /**
   * Makes a place readable that lies inside of `bytes`, asked for just now. Returns the byte of the
   * views at which it begins.
   */
  open(address: number, bytes: number): number;
  /** The views were written to, at the place that was opened last. */
  written(address: number, bytes: number): void;
}

/** Returns the store of a stretch that begins at this physical address. */
export function storeOf(stretch: GuestMemoryStretch, start: number): MemoryStore {
  if (typeof stretch !== "function" && "read" in stretch) return new AccessStore(stretch);
  return new BufferStore(stretch, start);
}

/** Returns the memory as Node's own buffer, where there is Node. */
function wholeOf(buffer: ArrayBufferLike, offset: number, length: number): Buffer | undefined {
  const { Buffer: ofNode }: { readonly Buffer?: BufferConstructor } = globalThis;
  return ofNode?.from(buffer, offset, length);
}

class BufferStore implements MemoryStore {
  view: DataView = new DataView(new ArrayBuffer(0));
  words: Uint32Array = new Uint32Array(0);
  doubles: Float64Array = new Float64Array(0);
  whole: Buffer | undefined;
  private readonly fetch: () => GuestMemoryBuffer | ArrayBufferLike;
  private readonly start: number;
  private buffer: ArrayBufferLike | undefined;
  private offset = 0;
  private length = 0;
  private wrote: GuestMemoryBuffer["wrote"];

  constructor(source: Exclude<GuestMemoryStretch, GuestMemoryAccess>, start: number) {
    this.fetch = typeof source === "function" ? source : () => source;
    this.start = start;
    this.refresh();
  }

  get bytes(): number {
    this.refresh();
    return this.length;
  }

  open(address: number): number {
    return address;
  }

  written(address: number, bytes: number): void {
    this.wrote?.(this.start + address, bytes);
  }

  private refresh(): void {
    const source = this.fetch();
    const place: GuestMemoryBuffer = "buffer" in source ? source : { buffer: source };
    const { buffer, byteOffset = 0 } = place;
    const length = place.byteLength ?? buffer.byteLength - byteOffset;
    if (buffer === this.buffer && byteOffset === this.offset && length === this.length) return;
    if (byteOffset % 8 !== 0) {
      const todo = "begin the memory at a multiple of 8";
      throw new MachineOptionError("memory", `byteOffset ${byteOffset}`, todo);
    }
    this.buffer = buffer;
    this.offset = byteOffset;
    this.length = length;
    this.wrote = place.wrote && ((address, bytes) => place.wrote?.(address, bytes));
    this.view = new DataView(buffer, byteOffset, length);
    this.whole = wholeOf(buffer, byteOffset, length);
    this.words = new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
    this.doubles = new Float64Array(buffer, byteOffset, Math.floor(length / 8));
  }
}

class AccessStore implements MemoryStore {
  private readonly access: GuestMemoryAccess;
  private readonly copy = new Uint8Array(PAGE_BYTES);
  readonly view = new DataView(this.copy.buffer);
  readonly words = new Uint32Array(this.copy.buffer);
  readonly doubles = new Float64Array(this.copy.buffer);
  readonly whole = wholeOf(this.copy.buffer, 0, PAGE_BYTES);

  constructor(access: GuestMemoryAccess) {
    this.access = access;
  }

  get bytes(): number {
    return this.access.bytes;
  }

  open(address: number, bytes: number): number {
    this.access.read(address, this.copy.subarray(0, bytes));
    return 0;
  }

  written(address: number, bytes: number): void {
    this.access.write(address, this.copy.subarray(0, bytes));
  }
}
