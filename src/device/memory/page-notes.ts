/** A number for each page, in chunks that are made when a page of theirs is noted. */

/** Pages of a chunk. */
const CHUNK_PAGES = 4096;

export class PageNotes {
  private chunks: (Uint32Array | undefined)[] = [];

  /** What was noted last; 0 when nothing was. */
  get(pfn: number): number {
    return this.chunks[Math.floor(pfn / CHUNK_PAGES)]?.[pfn % CHUNK_PAGES] ?? 0;
  }

  set(pfn: number, value: number): void {
    const index = Math.floor(pfn / CHUNK_PAGES);
    const chunk = this.chunks[index] ?? new Uint32Array(CHUNK_PAGES);
    this.chunks[index] = chunk;
    chunk[pfn % CHUNK_PAGES] = value;
  }

  clear(): void {
    this.chunks = [];
  }
}
