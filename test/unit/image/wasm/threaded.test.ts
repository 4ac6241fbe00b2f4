/** How the instructions of the engine's interpreter come one after the other. */
import { expect, it } from "vitest";
import { ImageError } from "../../../../src/image/errors.ts";
import { threadInterpreter } from "../../../../src/image/wasm/threaded.ts";

const PRINTS = `    var_i0 = var_l9;
    var_i0 = i32_load8_u_default32(instance->w2c_a_a, (u64)(var_i0) + 241u);
    var_i1 = 128u;
    var_i0 &= var_i1;
    if (var_i0) {
      var_i0 = var_l9;
      w2c_m_f8(instance, var_i0);
    }
`;
const CONSTANT = "    var_j0 = 2ull;\n    var_l7 = var_j0;\n";
const READ = `    var_i0 = var_p6;
    var_i0 = i32_load8_u_default32(instance->w2c_a_a, (u64)(var_i0));
    var_l20 = var_i0;
`;

function interpreter(cases: number): string {
  const list = Array.from({ length: cases }, (_, at) => `      case ${at}: goto var_B${at % 3};\n`);
  return `void w2c_m_f1(w2c_m* instance, u32 var_p0) {
  FUNC_PROLOGUE;
  var_L28: 
    var_i0 = var_l21;
    var_p6 = var_i0;
${PRINTS}${CONSTANT}${READ}    var_i1 = 1u;
    var_i0 -= var_i1;
    switch (var_i0) {
${list.join("")}      default: goto var_B2;
    }
    var_B0:;
    if (var_i0) {goto var_L28;}
    var_B1:;
    goto var_L28;
    var_B2:;
  FUNC_EPILOGUE;
}
`;
}

const OTHER = "void w2c_m_f2(w2c_m* instance) {\n  FUNC_PROLOGUE;\n  goto var_L28;\n}\n";

it("each goes to the next by its number, with constants set on the way", () => {
  const made = threadInterpreter(new Map([["a.c", OTHER + interpreter(245) + OTHER]]));
  const text = made.get("a.c") ?? "";
  const next = `{
    var_i0 = var_l21;
    var_p6 = var_i0;
    var_i0 = var_l9;
${READ}  goto *var_ways[var_l20]; }`;
  const list = /var_ways\[\] = \{(.*)\};/.exec(text)?.[1]?.split(", ") ?? [];
  expect(list).toHaveLength(256);
  // No case is that of the number 0: it goes where the last numbers go.
  const [zero, first, second, third] = list;
  expect([zero, ...list.slice(246)]).toEqual(Array.from({ length: 11 }, () => third));
  expect(new Set([first, second, third]).size).toBe(3);
  expect(list[243]).toBe(third);
  for (const [target, way] of [first, second, third].entries()) {
    const name = way?.replace("&&", "");
    expect(text).toContain(`${name}:;\n${CONSTANT}goto var_B${target};\n`);
  }
  expect(text).toContain(`var_L28: ${next}\n`);
  expect(text).toContain(`    var_B0:;\n    if (var_i0) {${next}}\n    var_B1:;\n    ${next}\n`);
  expect(text).not.toContain("switch");
  expect(text.split("static const").length).toBe(2);
  expect(text.startsWith(OTHER) && text.endsWith(OTHER)).toBe(true);
});

it.each([
  ["none", OTHER + interpreter(199), /^.*0 loops/],
  ["two", interpreter(245) + interpreter(245), /2 loops/],
])("is an error with %s", (_, text, seen) => {
  const make = () => threadInterpreter(new Map([["a.c", text]]));
  expect(make).toThrow(ImageError);
  expect(make).toThrow(seen);
});
