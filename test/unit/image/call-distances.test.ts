/** Tests of the filter that makes calls compress better: both directions, on any bytes. */

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { distancesOfCalls, placesOfCalls } from "../../../src/image/call-distances.ts";

test("calls of one function from two places have the same bytes as places", () => {
  // Two calls of the function at 100: from 0 (next instruction at 5) and from 10 (next at 15).
  const code = Uint8Array.of(0xe8, 95, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0xe8, 85, 0, 0, 0);
  placesOfCalls(code);
  expect([...code.subarray(0, 5)]).toEqual([0xe8, 100, 0, 0, 0]);
  expect([...code.subarray(10)]).toEqual([0xe8, 100, 0, 0, 0]);
});

test("any bytes come back as they were, wherever they lie", () => {
  const byte = fc.oneof(
    fc.constantFrom(0xe8, 0xe9, 0, 0xff, 0xf8),
    fc.integer({ min: 0, max: 255 }),
  );
  const bytes = fc.array(byte, { maxLength: 200 });
  const offset = fc.constantFrom(0, 0xff, 0x7_6930, 0x12_3456);
  fc.assert(
    fc.property(bytes, offset, (some, start) => {
      const before = new Uint8Array(start + some.length);
      before.set(some, start);
      const code = before.slice();
      placesOfCalls(code);
      distancesOfCalls(code);
      expect(Buffer.compare(code, before)).toBe(0);
    }),
    { numRuns: 1_000 },
  );
});

test("a call behind a byte that looks like one comes back", () => {
  // As place the call's third byte is 0: then the byte before the call looks like one, too.
  const before = new Uint8Array(0x7_6940);
  before.set([0xe8, 0xe8, 0xda, 0xe4, 0xf8, 0xff], 0x7_6930);
  const code = before.slice();
  placesOfCalls(code);
  distancesOfCalls(code);
  expect(Buffer.compare(code, before)).toBe(0);
});

test("a distance further than a place can be comes back too", () => {
  const before = Uint8Array.of(0xe8, 0xfe, 0xff, 0xff, 0x00, 0xe9, 0x00, 0x00, 0x00, 0xff);
  const code = before.slice();
  placesOfCalls(code);
  distancesOfCalls(code);
  expect(code).toEqual(before);
});
