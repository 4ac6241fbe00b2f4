/** A small seeded generator (mulberry32), so that every run of a machine can be repeated. */

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** The next unsigned 32-bit number. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Returns a whole number from 0 to `bound` - 1; 0 when the bound is not positive. */
  below(bound: number): number {
    return bound > 0 ? this.next() % bound : 0;
  }

  /** Shuffles a list in place and returns it. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i -= 1) {
      const j = this.below(i + 1);
      const held = list[i] as T;
      list[i] = list[j] as T;
      list[j] = held;
    }
    return list;
  }
}

/**
 * Mixes two numbers into an unsigned 32-bit word for a page's canary. It is never 0, and its top
 * byte is fixed, so that two such words together are never a NaN.
 */
export function mix(a: number, b: number): number {
  let h = (a ^ Math.imul(b, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  return (((h ^ (h >>> 16)) & 0x00ff_ffff) | 0x5a00_0001) >>> 0;
}
