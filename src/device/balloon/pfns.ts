/** Reads arrays of page numbers out of guest memory. */

import type { GuestMemory } from "../memory/guest-memory.ts";

/** Returns all page numbers in a list of elements. 1 to 3 bytes at an element's end are ignored. */
export function readPfns(
  memory: GuestMemory,
  elements: readonly { readonly address: number; readonly length: number }[],
): Uint32Array {
  const count = elements.reduce((sum, { length }) => sum + Math.floor(length / 4), 0);
  const pfns = new Uint32Array(count);
  let n = 0;
  for (const { address, length } of elements) {
    const whole = Math.floor(length / 4);
    const bytes = memory.bytesAt(address, whole * 4);
    pfns.set(new Uint32Array(bytes.buffer), n);
    n += whole;
  }
  return pfns;
}

/** Whether two arrays of numbers are the same. */
export function arraysEqual<T extends Uint8Array | Uint32Array>(a: T, b: T): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
