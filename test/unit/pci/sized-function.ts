/**
 * A PCI function whose BARs can be sized and moved, stricter than a real one: not while it answers.
 */
import type { Width } from "../../../runtime/hal.ts";
import { FakeFunction } from "./config-space.ts";

export interface FakeBar {
  readonly kind: "io" | "memory" | "memory-64";
  /** A power of two; beyond 4 GiB for 64-bit memory alone. */
  readonly size: number;
}

const TYPE = { io: 1, memory: 0, "memory-64": 4 } as const;

export class SizedFunction extends FakeFunction {
  /** By the index of the register, as that which is fixed in it. */
  private readonly fixed = new Map<number, { readonly mask: number; readonly type: number }>();

  constructor(vendorId: number, deviceId: number, bars: Readonly<Record<number, FakeBar>>) {
    super(vendorId, deviceId);
    for (const [index, { kind, size }] of Object.entries(bars)) {
      const low = size >= 2 ** 32 ? 0 : 2 ** 32 - size;
      const type = TYPE[kind];
      // The upper half of an I/O BAR may be fixed at zero, and here it is.
      this.fixed.set(Number(index), { mask: kind === "io" ? low & 0xffff : low, type });
      if (kind === "memory-64") {
        const mask = size >= 2 ** 32 ? 2 ** 32 - size / 2 ** 32 : 0xffff_ffff;
        this.fixed.set(Number(index) + 1, { mask, type: 0 });
      }
      super.set(0x10 + 4 * Number(index), 4, type);
    }
  }

  override set(offset: number, width: Width, value: number): this {
    const isBridge = (this.get(0x0e, 1) & 0x7f) === 1;
    const end = isBridge ? 0x18 : 0x28;
    if (offset < 0x10 || offset >= end || this.fixed === undefined) {
      return super.set(offset, width, value);
    }
    if (width !== 4) throw new Error(`BAR written with ${width} bytes`);
    if ((this.get(0x04, 2) & 3) !== 0) throw new Error("BAR written while it is decoded");
    const { mask, type } = this.fixed.get((offset - 0x10) / 4) ?? { mask: 0, type: 0 };
    return super.set(offset, 4, ((value & mask) | type) >>> 0);
  }

  /** A bridge that nobody has numbered; its BARs are the first two alone. */
  unnumberedBridge(): this {
    return this.set(0x0e, 1, 1);
  }
}
