/**
 * What a host leaves in a page that it may do with as it likes.
 *
 * A page's garbage is one word over and over, made from the page's number: a guest that writes to
 * the page is found out, one that reads it reads nonsense, and one that takes it into use without
 * filling it leaves some of it behind.
 *
 * It must not know why a page is the host's. Invariant: equal seeds give equal canary.
 */

import { mix } from "../sim/random.ts";
import { PAGE_BYTES } from "../spec/numbers.ts";
import type { GuestMemory } from "./guest-memory.ts";

export class CanaryFill {
  private readonly memory: GuestMemory;
  private readonly on: boolean;
  private seed: number;

  constructor(memory: GuestMemory, on: boolean, seed: number) {
    this.memory = memory;
    this.on = on;
    this.seed = seed;
  }

  /** Whether the page gets garbage at all: it has to exist, and not to be spared by option. */
  covers(pfn: number): boolean {
    return this.on && this.memory.contains(pfn * PAGE_BYTES, PAGE_BYTES);
  }

  fill(pfn: number): void {
    if (this.covers(pfn)) this.memory.fillPage(pfn, mix(pfn, this.seed));
  }

  save() {
    return { seed: this.seed };
  }

  load({ seed }: ReturnType<CanaryFill["save"]>): void {
    this.seed = seed;
  }

  /** Offset of the first byte that is not garbage any more; -1 when all of it is, or none was. */
  firstChange(pfn: number): number {
    return this.covers(pfn) ? this.memory.firstDifference(pfn, mix(pfn, this.seed)) : -1;
  }

  /** Offset of the first byte that is still garbage; -1 when nothing of it is left. */
  firstLeft(pfn: number): number {
    return this.covers(pfn) ? this.memory.firstEqual(pfn, mix(pfn, this.seed)) : -1;
  }
}
