/** Lines of JSON as QEMU and the guest speak it. */
import { expect, test } from "vitest";
import { formatJson, parseJson } from "../../../src/vmm/json.ts";

test("integers beyond a number's precision are bigints, others numbers", () => {
  const line =
    '{"a":9007199254740991,"b":9007199254740992,"c":-9223372036854775808,"d":1.5,"e":1e3}';
  expect(parseJson(line)).toEqual({
    a: 9_007_199_254_740_991,
    b: 9_007_199_254_740_992n,
    c: -9_223_372_036_854_775_808n,
    d: 1.5,
    e: 1000,
  });
  expect(formatJson({ a: 2n ** 64n - 1n, b: undefined, c: [1, null] })).toBe(
    '{"a":18446744073709551615,"c":[1,null]}',
  );
});

test.each([
  "",
  "{",
  '{"a":1,"a":2}',
  "01",
  "[1,]",
  `[${"9".repeat(100)}]`,
  "[".repeat(200_000),
  "nul",
])("bad JSON is a SyntaxError: %.20s", (line) => {
  expect(() => parseJson(line)).toThrow(SyntaxError);
});
