/**
 * The distances of calls and jumps in x86 code, as places: whoever calls the same function from
 * everywhere then has the same bytes everywhere, which a compressor finds.
 *
 *   E8 or E9 · i32 distance from the next instruction   becomes   E8 or E9 · i32 place
 *
 * Only distances within 16 MiB are rewritten, and only to places within it, modulo 32 MiB. What
 * follows E8 or E9 is never looked at as an instruction, rewritten or not: so each direction sees
 * the other one's instructions, and bytes that are no code come back as they were.
 */

const CALL = 0xe8;
const JUMP = 0xe9;
const BYTES = 5;
/** Places are numbers of 25 bits with a sign. */
const SHIFT = 32 - 25;

/** Rewrites `code` itself: distances to places, as the archive has them. */
export function placesOfCalls(code: Uint8Array): void {
  rewrite(code, 1);
}

/** Rewrites `code` itself: places back to distances. */
export function distancesOfCalls(code: Uint8Array): void {
  rewrite(code, -1);
}

function rewrite(code: Uint8Array, sign: 1 | -1): void {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  for (let at = 0; at + BYTES <= code.length; at++) {
    if (code[at] !== CALL && code[at] !== JUMP) continue;
    const top = code[at + BYTES - 1];
    if (top === 0 || top === 0xff) {
      const moved = view.getInt32(at + 1, true) + sign * (at + BYTES);
      view.setInt32(at + 1, (moved << SHIFT) >> SHIFT, true);
    }
    at += BYTES - 1;
  }
}
