/** What is mended in the engine's C. That programs see it, test/boot/guest/heap.test.ts shows. */
import { expect, it } from "vitest";
import { mendEngine } from "../../../../src/image/engine/mend-engine.ts";
import { ImageError } from "../../../../src/image/errors.ts";

const load = (at: number) => `i32_load_default32(instance->w2c_a_a, (u64)(var_i0) + ${at}u)`;
const fastPush = (array: string) => `  var_i0 = ${array};
  var_i0 = ${load(20)};
  var_j0 = i64_load_default32(instance->w2c_a_a, (u64)(var_i0));
  var_l7 = var_j0;
  var_j1 = 4294967295ull;
  var_i0 = var_j0 > var_j1;
  if (var_i0) {goto var_B3;}
`;
const REST = "  var_i0 = var_l6;\n";

it("is the fast push, which then goes the slow way with fewer elements than the length", () => {
  const texts = new Map([
    ["a.c", REST],
    ["b.c", REST + fastPush("var_l5") + REST],
  ]);
  const mended = mendEngine(texts);
  expect(mended.get("a.c")).toBe(REST);
  expect(mended.get("b.c")).toBe(
    `${REST}${fastPush("var_l5")}  var_i0 = var_l5;
  var_i0 = ${load(40)};
  if (var_i0 != (u32)var_l7) {goto var_B3;}
${REST}`,
  );
});

it.each([
  ["in no place", REST, /^.*0 places/],
  ["in two places", fastPush("var_l5") + fastPush("var_l6"), /2 places/],
])("is an error where it seems to be %s", (_, text, seen) => {
  const mend = () => mendEngine(new Map([["a.c", text]]));
  expect(mend).toThrow(ImageError);
  expect(mend).toThrow(seen);
});
