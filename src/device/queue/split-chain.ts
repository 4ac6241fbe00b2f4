/**
 * Walks a descriptor chain of a split virtqueue. A walk ends after at most as many descriptors as
 * the queue has entries, whatever the driver wrote.
 */

import type { Context } from "../judge/context.ts";
import { DESC, RING } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";

/** A descriptor as the device read it. A type, like `Chain`: snapshots hold plain values. */
export type Descriptor = {
  /** Guest physical address of the descriptor itself. */
  readonly at: number;
  /** Index in the queue's table; -1 for a descriptor of an indirect table. */
  readonly index: number;
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
};

/** The descriptors of one buffer. */
export type Chain = {
  /** Index of the first descriptor; in a packed ring the buffer id. */
  readonly head: number;
  /** The queue's own descriptors and those of indirect tables, in the order of the walk. */
  readonly descriptors: readonly Descriptor[];
  /** The descriptors that describe memory: all but one that points at an indirect table. */
  readonly elements: readonly Descriptor[];
  readonly readableBytes: number;
  readonly writableBytes: number;
  readonly indirect: boolean;
};

/** The descriptor table that a walk starts in. */
export interface Table {
  readonly descAddress: number;
  readonly size: number;
  readonly indirectNegotiated: boolean;
  /** Whether a table that is not the first descriptor is taken for a buffer. */
  readonly onlyFirstIsTable: boolean;
  /** End of the memory that device-writable parts may lie in, if it is beyond what exists. */
  readonly reachBytes: number;
}

/** 2^32: the most bytes that a chain may describe (virtio 1.3, 2.7.5.2). */
const CHAIN_BYTES_MAX = 0x1_0000_0000;

const KNOWN_FLAGS = DESC.next | DESC.write | DESC.indirect;

/** Returns the chain, or the rule that makes it unreadable. Lesser breaches are only recorded. */
export function walkChain(context: Context, table: Table, head: number): Chain | RuleId {
  const { judge } = context;
  const descriptors: Descriptor[] = [];
  const elements: Descriptor[] = [];
  let base = table.descAddress;
  let entries = table.size;
  let inIndirect = false;
  let index = head;
  for (;;) {
    if (elements.length >= table.size) return "R-CHAIN-LENGTH";
    const at = base + index * RING.descBytes;
    const descriptor = readAt(context, at, inIndirect ? -1 : index);
    if (descriptor === undefined) return "R-BUFFER-MEMORY";
    descriptors.push(descriptor);
    if ((descriptor.flags & ~KNOWN_FLAGS) !== 0) {
      judge.breach("R-DESC-FLAGS", `descriptor ${index} has flags ${descriptor.flags}`);
    }
    const isBuffer = table.onlyFirstIsTable && !inIndirect && descriptors.length > 1;
    if ((descriptor.flags & DESC.indirect) !== 0 && !isBuffer) {
      const wrong = judgeIndirect(table, descriptor, inIndirect);
      if (wrong !== undefined) return wrong;
      base = descriptor.address;
      entries = descriptor.length / RING.descBytes;
      inIndirect = true;
      index = 0;
      continue;
    }
    elements.push(descriptor);
    if ((descriptor.flags & DESC.next) === 0) break;
    if (descriptor.next >= entries) return "R-NEXT-RANGE";
    index = descriptor.next;
  }
  return measure(context, table, { head, descriptors, elements, indirect: inIndirect });
}

/** Whether the descriptors in memory are still those of the chain. */
export function unchanged(context: Context, chain: Chain): boolean {
  return chain.descriptors.every((was) => {
    const is = readAt(context, was.at, was.index);
    return sameDescriptor(is, was) && ((was.flags & DESC.next) === 0 || is?.next === was.next);
  });
}

/** Whether all but `next` is what it was. */
export function sameDescriptor(is: Descriptor | undefined, was: Descriptor): boolean {
  return is?.address === was.address && is.length === was.length && is.flags === was.flags;
}

function judgeIndirect(table: Table, descriptor: Descriptor, nested: boolean): RuleId | undefined {
  if (!table.indirectNegotiated) return "R-INDIRECT";
  if (nested) return "R-INDIRECT-NESTED";
  if ((descriptor.flags & DESC.next) !== 0) return "R-INDIRECT-NEXT";
  if (descriptor.length === 0 || descriptor.length % RING.descBytes !== 0) return "R-INDIRECT-SIZE";
  return undefined;
}

function readAt(context: Context, at: number, index: number): Descriptor | undefined {
  const { memory } = context;
  if (!memory.contains(at, RING.descBytes)) return undefined;
  return {
    at,
    index,
    address: memory.read64(at),
    length: memory.read32(at + 8),
    flags: memory.read16(at + 12),
    next: memory.read16(at + 14),
  };
}

/** Adds up a chain's parts and judges their order, sum and place; for both kinds of ring. */
export function measure(
  context: Context,
  { reachBytes }: Pick<Table, "reachBytes">,
  walked: Pick<Chain, "head" | "descriptors" | "elements" | "indirect">,
): Chain | RuleId {
  const { head, elements } = walked;
  let readableBytes = 0;
  let writableBytes = 0;
  for (const element of elements) {
    const writable = (element.flags & DESC.write) !== 0;
    if (!writable && writableBytes > 0) {
      context.judge.breach("R-WRITE-ORDER", `chain ${head}: a readable part after a writable one`);
    }
    if (writable) writableBytes += element.length;
    else readableBytes += element.length;
  }
  if (readableBytes + writableBytes > CHAIN_BYTES_MAX) return "R-CHAIN-BYTES";
  for (const { address, length, flags } of elements) {
    const named = (flags & DESC.write) !== 0 && address + length <= reachBytes;
    if (!named && !context.memory.contains(address, length)) return "R-BUFFER-MEMORY";
  }
  return { ...walked, readableBytes, writableBytes };
}
