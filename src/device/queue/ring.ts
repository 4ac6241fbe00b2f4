/**
 * What the two kinds of virtqueue have in common, as the device sees them.
 *
 * It must not know how either is laid out, except how large its three parts are. Invariant: whoever
 * works with a `Ring` works with both kinds.
 */

import type { Context } from "../judge/context.ts";
import { PACKED, RING } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import type { Chain } from "./split-chain.ts";

export interface RingLayout {
  readonly name: string;
  readonly size: number;
  readonly descAddress: number;
  readonly driverAddress: number;
  readonly deviceAddress: number;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
  /** Whether a used ring's flags say what they must not (see faults.ts). */
  readonly strayFlags: boolean;
  /** Where the guest's memory ends for ranges that are only named, not read or written. */
  readonly reachBytes: number;
}

/** A chain that the device took. */
export interface Taken {
  /** Names it in a snapshot: the queue's name, and how many chains the ring had taken with it. */
  readonly id: string;
  readonly chain: Chain;
  /** The trace entry that says so. */
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

/** Ways for a device to lie about what it has used; faults.ts says what each does. */
export const RING_FAULTS = [
  "used-id-out-of-range",
  "used-id-not-in-flight",
  "used-idx-back",
  "used-id-twice",
  "used-idx-jump",
  "used-unseen",
] as const;

export type RingFault = (typeof RING_FAULTS)[number];

export interface Ring {
  readonly layout: RingLayout;
  /** Buffers taken and not returned, by head or by buffer id. */
  readonly inFlight: ReadonlyMap<number, Taken>;
  /** The rule that made the ring unreadable; the device then asks to be reset. */
  readonly broken: RuleId | undefined;
  /** How many buffers the driver has made available and the device has not taken. */
  readonly waiting: number;
  /** Whether the driver owes a notification for what waits. */
  readonly kickOwed: boolean;
  /** Where the next used entry goes, for the trace. */
  readonly used: number;
  /** What a notification with data carries in its upper half: next_off and next_wrap (2.9). */
  readonly notifyOffset: number;
  /** All that it remembers besides its layout. */
  save(): RingState;
  /** Goes on with the state of a ring of its own kind. Returns the chains in it. */
  load(state: RingState): Chains;
  /** The memory that the queue itself takes. */
  areas(): readonly Area[];
  /** Asks for notifications, or for none until further notice. */
  allowKicks(allow: boolean): void;
  /** Takes everything that is available; stops at the first buffer that cannot be read. */
  take(): Taken[];
  /**
   * Returns buffers: one used entry each or, when the device uses them in order, one for all of
   * them. The driver sees it after `publish`.
   */
  push(done: readonly Returned[]): void;
  /** Returns a buffer, or pretends to, in a way that no device may. */
  lie(lie: RingFault, one: Returned): void;
  /** Makes the used entries visible. Returns whether the driver wants an interrupt for them. */
  publish(): boolean;
  /** Judges what the driver must leave alone: the device area and the descriptors in flight. */
  audit(): void;
  /** Judges that the device area is as the device left it. */
  judgeOwnArea(): void;
  /** Judges that a chain's descriptors are as they were when they were taken. */
  judgeUnchanged(taken: Taken): void;
}

/** A buffer to return, and what its used length says. */
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

/** The memory that a queue itself takes. */
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
  { chains }: RingState,
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
