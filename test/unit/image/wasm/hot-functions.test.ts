/** Which functions of the engine's C are one file, for speed. */
import { describe, expect, it } from "vitest";
import { ImageError } from "../../../../src/image/errors.ts";
import { splitHotFunctions } from "../../../../src/image/wasm/hot-functions.ts";

const PLACE = { file: "hot.c", header: "all.h" };

function fn(name: string, parts: { cases?: number; calls?: readonly string[] } = {}): string {
  const cases = Array.from({ length: parts.cases ?? 0 }, (_, at) => `  case ${at}: break;\n`);
  const calls = (parts.calls ?? []).map((it) => `  ${it}(instance, var_i0);\n`);
  return `u32 ${name}(w2c_m* instance, u32 var_p0) {\n${[...cases, ...calls].join("")}}\n`;
}

const START = '#include "all.h"\n\n';
const LOOP = fn("loop", { cases: 300, calls: ["loop", "near"] });

describe("functions that programs spend their time in", () => {
  it("are the interpreters, and what the largest calls, four calls deep", () => {
    const near = fn("near", { calls: ["far"] });
    const far = fn("far", { calls: ["further"] });
    const further = fn("further", { calls: ["furthest"] });
    const furthest = fn("furthest", { calls: ["beyond"] });
    const beyond = fn("beyond");
    const expressions = fn("expressions", { cases: 30, calls: ["expressions", "aside"] });
    const aside = fn("aside");
    // Many cases without a call of itself are a table.
    const table = fn("table", { cases: 90 });
    const small = fn("small", { cases: 29, calls: ["small"] });
    const texts = new Map([
      ["a.c", [START, beyond, LOOP, aside].join("\n")],
      ["b.c", [START, near, table, far, further, furthest, small, expressions].join("\n")],
      ["all.h", "u32 loop(w2c_m*, u32);\n"],
    ]);
    const split = splitHotFunctions(texts, PLACE);
    const names = (file: string) => [...(split.get(file) ?? "").matchAll(/^u32 (\w+)/gm)];
    expect(names("hot.c").map(([, name]) => name)).toEqual([
      "loop",
      "expressions",
      "near",
      "far",
      "further",
      "furthest",
    ]);
    expect(names("a.c").map(([, name]) => name)).toEqual(["beyond", "aside"]);
    expect(names("b.c").map(([, name]) => name)).toEqual(["table", "small"]);
    expect(split.get("hot.c")).toMatch(/^#include "all\.h"\n/);
    expect(split.get("hot.c")).toContain(LOOP);
    expect(split.get("all.h")).toBe(texts.get("all.h"));
  });

  it("are an error where nothing looks like an interpreter of JavaScript", () => {
    const texts = new Map([["a.c", fn("small", { cases: 199, calls: ["small"] })]]);
    const split = () => splitHotFunctions(texts, PLACE);
    expect(split).toThrow(ImageError);
    expect(split).toThrow(/at most 199 cases in one of 1 functions/);
  });
});
