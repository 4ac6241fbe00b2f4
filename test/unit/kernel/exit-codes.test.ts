/**
 * The codes with which a guest ends its machine, against the boot code's own list.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EXIT, STOP } from "../../../runtime/kernel/exit-codes.ts";

const HEADER = new URL("../../../runtime/kernel/boot/kernel.h", import.meta.url);

/** WASM_TRAP -> wasmTrap. */
function camelCase(name: string): string {
  return name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

it("knows the stop codes that the boot code defines, by the same names", () => {
  const text = readFileSync(HEADER, "utf8");
  const found = [...text.matchAll(/\bSTOP_(\w+) = (0x[0-9a-f]+)/g)];
  expect(found.length).toBeGreaterThan(0);
  const defined = found.map(([, name = "", code]) => [camelCase(name), Number(code)]);
  expect(STOP).toEqual(Object.fromEntries(defined));
});

it("gives every end a code of its own, of one byte", () => {
  const codes = [...Object.values(EXIT), ...Object.values(STOP)];
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.filter((code) => code < 0 || code > 0x7f)).toEqual([]);
});
