/** An access to a BAR of the balloon's function, by the BAR and the offset in it. */

import type { BarSpec } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import { ones } from "../virtio/register-block.ts";
import type { PciFunction } from "./pci-function.ts";

interface BarAccess {
  readonly bar: BarSpec;
  readonly offset: number;
  readonly width: number;
  /** `undefined`: it is a read. */
  readonly value?: number | undefined;
}

/** Carries the access out. Returns what it reads: all ones where nothing answers. */
export function accessBar({ judge }: Context, owner: PciFunction, access: BarAccess): number {
  const { bar, offset, width, value } = access;
  const kind = bar.kind === "io" ? "io" : "memory";
  if (!owner.decodes(kind)) {
    const seen = `0x${(owner.barBase(bar) + offset).toString(16)} while ${kind} decoding is off`;
    judge.breach("P-DECODE-OFF", seen);
    return ones(width);
  }
  const region = owner.regions.find(
    (one) => one.bar === bar.index && offset >= one.offset && offset < one.offset + one.bytes,
  );
  if (region === undefined) {
    const seen = `BAR ${bar.index} at 0x${offset.toString(16)}, no structure is there`;
    judge.breach("P-HOLE", seen);
    return ones(width);
  }
  if (value === undefined) return region.read(offset - region.offset, width);
  region.write(offset - region.offset, width, value);
  return 0;
}
