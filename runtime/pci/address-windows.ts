/**
 * Address space to give away: windows, and the pieces of them that are taken.
 *
 * It must not know who takes a piece. Invariant: no two pieces overlap, and each is a power of two
 * large and aligned to its size, or to more where it is asked for.
 */

/** Addresses from `start` up to, and without, `end`. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

export class Window {
  private readonly range: AddressRange;
  private readonly taken: AddressRange[];
  /** Nothing below is looked at any more: pieces are handed out upwards. */
  private cursor: number;

  constructor(range: AddressRange, taken: readonly AddressRange[] = []) {
    this.range = range;
    this.taken = taken.filter(({ start, end }) => start < range.end && end > range.start);
    this.cursor = range.start;
  }

  /** The start of `size` bytes at a multiple of `alignment`; undefined when there are none left. */
  take(size: number, alignment: number = size): number | undefined {
    let start = roundUp(this.cursor, alignment);
    for (let blocker = this.blocker(start, size); blocker; blocker = this.blocker(start, size)) {
      start = roundUp(blocker.end, alignment);
    }
    if (start + size > this.range.end) return undefined;
    this.cursor = start + size;
    return start;
  }

  /** Moves on to the next multiple, and answers it; undefined beyond the end. */
  alignTo(alignment: number): number | undefined {
    return this.take(0, alignment);
  }

  /** A window over so much of the rest as has nothing taken in it, from a multiple on. */
  rest(alignment: number): AddressRange | undefined {
    const start = this.alignTo(alignment);
    if (start === undefined) return undefined;
    const ends = this.taken.filter((it) => it.end > start).map((it) => it.start);
    const end = Math.min(this.range.end, ...ends);
    const whole = end - (end % alignment);
    return whole > start ? { start, end: whole } : undefined;
  }

  private blocker(start: number, size: number): AddressRange | undefined {
    const end = start + Math.max(size, 1);
    return this.taken.find((it) => it.start < end && it.end > start);
  }
}

function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
