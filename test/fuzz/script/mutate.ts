/** Makes new inputs of known ones: bytes changed, put in, taken out, moved, taken from others. */
import type { Random } from "../../../src/device/sim/random.ts";

export interface MutateOptions {
  readonly random: Random;
  readonly inputBytesMax: number;
  readonly words: readonly Uint8Array[];
  /** Another input, to take a piece from. */
  other(): Uint8Array;
}

const STACKED_MAX = 5;
const PIECE_MAX = 32;
const STEP_MAX = 16;
const EXTREMES: readonly Uint8Array[] = [
  [0],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0xff],
  [0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
].map((bytes) => Uint8Array.from(bytes));

function piece(random: Random, from: Uint8Array): Uint8Array {
  const start = random.below(from.length);
  return from.slice(start, start + 1 + random.below(PIECE_MAX));
}

function spliced(input: Uint8Array, at: number, removed: number, put: Uint8Array): Uint8Array {
  const rest = input.subarray(Math.min(input.length, at + removed));
  const made = new Uint8Array(at + put.length + rest.length);
  made.set(input.subarray(0, at));
  made.set(put, at);
  made.set(rest, at + put.length);
  return made;
}

function mutateOnce(input: Uint8Array, options: MutateOptions): Uint8Array {
  const { random, words, other } = options;
  const at = random.below(input.length + 1);
  const put = (bytes: Uint8Array) => {
    return spliced(input, at, random.below(2) === 0 ? 0 : bytes.length, bytes);
  };
  const changed = (to: (byte: number) => number) => {
    const made = input.slice();
    if (at < made.length) made[at] = to(made[at] as number);
    return made;
  };
  const word = words[random.below(words.length)] ?? Uint8Array.of(random.below(256));
  switch (random.below(10)) {
    case 0:
      return changed((byte) => byte ^ (1 << random.below(8)));
    case 1:
      return changed(() => random.below(256));
    case 2:
      return changed((byte) => byte + 1 + random.below(STEP_MAX));
    case 3:
      return changed((byte) => byte - 1 - random.below(STEP_MAX));
    case 4:
      return spliced(input, at, 1 + random.below(PIECE_MAX), new Uint8Array(0));
    case 5:
      return put(piece(random, input));
    case 6:
      return put(piece(random, other()));
    case 7:
      return put(EXTREMES[random.below(EXTREMES.length)] as Uint8Array);
    case 8: {
      const tail = other();
      return spliced(input, at, input.length, tail.subarray(random.below(tail.length)));
    }
    default:
      return put(word);
  }
}

/** Returns an input that differs from `input`, most often. */
export function mutate(input: Uint8Array, options: MutateOptions): Uint8Array {
  const { random, inputBytesMax } = options;
  let made = input;
  for (let left = 1 << random.below(STACKED_MAX); left > 0; left--) {
    made = mutateOnce(made, options);
  }
  return made.slice(0, inputBytesMax);
}
