/** Which functions of the engine's C are its allocator's, and so never interrupted for another. */
import { describe, expect, it } from "vitest";
import { ImageError } from "../../../../src/image/errors.ts";
import { placeAllocator } from "../../../../src/image/wasm/allocator.ts";

const PLACE = '__attribute__((noinline, noclone, section(".text.allocator"))) ';

function fn(
  name: string,
  parts: { stores?: readonly number[]; calls?: readonly string[]; rest?: string } = {},
): string {
  const stores = (parts.stores ?? []).map(
    (address) =>
      `  var_i0 = ${address}u;\n  var_i1 = 5u;\n` +
      `  i32_store_default32(instance->w2c_a_a, (u64)(var_i0) + 4, var_i1);\n`,
  );
  const calls = (parts.calls ?? []).map((it) => `  ${it}(instance, var_i0);\n`);
  return `u32 ${name}(w2c_m* instance, u32 var_p0) {\n${[...stores, ...calls, parts.rest ?? ""].join("")}}\n`;
}

const STATE = [1000, 1010, 1020, 1030, 1040];
const MALLOC = fn("malloc", { stores: STATE, calls: ["more"] });
const FREE = fn("free", { stores: [1000, 1020, 1040] });

describe("the allocator's functions", () => {
  it("are those with malloc's state, what malloc calls, and what only passes a call on", () => {
    const realloc = fn("realloc", { stores: [1010, 1020, 1030], calls: ["malloc", "copy"] });
    const more = fn("more", { stores: [2000] });
    const wrapper = fn("wrapper", { calls: ["free"] });
    const others = [
      fn("copy"),
      fn("user", { calls: ["malloc", "copy"] }),
      // Why something failed is at one place for all.
      fn("fails", { stores: [1000, 3000, 3010, 3020] }),
      // An address that is not a constant any more.
      fn("pointer", {
        rest: STATE.map(
          (at) =>
            `  var_i0 = ${at}u;\n  var_i0 += var_i1;\n` +
            "  i32_store_default32(instance->w2c_a_a, (u64)(var_i0) + 4, var_i1);\n",
        ).join(""),
      }),
    ];
    const placed = placeAllocator(
      new Map([
        ["a.c", [MALLOC, ...others].join("\n")],
        ["b.c", [FREE, realloc, more, wrapper].join("\n")],
      ]),
    );
    expect(placed.get("a.c")).toBe([PLACE + MALLOC, ...others].join("\n"));
    expect(placed.get("b.c")).toBe(
      [FREE, realloc, more, wrapper].map((text) => PLACE + text).join("\n"),
    );
  });

  it("are an error where there are too few", () => {
    const place = () => placeAllocator(new Map([["a.c", MALLOC + FREE]]));
    expect(place).toThrow(ImageError);
    // With what malloc calls there would be three.
    expect(place).toThrow(/2 functions that look like its allocator's/);
  });
});
