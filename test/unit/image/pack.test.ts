/** Packing the snapshot: what the boot code's unpacking makes of it is what went in. */
import { fc, test as property } from "@fast-check/vitest";
import { expect, test } from "vitest";
import { packWords } from "../../../src/image/pack.ts";

/** As runtime/kernel/boot/engine.c does it. */
function unpack(packed: Uint8Array, bytes: number): Uint8Array {
  const halves = new Uint16Array(packed.slice().buffer);
  const words = new Uint32Array(bytes / 4).fill(0x5555_5555);
  const from = new Uint32Array(packed.slice().buffer);
  let to = 0;
  for (let at = 0; at < from.length; ) {
    const [kept = 0, zeros = 0] = halves.subarray(2 * at, 2 * at + 2);
    words.fill(0, to, to + zeros);
    words.set(from.subarray(at + 1, at + 1 + kept), to + zeros);
    to += zeros + kept;
    at += 1 + kept;
  }
  expect(to).toBe(words.length);
  return new Uint8Array(words.buffer);
}

const RUN = fc.tuple(fc.nat(5), fc.oneof(fc.constant(0), fc.nat(0xffff_ffff)));

property.prop([fc.array(RUN, { maxLength: 60 })])("any words come back", (runs) => {
  const words = runs.flatMap(([length, word]) => new Array<number>(length).fill(word));
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  const packed = packWords(bytes);
  expect(unpack(packed, bytes.length)).toEqual(bytes);
  expect(packed.length).toBeLessThanOrEqual(bytes.length + 4);
});

test.each([
  ["zeros", 0],
  ["others", 7],
])("runs of %s that are longer than a run can say", (_, word) => {
  const words = new Uint32Array(200_000).fill(word);
  words[150_000] = word ^ 1;
  const bytes = new Uint8Array(words.buffer);
  expect(Buffer.compare(unpack(packWords(bytes), bytes.length), bytes)).toBe(0);
});

test("zeros cost nearly nothing", () => {
  expect(packWords(new Uint8Array(4096))).toHaveLength(4);
  expect(packWords(new Uint8Array(0))).toHaveLength(0);
});
