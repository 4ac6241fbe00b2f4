/**
 * What the two kinds of virtqueue have in common, as the device sees them.
 *
 * It must not know how either is laid out. Invariant: plain shapes only.
 */

import type { Chain } from "./chain.ts";

export interface RingLayout {
  readonly name: string;
  readonly size: number;
  readonly descAddress: number;
  readonly driverAddress: number;
  readonly deviceAddress: number;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  /** Where the guest's memory ends for ranges that are only named, not read or written. */
  readonly reachBytes: number;
}

/** A chain that the device took, and the trace entry that says so. */
export interface Taken {
  readonly chain: Chain;
  readonly entry: number;
}

/** A piece of guest memory. */
export interface Area {
  readonly address: number;
  readonly bytes: number;
}
