/**
 * The canary that the host writes into its pages: one word repeated, made from the page's number
 * and a seed. A guest that writes to the page changes it, a guest that reads the page gets no
 * contents of its own, and a guest that uses the page without filling it leaves some of it there.
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

  /** Whether the page gets a canary: it exists, and the machine's option `canary` is not off. */
  covers(pfn: number): boolean {
    return this.on && this.memory.contains(pfn * PAGE_BYTES, PAGE_BYTES);
  }

  fill(pfn: number): void {
    if (this.on) this.memory.fillPage(pfn, mix(pfn, this.seed));
  }

  save() {
    return { seed: this.seed };
  }

  load({ seed }: ReturnType<CanaryFill["save"]>): void {
    this.seed = seed;
  }

  /** Offset of the first byte that is not the canary's; -1 when none is, or the page has none. */
  firstChange(pfn: number): number {
    return this.on ? this.memory.firstDifference(pfn, mix(pfn, this.seed)) : -1;
  }

  /** Offset of the first byte that is still the canary's; -1 when none is left. */
  firstLeft(pfn: number): number {
    return this.covers(pfn) ? this.memory.firstEqual(pfn, mix(pfn, this.seed)) : -1;
  }
}
