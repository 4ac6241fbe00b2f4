/**
 * Walks a list of descriptors of a packed virtqueue (virtio 1.3, 2.8.6 and 2.8.7). A walk ends
 * after at most as many descriptors as the queue has entries, whatever the driver wrote.
 */

import type { Context } from "../judge/context.ts";
import { DESC, PACKED } from "../spec/numbers.ts";
import type { RuleId } from "../spec/rules.ts";
import { type Chain, type Descriptor, measure, sameDescriptor } from "./split-chain.ts";

/** Where a list starts, and which descriptors it may use. */
export interface PackedTable {
  readonly descAddress: number;
  readonly size: number;
  readonly indirectNegotiated: boolean;
  readonly reachBytes: number;
  /** Index of the first descriptor. */
  readonly start: number;
  /** Descriptors that are not in flight. */
  readonly room: number;
  /** Whether the n-th descriptor from `start` on is marked available. */
  available(n: number): boolean;
}

const KNOWN_FLAGS = DESC.next | DESC.write | DESC.indirect | PACKED.avail | PACKED.used;

/**
 * Returns the list, or the rule that makes it unreadable. Lesser breaches are only recorded. The
 * `head` of the result is the buffer id, which stands in the last descriptor.
 */
export function walkPacked(context: Context, table: PackedTable): Chain | RuleId {
  const { judge } = context;
  const descriptors: Descriptor[] = [];
  let last: Descriptor | undefined;
  do {
    const n = descriptors.length;
    if (n >= table.size) return "R-CHAIN-LENGTH";
    if (n >= table.room) return "R-AVAIL-JUMP";
    if (!table.available(n)) return "R-PACKED-PARTIAL";
    last = readPacked(context, table.descAddress, (table.start + n) % table.size);
    if (last === undefined) return "R-BUFFER-MEMORY";
    descriptors.push(last);
    if ((last.flags & ~KNOWN_FLAGS) !== 0) {
      judge.breach("R-DESC-FLAGS", `descriptor ${last.index} has flags ${last.flags}`);
    }
    if ((last.flags & DESC.indirect) === 0) continue;
    if (!table.indirectNegotiated) return "R-INDIRECT";
    if (n > 0 || (last.flags & DESC.next) !== 0) return "R-INDIRECT-NEXT";
  } while ((last.flags & DESC.next) !== 0);
  const indirect = (last.flags & DESC.indirect) !== 0;
  const elements = indirect ? readTable(context, table, last) : descriptors;
  if (typeof elements === "string") return elements;
  const all = indirect ? [last, ...elements] : descriptors;
  return measure(context, table, { head: last.next, descriptors: all, elements, indirect });
}

/** Reads a descriptor. `next` holds the buffer id; `index` is -1 inside an indirect table. */
export function readPacked(
  context: Context,
  base: number,
  slot: number,
  index = slot,
): Descriptor | undefined {
  const { memory } = context;
  const at = base + slot * PACKED.descBytes;
  if (!memory.contains(at, PACKED.descBytes)) return undefined;
  return {
    at,
    index,
    address: memory.read64(at),
    length: memory.read32(at + 8),
    next: memory.read16(at + 12),
    flags: memory.read16(at + 14),
  };
}

/** Whether a descriptor in memory is still what it was. */
export function samePacked(context: Context, was: Descriptor): boolean {
  const is = readPacked(context, was.at, 0, was.index);
  return sameDescriptor(is, was) && is?.next === was.next;
}

function readTable(context: Context, table: PackedTable, from: Descriptor): Descriptor[] | RuleId {
  const { judge, memory } = context;
  const count = from.length / PACKED.descBytes;
  if (count === 0 || !Number.isInteger(count)) return "R-INDIRECT-SIZE";
  if (count > table.size) return "R-CHAIN-LENGTH";
  if (!memory.contains(from.address, from.length)) return "R-BUFFER-MEMORY";
  const found: Descriptor[] = [];
  for (let slot = 0; slot < count; slot += 1) {
    const one = readPacked(context, from.address, slot, -1);
    if (one === undefined) return "R-BUFFER-MEMORY";
    if ((one.flags & ~DESC.write) !== 0) {
      judge.breach("R-PACKED-INDIRECT-FLAGS", `entry ${slot} of a table has flags ${one.flags}`);
    }
    // All other flags are reserved there, and the device ignores them (virtio 1.3, 2.8.7).
    found.push(one);
  }
  return found;
}
