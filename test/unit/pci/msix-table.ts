/**
 * A function's MSI-X capability and its table, stricter than a real one.
 *
 * An entry may be written only while the function is masked, by 32-bit words, its reserved bits
 * kept.
 */
import type { Width } from "../../../runtime/hal.ts";
import type { FakeFunction } from "./config-space.ts";

const CONTROL_ENABLE = 0x8000;
const CONTROL_FUNCTION_MASK = 0x4000;
/** Vector control after a reset: masked, and reserved bits that are to be kept. */
const CONTROL_RESET = 0xffff_0001;

export class MsixTable {
  readonly words: number[];
  private readonly fake: FakeFunction;
  private readonly capability: number;

  constructor(fake: FakeFunction, capability: number, entries: number) {
    this.fake = fake;
    this.capability = capability;
    this.words = Array.from({ length: 4 * entries }, (_, at) => (at % 4 === 3 ? CONTROL_RESET : 0));
  }

  get control(): number {
    return this.fake.get(this.capability + 2, 2);
  }

  get isEnabled(): boolean {
    return (this.control & CONTROL_ENABLE) !== 0;
  }

  /** Entry by entry: address, data, and whether it is masked. */
  get entries() {
    return Array.from({ length: this.words.length / 4 }, (_, index) => {
      const [low = 0, high = 0, data = 0, control = 0] = this.words.slice(4 * index);
      return { address: high * 2 ** 32 + low, data, masked: (control & 1) === 1 };
    });
  }

  read(offset: number, width: Width): number {
    this.check(offset, width);
    return this.words[offset / 4] ?? 0;
  }

  write(offset: number, width: Width, value: number): void {
    this.check(offset, width);
    const sendsNothing = (this.control & CONTROL_FUNCTION_MASK) !== 0;
    if (!this.isEnabled || !sendsNothing)
      throw new Error("table written while it may be sent from");
    if (offset % 16 === 12 && value >>> 1 !== CONTROL_RESET >>> 1) {
      throw new Error(`reserved bits of a vector control: ${value}`);
    }
    this.words[offset / 4] = value;
  }

  private check(offset: number, width: Width): void {
    if (width !== 4 || offset % 4 !== 0)
      throw new Error(`table accessed with ${width} at ${offset}`);
    if (offset < 0 || offset / 4 >= this.words.length) throw new Error(`no table at ${offset}`);
  }
}

/** Bytes of the capability: so many entries, in this BAR at this offset. */
export function msixCap(entries: number, bar: number, offset: number): number[] {
  const size = entries - 1;
  const table = [0, 8, 16, 24].map((shift) => ((offset | bar) >>> shift) & 0xff);
  return [0x11, 0, size & 0xff, size >>> 8, ...table, 0, 0, 0, 0];
}
