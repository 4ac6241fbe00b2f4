/**
 * Packs the snapshot's frames for the image: about half of their words are 0, and are left out.
 *
 *   packed   run, run, ..
 *   run      u16 words kept · u16 words that are 0, before them · the words kept
 *
 * The boot code (engine.c) unpacks them.
 */
const WORD_BYTES = 4;
const RUN_WORDS_MAX = 0xffff;
/** Fewer zeros in a row are kept: a new run would cost as much. */
const ZEROS_MIN = 2;

/** Returns `bytes`, which are whole 32-bit words, packed. All numbers are little-endian. */
export function packWords(bytes: Uint8Array): Uint8Array {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength / WORD_BYTES;
  const isZero = (at: number) => words.getUint32(at * WORD_BYTES, true) === 0;
  const zerosFrom = (from: number) => {
    let at = from;
    while (at < end && at - from < RUN_WORDS_MAX && isZero(at)) at++;
    return at - from;
  };
  const packed: Uint8Array[] = [];
  for (let at = 0; at < end; ) {
    const zeros = zerosFrom(at);
    const first = at + zeros;
    at = first;
    while (at < end && at - first < RUN_WORDS_MAX && zerosFrom(at) < ZEROS_MIN) at++;
    const run = Uint16Array.of(at - first, zeros);
    packed.push(new Uint8Array(run.buffer), bytes.subarray(first * WORD_BYTES, at * WORD_BYTES));
  }
  return new Uint8Array(Buffer.concat(packed));
}
