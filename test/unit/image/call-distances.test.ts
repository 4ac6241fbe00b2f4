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

test("any bytes come back as they were", () => {
  const byte = fc.oneof(fc.constantFrom(0xe8, 0xe9, 0, 0xff), fc.integer({ min: 0, max: 255 }));
  const bytes = fc.array(byte, { maxLength: 200 }).map((array) => Uint8Array.from(array));
  fc.assert(
    fc.property(bytes, (before) => {
      const code = before.slice();
      placesOfCalls(code);
      distancesOfCalls(code);
      expect(code).toEqual(before);
    }),
    { numRuns: 2_000 },
  );
});

test("a distance further than a place can be comes back too", () => {
  const before = Uint8Array.of(0xe8, 0xfe, 0xff, 0xff, 0x00, 0xe9, 0x00, 0x00, 0x00, 0xff);
  const code = before.slice();
  placesOfCalls(code);
  distancesOfCalls(code);
  expect(code).toEqual(before);
});
