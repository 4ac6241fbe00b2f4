/**
 * Which of the guest's pages the host has, and the garbage that it puts into them.
 *
 *   when the contents are compared          with MUST_TELL_HOST    without it
 *   inflate taken .. inflate returned       D12                    D12
 *   held (deflate taken, or an audit)       D10                    allowed: used first, told later
 *   held, at a check, never told            D10                    D9
 *   deflate taken .. deflate returned       D10                    allowed
 *   after the deflate was returned          allowed                allowed
 *
 * What the guest does to a page between adding it to the queue and the device's taking it is not
 * seen, because only then does the garbage go in. A reset ends the deal: all pages are the guest's.
 *
 * It must not know queues or features. Invariant: a page is in exactly one state, and while the
 * host has it its contents are garbage made from its number, so that a guest that writes to it is
 * found out and a guest that reads it reads nonsense.
 */

import type { CanaryFill } from "./canary-fill.ts";
import { loadChunks, saveChunks } from "./page-set.ts";

/** `guest`: not the host's. `inflating`: taken, not acked. `held`. `deflating`: told, not acked. */
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

/** Pages per piece of the table: pieces come into being when they are needed. */
const CHUNK_PAGES = 4096;

export class PageOwnership {
  private readonly canary: CanaryFill;
  private chunks: (Uint8Array | undefined)[] = [];
  /** Pages in each state, by its code; that of `guest` means nothing. */
  private counts = [0, 0, 0, 0];

  constructor(canary: CanaryFill) {
    this.canary = canary;
  }

  /** How many pages are in a state that is the host's. */
  count(state: Exclude<PageState, "guest">): number {
    return this.counts[CODES[state]] as number;
  }

  /** Pages of the balloon: given and acknowledged, and not given back and acknowledged. */
  get inBalloon(): number {
    return this.count("held") + this.count("deflating");
  }

  state(pfn: number): PageState {
    return STATES[this.code(pfn) & 3] as PageState;
  }

  /** The host takes a page: it becomes `inflating` and, unless spared, canary. */
  take(pfn: number, spare: boolean): void {
    this.move(pfn, "inflating", spare ? SPARED : 0);
    if (!spare) this.canary.fill(pfn);
  }

  /** Moves a page on; what is known about its contents is kept while the host has it. */
  set(pfn: number, state: PageState): void {
    this.move(pfn, state, state === "guest" ? 0 : this.code(pfn) & ~3);
  }

  /**
   * Offset of the first byte that the guest changed in a page of the host's, or -1. A change is
   * reported once; afterwards the page is known as touched.
   */
  newlyTouched(pfn: number): number {
    const code = this.code(pfn);
    if ((code & (TOUCHED | SPARED)) !== 0 || (code & 3) === GUEST) return -1;
    const at = this.canary.firstChange(pfn);
    if (at >= 0) this.write(pfn, code | TOUCHED);
    return at;
  }

  /** The host takes away what is in a page of its own: it is garbage again, and nobody's. */
  discard(pfn: number): void {
    const code = this.code(pfn);
    if ((code & SPARED) !== 0) return;
    this.canary.fill(pfn);
    this.write(pfn, code & ~TOUCHED);
  }

  /** Whether the page was left as it was, because a queue or a buffer lies on it. */
  isSpared(pfn: number): boolean {
    return (this.code(pfn) & SPARED) !== 0;
  }

  isTouched(pfn: number): boolean {
    return (this.code(pfn) & TOUCHED) !== 0;
  }

  /** All pages that are in the given state, ascending. */
  *pages(state: Exclude<PageState, "guest">): Generator<number> {
    const wanted = CODES[state];
    for (const [index, chunk] of this.chunks.entries()) {
      if (chunk === undefined) continue;
      for (let i = 0; i < CHUNK_PAGES; i += 1) {
        if (((chunk[i] as number) & 3) === wanted) yield index * CHUNK_PAGES + i;
      }
    }
  }

  /** All pages are the guest's again, as after a reset. */
  clear(): void {
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
