/**
 * Which of the guest's pages the host has. A page is in exactly one state. While the host has it,
 * it holds a canary, so that what the guest does to it shows.
 *
 *   when the contents are compared          with MUST_TELL_HOST    without it
 *   inflate taken .. inflate returned       D12                    D12
 *   held (deflate taken, or an audit)       D10                    allowed: used first, told later
 *   held, at a check, never told            D10                    D9
 *   deflate taken .. deflate returned       D10                    allowed
 *   after the deflate was returned          allowed                allowed
 *
 * The canary goes in when the device takes the buffer. What the guest does to the page between
 * adding it to the queue and that moment is not seen. A reset makes all pages the guest's.
 */

import type { CanaryFill } from "./canary-fill.ts";
import { loadChunks, saveChunks } from "./page-set.ts";

/**
 * Where a page is: with the guest, in an inflate that was taken and not returned, in the balloon,
 * or in a deflate that was taken and not returned.
 */
export type PageState = "guest" | "inflating" | "held" | "deflating";

const GUEST = 0;
const STATES: readonly PageState[] = ["guest", "inflating", "held", "deflating"];
const CODES: Readonly<Record<PageState, number>> = {
  guest: 0,
  inflating: 1,
  held: 2,
  deflating: 3,
};

/** Set on a page whose contents were found changed, so that it is reported once. */
const TOUCHED = 0x80;

/** Set on a page that was not filled, because a queue or a buffer in flight lies on it. */
const SPARED = 0x40;

/** Pages of a chunk of the table; a chunk is made when a page of it changes. */
const CHUNK_PAGES = 4096;

export class PageOwnership {
  private readonly canary: CanaryFill;
  private chunks: (Uint8Array | undefined)[] = [];
  /** Pages in each state, by its code. The entry of `guest` is not a count. */
  private counts = [0, 0, 0, 0];

  constructor(canary: CanaryFill) {
    this.canary = canary;
  }

  /** How many pages are in this state. */
  count(state: Exclude<PageState, "guest">): number {
    return this.counts[CODES[state]] as number;
  }

  /** Pages in the balloon: their inflate was acknowledged and no deflate of them was. */
  get inBalloon(): number {
    return this.count("held") + this.count("deflating");
  }

  state(pfn: number): PageState {
    return STATES[this.code(pfn) & 3] as PageState;
  }

  /** The host takes a page: it becomes `inflating` and, unless spared, gets a canary. */
  take(pfn: number, spare: boolean): void {
    this.move(pfn, "inflating", spare ? SPARED : 0);
    if (!spare) this.canary.fill(pfn);
  }

  /** Moves a page to a state. While the host has it, what is known of its contents is kept. */
  set(pfn: number, state: PageState): void {
    this.move(pfn, state, state === "guest" ? 0 : this.code(pfn) & ~3);
  }

  /**
   * Offset of the first byte that the guest changed in a page that the host has, or -1. A change is
   * reported once; from then on the page counts as touched.
   */
  newlyTouched(pfn: number): number {
    const code = this.code(pfn);
    if ((code & (TOUCHED | SPARED)) !== 0 || (code & 3) === GUEST) return -1;
    const at = this.canary.firstChange(pfn);
    if (at >= 0) this.write(pfn, code | TOUCHED);
    return at;
  }

  /** The host discards a page's contents: it gets a canary again and counts as untouched. */
  discard(pfn: number): void {
    const code = this.code(pfn);
    if ((code & SPARED) !== 0) return;
    this.canary.fill(pfn);
    this.write(pfn, code & ~TOUCHED);
  }

  /** Whether the page kept its contents, because a queue or a buffer in flight lies on it. */
  isSpared(pfn: number): boolean {
    return (this.code(pfn) & SPARED) !== 0;
  }

  isTouched(pfn: number): boolean {
    return (this.code(pfn) & TOUCHED) !== 0;
  }

  /** All pages in the given state, ascending. */
  *pages(state: Exclude<PageState, "guest">): Generator<number> {
    const wanted = CODES[state];
    if (this.counts[wanted] === 0) return;
    for (const [index, chunk] of this.chunks.entries()) {
      if (chunk === undefined) continue;
      for (let i = 0; i < CHUNK_PAGES; i += 1) {
        if (((chunk[i] as number) & 3) === wanted) yield index * CHUNK_PAGES + i;
      }
    }
  }

  /** All pages are the guest's again, as after a reset. */
  reset(): void {
    this.chunks = [];
    this.counts.fill(0);
  }

  save() {
    return { chunks: saveChunks(this.chunks), counts: this.counts };
  }

  load({ chunks, counts }: ReturnType<PageOwnership["save"]>): void {
    this.chunks = loadChunks(chunks);
    this.counts = [...counts];
  }

  private move(pfn: number, state: PageState, marks: number): void {
    const from = this.code(pfn) & 3;
    const to = CODES[state];
    this.counts[from] = (this.counts[from] as number) - 1;
    this.counts[to] = (this.counts[to] as number) + 1;
    this.write(pfn, to | marks);
  }

  private code(pfn: number): number {
    return this.chunks[Math.floor(pfn / CHUNK_PAGES)]?.[pfn % CHUNK_PAGES] ?? GUEST;
  }

  private write(pfn: number, code: number): void {
    const index = Math.floor(pfn / CHUNK_PAGES);
    let chunk = this.chunks[index];
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK_PAGES);
      this.chunks[index] = chunk;
    }
    chunk[pfn % CHUNK_PAGES] = code;
  }
}
