/**
 * Address space for BARs and bridges: windows, and the pieces of them that are taken.
 */
import type { AddressRange } from "../acpi/resources.ts";

/** The address space that a machine has for PCI. A missing member: none of that kind. */
export interface AddressWindows {
  /** Ports. */
  readonly io?: AddressRange;
  /** Memory below 4 GiB. */
  readonly memory?: AddressRange;
  /** Memory for 64-bit BARs on a root bus, used when there is no room below 4 GiB. */
  readonly memoryHigh?: AddressRange;
  /** Memory that is never given, though it may lie in a window: RAM, gaps between windows. */
  readonly closed?: readonly AddressRange[];
}

/** A range that pieces are taken from, upwards; no two pieces overlap. */
export class AddressWindow {
  private readonly range: AddressRange;
  private readonly taken: AddressRange[];
  /** Everything below is handed out or skipped. */
  private cursor: number;

  constructor(range: AddressRange, taken: readonly AddressRange[] = []) {
    this.range = range;
    this.taken = taken.filter(({ start, end }) => start < range.end && end > range.start);
    this.cursor = range.start;
  }

  /** Takes `size` bytes at a multiple of `alignment` and returns their start; undefined: none. */
  take(size: number, alignment: number = size): number | undefined {
    let start = roundUp(this.cursor, alignment);
    for (let blocker = this.blocker(start, size); blocker; blocker = this.blocker(start, size)) {
      start = roundUp(blocker.end, alignment);
    }
    if (start + size > this.range.end) return undefined;
    this.cursor = start + size;
    return start;
  }

  /** Skips to the next multiple and returns it; undefined: that is beyond the end. */
  alignTo(alignment: number): number | undefined {
    return this.take(0, alignment);
  }

  /** Returns the rest up to the next taken piece, in whole multiples; undefined: none is left. */
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
