/** A set of pages: one bit each, in chunks that are made when a page of theirs is added. */

/** Pages of a chunk. */
const CHUNK_PAGES = 4096;

export type PageSetState = ReturnType<PageSet["save"]>;

export class PageSet {
  private chunks: (Uint8Array | undefined)[] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  has(pfn: number): boolean {
    const byte = this.chunks[Math.floor(pfn / CHUNK_PAGES)]?.[(pfn % CHUNK_PAGES) >> 3] ?? 0;
    return (byte & (1 << (pfn & 7))) !== 0;
  }

  /** Adds a page. Returns whether it was not there. */
  add(pfn: number): boolean {
    if (this.has(pfn)) return false;
    const index = Math.floor(pfn / CHUNK_PAGES);
    const chunk = this.chunks[index] ?? new Uint8Array(CHUNK_PAGES / 8);
    this.chunks[index] = chunk;
    const at = (pfn % CHUNK_PAGES) >> 3;
    chunk[at] = (chunk[at] as number) | (1 << (pfn & 7));
    this.count += 1;
    return true;
  }

  /** Removes a page. Returns whether it was there. */
  delete(pfn: number): boolean {
    if (!this.has(pfn)) return false;
    const chunk = this.chunks[Math.floor(pfn / CHUNK_PAGES)] as Uint8Array;
    const at = (pfn % CHUNK_PAGES) >> 3;
    chunk[at] = (chunk[at] as number) & ~(1 << (pfn & 7));
    this.count -= 1;
    return true;
  }

  clear(): void {
    this.chunks = [];
    this.count = 0;
  }

  save() {
    const { chunks, count } = this;
    return { chunks: saveChunks(chunks), count };
  }

  load({ chunks, count }: PageSetState): void {
    this.chunks = loadChunks(chunks);
    this.count = count;
  }

  /** All pages, ascending. A loop may remove the page that it is at. */
  *[Symbol.iterator](): Generator<number> {
    for (const [index, chunk] of this.chunks.entries()) {
      if (chunk === undefined) continue;
      for (const [at, byte] of chunk.entries()) {
        for (let bit = 0; byte >> bit !== 0; bit += 1) {
          if (((byte >> bit) & 1) === 1) yield index * CHUNK_PAGES + at * 8 + bit;
        }
      }
    }
  }
}

/** The pieces of a table that exist, each behind its index, and the table that they make. */
export function saveChunks(chunks: readonly (Uint8Array | undefined)[]) {
  return chunks.flatMap((chunk, index) =>
    chunk === undefined ? [] : [{ index, bytes: [...chunk] }],
  );
}

export function loadChunks(saved: ReturnType<typeof saveChunks>): (Uint8Array | undefined)[] {
  const chunks: (Uint8Array | undefined)[] = [];
  for (const { index, bytes } of saved) chunks[index] = Uint8Array.from(bytes);
  return chunks;
}
