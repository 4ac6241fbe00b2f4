/**
 * Reading arrays of page numbers out of guest memory.
 *
 * It must not know what the pages are for. Invariant: only whole 32-bit numbers are read; a rest of
 * less than 4 bytes at the end of an element is left out.
 */

import type { GuestMemory } from "../memory/guest-memory.ts";

/** All page numbers in a list of elements, one after another. */
export function readPfns(
  memory: GuestMemory,
  elements: readonly { readonly address: number; readonly length: number }[],
): Uint32Array {
  const count = elements.reduce((sum, { length }) => sum + Math.floor(length / 4), 0);
  const pfns = new Uint32Array(count);
  let n = 0;
  for (const { address, length } of elements) {
    for (let at = 0; at + 4 <= length; at += 4) {
      pfns[n] = memory.read32(address + at);
      n += 1;
    }
  }
  return pfns;
}

/** Whether two arrays of numbers are the same. */
export function arraysEqual<T extends Uint8Array | Uint32Array>(a: T, b: T): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
