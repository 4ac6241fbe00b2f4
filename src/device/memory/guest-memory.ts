/**
 * The guest's physical memory, as a device reaches it: little-endian, by physical address. Each
 * call asks for the buffer again, because a wasm memory that grows gets a new one.
 */

import { PAGE_BYTES } from "../spec/numbers.ts";

/** Anything that has the guest's memory as its `buffer`: a WebAssembly.Memory, a typed array. */
export type GuestMemorySource = { readonly buffer: ArrayBufferLike } | (() => ArrayBufferLike);

export class GuestMemory {
  private readonly fetch: () => ArrayBufferLike;
  private buffer: ArrayBufferLike;
  private view: DataView;
  private words: Uint32Array;
  /** The same memory as doubles: comparing a page takes half as many steps. */
  private doubles: Float64Array;

  constructor(source: GuestMemorySource) {
    this.fetch = typeof source === "function" ? source : () => source.buffer;
    this.buffer = this.fetch();
    this.view = new DataView(this.buffer);
    this.words = wordsOf(this.buffer);
    this.doubles = doublesOf(this.buffer);
  }

  /** Bytes that exist now. */
  get bytes(): number {
    this.refresh();
    return this.view.byteLength;
  }

  /** Whether the whole range lies inside the memory. */
  contains(address: number, length: number): boolean {
    return address >= 0 && length >= 0 && address + length <= this.bytes;
  }

  read8(address: number): number {
    this.refresh();
    return this.view.getUint8(address);
  }

  read16(address: number): number {
    this.refresh();
    return this.view.getUint16(address, true);
  }

  read32(address: number): number {
    this.refresh();
    return this.view.getUint32(address, true);
  }

  /** A 64-bit number as a double: exact up to 2^53, which is more than any address has. */
  read64(address: number): number {
    return this.read32(address) + this.read32(address + 4) * 0x1_0000_0000;
  }

  read64Exact(address: number): bigint {
    this.refresh();
    return this.view.getBigUint64(address, true);
  }

  write16(address: number, value: number): void {
    this.refresh();
    this.view.setUint16(address, value, true);
  }

  write32(address: number, value: number): void {
    this.refresh();
    this.view.setUint32(address, value, true);
  }

  /** The bytes of one page, as they are. */
  page(pfn: number): Uint8Array {
    this.refresh();
    return new Uint8Array(this.buffer, pfn * PAGE_BYTES, PAGE_BYTES);
  }

  /** The pages that are not all zeros. */
  pagesWithContent(): number[] {
    const pages: number[] = [];
    for (let pfn = 0; (pfn + 1) * PAGE_BYTES <= this.bytes; pfn += 1) {
      if (this.firstOther(pfn, 0) >= 0) pages.push(pfn);
    }
    return pages;
  }

  /** Returns a copy of the whole memory, for `restore`. */
  copy(): Uint32Array {
    this.refresh();
    return this.words.slice();
  }

  restore(copy: Uint32Array): void {
    this.refresh();
    this.words.set(copy);
  }

  /** Every byte becomes 0. */
  clear(): void {
    this.refresh();
    this.words.fill(0);
  }

  /** Fills one page with one 32-bit word. */
  fillPage(pfn: number, word: number): void {
    this.refresh();
    const start = pfn * (PAGE_BYTES / 4);
    this.words.fill(word, start, start + PAGE_BYTES / 4);
  }

  /**
   * Byte offset in the page of the first word that differs from `word`; -1 when none does. `word`
   * is a canary's; for other words see `firstOther`.
   */
  firstDifference(pfn: number, word: number): number {
    this.refresh();
    if (this.uniform(pfn, word)) return -1;
    const words = this.words;
    const start = pfn * (PAGE_BYTES / 4);
    const end = start + PAGE_BYTES / 4;
    for (let i = start; i < end; i += 1) {
      if (words[i] !== word) return (i - start) * 4;
    }
    return -1;
  }

  /** Byte offset in the page of the first word that is `word`; -1 when there is none. */
  firstEqual(pfn: number, word: number): number {
    this.refresh();
    const start = pfn * (PAGE_BYTES / 4);
    const at = this.words.subarray(start, start + PAGE_BYTES / 4).indexOf(word >>> 0);
    return at < 0 ? -1 : at * 4;
  }

  /** Like `firstDifference`, but slower and for any word: zeros or ones, for example. */
  firstOther(pfn: number, word: number): number {
    this.refresh();
    const start = pfn * (PAGE_BYTES / 4);
    const at = this.words
      .subarray(start, start + PAGE_BYTES / 4)
      .findIndex((one) => one !== word >>> 0);
    return at < 0 ? -1 : at * 4;
  }

  /**
   * Whether a page is nothing but `word`. It compares doubles, which is exact because a canary's
   * word twice is neither a NaN nor a zero: only the same bits are equal to it.
   */
  private uniform(pfn: number, word: number): boolean {
    const { doubles } = this;
    const start = (pfn * PAGE_BYTES) / 8;
    const end = start + PAGE_BYTES / 8;
    const pattern = doubleOf(word);
    for (let i = start; i < end; i += 4) {
      if (
        doubles[i] !== pattern ||
        doubles[i + 1] !== pattern ||
        doubles[i + 2] !== pattern ||
        doubles[i + 3] !== pattern
      ) {
        return false;
      }
    }
    return true;
  }

  private refresh(): void {
    const buffer = this.fetch();
    if (buffer === this.buffer) return;
    this.buffer = buffer;
    this.view = new DataView(buffer);
    this.words = wordsOf(buffer);
    this.doubles = doublesOf(buffer);
  }
}

function wordsOf(buffer: ArrayBufferLike): Uint32Array {
  return new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
}

function doublesOf(buffer: ArrayBufferLike): Float64Array {
  return new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
}

const SCRATCH_WORDS = new Uint32Array(2);
const SCRATCH_DOUBLES = new Float64Array(SCRATCH_WORDS.buffer);

/** The double that two equal words make. */
function doubleOf(word: number): number {
  SCRATCH_WORDS.fill(word);
  return SCRATCH_DOUBLES[0] as number;
}
