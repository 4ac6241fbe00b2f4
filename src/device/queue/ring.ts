/** What split and packed virtqueues have in common, as the device sees them. */

import type { Context } from "../judge/context.ts";
import type { Lapses } from "../spec/lapses.ts";
import { PACKED, RING } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import type { Chain } from "./split-chain.ts";

/** Where a ring lies, and which features it was made with. */
export interface RingLayout {
  readonly name: string;
  readonly size: number;
  readonly descAddress: number;
  readonly driverAddress: number;
  readonly deviceAddress: number;
  /** Split rings alone have it. */
  readonly notifyOnEmpty: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
  /** The fault `used-flags-stray` is armed. */
  readonly strayFlags: boolean;
  readonly lapses: Pick<Lapses, "onlyFirstIsTable" | "firstUseInterrupts" | "neverNeedsReset">;
  /** End of the guest's memory for ranges that are named, and not read or written. */
  readonly reachBytes: number;
}

/** A chain that the device took. */
export interface Taken {
  /** Names it in a snapshot: the queue's name, and how many chains the ring had taken with it. */
  readonly id: string;
  readonly chain: Chain;
  /** The number of the trace entry of the take. */
  readonly entry: number;
}

/** Every chain that rings know, by its id: what the states of other parts refer to. */
export type Chains = ReadonlyMap<string, Taken>;

/** What both kinds of ring save. The ids in `inFlight` are of `chains`, which may have more. */
export type RingState = {
  readonly chains: readonly { readonly id: string; readonly chain: Chain }[];
  readonly inFlight: readonly string[];
  readonly broken: RuleId | undefined;
  readonly takes: number;
};

/** A piece of guest memory. */
export interface Area {
  readonly address: number;
  readonly bytes: number;
}

/** The faults that a ring carries out when it returns a buffer; see the table of faults. */
export const RING_FAULTS = [
  "used-id-out-of-range",
  "used-id-not-in-flight",
  "used-idx-back",
  "used-id-twice",
  "used-idx-jump",
  "used-unseen",
] as const;

export type RingFault = (typeof RING_FAULTS)[number];

/** The device's side of one virtqueue of either kind. */
export interface Ring {
  readonly layout: RingLayout;
  /** Buffers taken and not returned, by head or by buffer id. */
  readonly inFlight: ReadonlyMap<number, Taken>;
  /** The rule that made the ring unreadable; the device then asks to be reset. */
  readonly broken: RuleId | undefined;
  /** How many buffers the driver has made available and the device has not taken. */
  readonly waiting: number;
  /** Whether the driver owes a notification for the buffers that wait. */
  readonly kickOwed: boolean;
  /** Where the next used entry goes, for the trace. */
  readonly used: number;
  /** The upper half of a notification with data: next_off and next_wrap (virtio 1.3, 2.9). */
  readonly notifyOffset: number;
  /** Everything but its layout. */
  save(): RingState;
  /** Goes on with the state of a ring of its own kind. Returns the chains in it. */
  load(state: RingState): Chains;
  /** The three areas of the queue. */
  areas(): readonly Area[];
  /** Asks the driver for notifications, or for none until the next call. */
  allowKicks(allow: boolean): void;
  /** Takes everything that is available; stops at the first buffer that cannot be read. */
  take(): Taken[];
  /**
   * Returns buffers: one used entry for each or, with IN_ORDER, one for all of them. The driver
   * sees a split ring's entries after `publish`.
   */
  push(done: readonly Returned[]): void;
  /** Returns a buffer, or pretends to, as the fault has it. */
  pushFaulty(fault: RingFault, one: Returned): void;
  /** Makes the used entries visible. Returns whether the driver wants an interrupt for them. */
  publish(): boolean;
  /** Judges everything that the driver must not change: the device area, descriptors in flight. */
  audit(): void;
  /** Judges that the device area is as the device left it. */
  judgeOwnArea(): void;
  /** Judges that a chain's descriptors are as they were when they were taken. */
  judgeUnchanged(taken: Taken): void;
}

/** A buffer to return, and its used length in bytes. */
export interface Returned {
  readonly taken: Taken;
  readonly length: number;
}

/** Alignment and bytes of the descriptor area, the driver area and the device area. */
export function partsOf(
  packed: boolean,
  size: number,
): readonly { readonly align: number; readonly bytes: number }[] {
  if (packed) {
    const event = { align: PACKED.eventAlign, bytes: PACKED.eventBytes };
    return [{ align: PACKED.descAlign, bytes: size * PACKED.descBytes }, event, event];
  }
  const around = RING.headerBytes + RING.eventBytes;
  return [
    { align: RING.descAlign, bytes: size * RING.descBytes },
    { align: RING.driverAlign, bytes: around + size * RING.driverBytes },
    { align: RING.deviceAlign, bytes: around + size * RING.deviceBytes },
  ];
}

/** The three areas of a queue in guest memory. */
export function areasOf(packed: boolean, layout: RingLayout): readonly Area[] {
  const { descAddress, driverAddress, deviceAddress } = layout;
  const addresses = [descAddress, driverAddress, deviceAddress];
  const parts = partsOf(packed, layout.size);
  return parts.map(({ bytes }, n) => ({ address: addresses[n] as number, bytes }));
}

/** The chains of a ring that was saved, each with a new trace entry. */
export function loadChains(
  { trace }: Context,
  { name }: RingLayout,
  chains: RingState["chains"],
): Map<string, Taken> {
  const loaded = chains.map(({ id, chain }): [string, Taken] => {
    const entry = trace.add("queue", `${name} has from before`, { head: chain.head });
    return [id, { id, chain, entry }];
  });
  return new Map(loaded);
}

/** The chains with these ids. Ids that no ring knows are left out. */
export function chainsOf(chains: Chains, ids: readonly string[]): Taken[] {
  return ids.flatMap((id) => chains.get(id) ?? []);
}

/** Chains as `Ring.inFlight` has them. */
export function byHead(taken: readonly Taken[]): Map<number, Taken> {
  return new Map(taken.map((one) => [one.chain.head, one]));
}
