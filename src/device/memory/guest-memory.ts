/**
 * The guest's physical memory, as a device reaches it: little-endian, by physical address. It is
 * one stretch from address 0 on, or several with holes between them.
 */

import { MachineOptionError } from "../errors.ts";
import { PAGE_BYTES } from "../spec/numbers.ts";
import { type GuestMemoryStretch, type MemoryStore, storeOf } from "./memory-store.ts";

/** A stretch of guest memory, and the physical address that it begins at. */
export interface GuestMemoryRegion {
  /** A multiple of 4096. */
  readonly address: number;
  readonly memory: GuestMemoryStretch;
}

/**
 * Where the guest's memory is. Without `regions` byte 0 is physical address 0. A PC with more than
 * 3 GiB has a hole below 4 GiB, and so two regions; nothing lies on two of them.
 */
export type GuestMemorySource =
  | GuestMemoryStretch
  | { readonly regions: readonly GuestMemoryRegion[] };

interface Region {
  readonly start: number;
  readonly store: MemoryStore;
}

const NOWHERE = new RangeError("no guest memory is at this address");

export class GuestMemory {
  private readonly regions: readonly Region[];
  /** The region of the last access. */
  private last: Region;

  constructor(source: GuestMemorySource) {
    const given = "regions" in source ? source.regions : [{ address: 0, memory: source }];
    this.regions = [...given]
      .sort((a, b) => a.address - b.address)
      .map(({ address, memory }) => ({ start: address, store: storeOf(memory, address) }));
    const [first] = this.regions;
    if (first === undefined) {
      throw new MachineOptionError("memory", "no regions", "give at least one");
    }
    this.last = first;
    this.judgeRegions();
  }

  /** End of the memory that exists now: the first address behind it. */
  get bytes(): number {
    const { start, store } = this.regions.at(-1) as Region;
    return start + store.bytes;
  }

  /** Whether the whole range lies inside the memory. */
  contains(address: number, length: number): boolean {
    return length >= 0 && this.find(address, length) !== undefined;
  }

  /** Whether a page lies between two regions. */
  inHole(pfn: number): boolean {
    if (this.regions.length === 1) return false;
    return pfn * PAGE_BYTES < this.bytes && !this.contains(pfn * PAGE_BYTES, PAGE_BYTES);
  }

  read16(address: number): number {
    const { start, store } = this.at(address, 2);
    const at = store.open(address - start, 2);
    return store.view.getUint16(at, true);
  }

  read32(address: number): number {
    const { start, store } = this.at(address, 4);
    const at = store.open(address - start, 4);
    return store.view.getUint32(at, true);
  }

  /** A 64-bit number as a double: exact up to 2^53, which is more than any address has. */
  read64(address: number): number {
    const { start, store } = this.at(address, 8);
    const at = store.open(address - start, 8);
    return store.view.getUint32(at, true) + store.view.getUint32(at + 4, true) * 0x1_0000_0000;
  }

  read64Exact(address: number): bigint {
    const { start, store } = this.at(address, 8);
    const at = store.open(address - start, 8);
    return store.view.getBigUint64(at, true);
  }

  write16(address: number, value: number): void {
    const { start, store } = this.at(address, 2);
    const at = store.open(address - start, 2);
    store.view.setUint16(at, value, true);
    store.written(address - start, 2);
  }

  write32(address: number, value: number): void {
    const { start, store } = this.at(address, 4);
    const at = store.open(address - start, 4);
    store.view.setUint32(at, value, true);
    store.written(address - start, 4);
  }

  /** Returns a copy of a range, which lies inside the memory. */
  bytesAt(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const { start, store } = this.at(address, length);
    for (let n = 0; n < length; n += PAGE_BYTES) {
      const size = Math.min(PAGE_BYTES, length - n);
      const at = store.open(address - start + n, size);
      const { view } = store;
      bytes.set(new Uint8Array(view.buffer, view.byteOffset + at, size), n);
    }
    return bytes;
  }

  /** Returns a copy of the bytes of one page. */
  page(pfn: number): Uint8Array {
    return this.bytesAt(pfn * PAGE_BYTES, PAGE_BYTES);
  }

  setPage(pfn: number, bytes: Uint8Array): void {
    const { region, offset } = this.openPage(pfn);
    const { view } = region.store;
    const at = region.store.open(offset, PAGE_BYTES);
    new Uint8Array(view.buffer, view.byteOffset + at, PAGE_BYTES).set(bytes);
    region.store.written(offset, PAGE_BYTES);
  }

  /** The pages that exist, ascending. */
  *pages(): Generator<number> {
    for (const { start, store } of this.regions) {
      const first = start / PAGE_BYTES;
      const count = Math.floor(store.bytes / PAGE_BYTES);
      for (let n = 0; n < count; n += 1) yield first + n;
    }
  }

  /** The pages that are not all zeros. */
  pagesWithContent(): number[] {
    return [...this.pages()].filter((pfn) => this.firstOther(pfn, 0) >= 0);
  }

  /** Returns a copy of every page, for `restore`. */
  copy(): Map<number, Uint8Array> {
    return new Map([...this.pages()].map((pfn) => [pfn, this.page(pfn)]));
  }

  restore(copy: ReadonlyMap<number, Uint8Array>): void {
    for (const [pfn, bytes] of copy) this.setPage(pfn, bytes);
  }

  /** Every page becomes zeros. */
  clear(): void {
    for (const pfn of this.pages()) this.fillPage(pfn, 0);
  }

  /** Fills one page with one 32-bit word; does nothing where there is no memory. */
  fillPage(pfn: number, word: number): void {
    const address = pfn * PAGE_BYTES;
    const region = this.find(address, PAGE_BYTES);
    if (region === undefined) return;
    const { start, store } = region;
    const at = store.open(address - start, PAGE_BYTES) / 4;
    store.words.fill(word, at, at + PAGE_WORDS);
    store.written(address - start, PAGE_BYTES);
  }

  /**
   * Byte offset in the page of the first word that differs from `word`; -1 when none does, or no
   * memory is there. `word` is a canary's; for other words see `firstOther`. It is called for each
   * page at each check, so it makes no objects.
   */
  firstDifference(pfn: number, word: number): number {
    const address = pfn * PAGE_BYTES;
    const region = this.find(address, PAGE_BYTES);
    if (region === undefined) return -1;
    const { start, store } = region;
    const at = store.open(address - start, PAGE_BYTES) / 4;
    if (uniform(store, at, word)) return -1;
    const { words } = store;
    const end = at + PAGE_WORDS;
    for (let i = at; i < end; i += 1) {
      if (words[i] !== word) return (i - at) * 4;
    }
    return -1;
  }

  /** Byte offset in the page of the first word that is `word`; -1 when there is none. */
  firstEqual(pfn: number, word: number): number {
    const { words, at } = this.openPage(pfn);
    const found = words.subarray(at, at + PAGE_WORDS).indexOf(word >>> 0);
    return found < 0 ? -1 : found * 4;
  }

  /** Like `firstDifference`, but slower and for any word: zeros or ones, for example. */
  firstOther(pfn: number, word: number): number {
    const { words, at } = this.openPage(pfn);
    const found = words.subarray(at, at + PAGE_WORDS).findIndex((one) => one !== word >>> 0);
    return found < 0 ? -1 : found * 4;
  }

  /** Opens a page. `at` is the first of its words, `offset` its first byte in the region. */
  private openPage(pfn: number) {
    const region = this.at(pfn * PAGE_BYTES, PAGE_BYTES);
    const { start, store } = region;
    const offset = pfn * PAGE_BYTES - start;
    const at = store.open(offset, PAGE_BYTES) / 4;
    return { region, offset, at, words: store.words };
  }

  private at(address: number, length: number): Region {
    const found = this.find(address, length);
    if (found === undefined) throw NOWHERE;
    return found;
  }

  private find(address: number, length: number): Region | undefined {
    if (holds(this.last, address, length)) return this.last;
    const found = this.regions.find((one) => holds(one, address, length));
    if (found !== undefined) this.last = found;
    return found;
  }

  private judgeRegions(): void {
    let end = 0;
    for (const { start, store } of this.regions) {
      if (start % PAGE_BYTES !== 0 || start < end) {
        const [here, before] = [start, end].map((at) => `0x${at.toString(16)}`);
        const seen = `a region at ${here}, where the one before ends at ${before}`;
        throw new MachineOptionError("memory", seen, "begin each on a page behind the one before");
      }
      end = start + store.bytes;
    }
  }
}

const PAGE_WORDS = PAGE_BYTES / 4;

function holds({ start, store }: Region, address: number, length: number): boolean {
  return address >= start && address + length <= start + store.bytes;
}

/** Whether the page whose first word is `words[at]` is nothing but `word`, which is a canary's. */
function uniform(store: MemoryStore, at: number, word: number): boolean {
  const { words, whole, doubles } = store;
  if (whole === undefined) return uniformDoubles(doubles, at / 2, word);
  if (words[at] !== word || words[at + 1] !== word) return false;
  const from = at * 4;
  const end = from + PAGE_BYTES;
  // Each double word is the one before it.
  return whole.compare(whole, from, end - 8, from + 8, end) === 0;
}

/**
 * It compares doubles, which is exact because a canary's word twice is neither a NaN nor a zero:
 * only the same bits are equal to it.
 */
function uniformDoubles(doubles: Float64Array, start: number, word: number): boolean {
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

const SCRATCH_WORDS = new Uint32Array(2);
const SCRATCH_DOUBLES = new Float64Array(SCRATCH_WORDS.buffer);

/** The double that two equal words make. */
function doubleOf(word: number): number {
  SCRATCH_WORDS.fill(word);
  return SCRATCH_DOUBLES[0] as number;
}
