/** The reader and editor of WebAssembly binaries, against modules written by wabt. */
import { expect, test } from "vitest";
import wabt from "wabt";
import {
  countGlobals,
  readExports,
  readFirstGlobal,
  readImports,
  withInitialPages,
  withoutData,
} from "../../../../src/image/wasm/binary.ts";

const TEXT = `(module
  (import "env" "memory" (memory 256 512))
  (import "hal" "fence" (func $fence))
  (import "env" "base" (global i32))
  (global $stack (mut i32) (i32.const 5342832))
  (func $start)
  (start $start)
  (func (export "add") (param i32 f64) (result i32) (i32.const 7))
  (func (export "nothing"))
  (func (export "wide") (param i64) (result f32) (f32.const 1))
  (global (export "limit") i32 (i32.const 9))
  (data (i32.const 64) "hello"))`;

async function binary(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const module = (await wabt()).parseWat("test.wat", text);
  return new Uint8Array(module.toBinary({}).buffer);
}

test("imports are read with their kinds and signatures", async () => {
  expect(readImports(await binary(TEXT))).toEqual([
    { module: "env", name: "memory", kind: "memory", limits: { least: 256, most: 512 } },
    { module: "hal", name: "fence", kind: "function", signature: { params: [], results: [] } },
    { module: "env", name: "base", kind: "global" },
  ]);
});

test("exports are read with their signatures, counted behind imported functions", async () => {
  const exports = readExports(await binary(TEXT));
  expect(exports).toEqual([
    { name: "add", kind: "function", signature: { params: ["i32", "f64"], results: ["i32"] } },
    { name: "nothing", kind: "function", signature: { params: [], results: [] } },
    { name: "wide", kind: "function", signature: { params: ["i64"], results: ["f32"] } },
    { name: "limit", kind: "global" },
  ]);
});

test("the first global is the stack pointer's start", async () => {
  expect(readFirstGlobal(await binary(TEXT))).toBe(5342832);
  expect(readFirstGlobal(await binary("(module (global i32 (i32.const -5)))"))).toBe(-5);
  expect(readFirstGlobal(await binary("(module)"))).toBeUndefined();
  expect(countGlobals(await binary(TEXT))).toBe(2);
});

test("another smallest memory size changes that and nothing else", async () => {
  const before = await binary(TEXT);
  const after = withInitialPages(before, 3);
  const module = new WebAssembly.Module(new Uint8Array(after));
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 512 });
  const base = new WebAssembly.Global({ value: "i32" }, 0);
  const imports = { env: { memory, base }, hal: { fence: () => undefined } };
  const { exports } = new WebAssembly.Instance(module, imports);
  expect((exports.add as (a: number, b: number) => number)(1, 2)).toBe(7);
  expect(readExports(after)).toEqual(readExports(before));
  expect(new TextDecoder().decode(new Uint8Array(memory.buffer, 64, 5))).toBe("hello");
  const small = new WebAssembly.Memory({ initial: 2, maximum: 512 });
  const tooSmall = { ...imports, env: { memory: small, base } };
  expect(() => new WebAssembly.Instance(module, tooSmall)).toThrow(/memory/);
});

test("a module without data and start leaves memory as it is", async () => {
  const module = new WebAssembly.Module(new Uint8Array(withoutData(await binary(TEXT))));
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 512 });
  const base = new WebAssembly.Global({ value: "i32" }, 0);
  new WebAssembly.Instance(module, { env: { memory, base }, hal: { fence: () => undefined } });
  expect(new Uint8Array(memory.buffer, 0, 128).every((byte) => byte === 0)).toBe(true);
});

test("a binary that ends too early is refused", async () => {
  const whole = await binary(TEXT);
  expect(() => readImports(whole.subarray(0, 40))).toThrow(RangeError);
  expect(() => withInitialPages(new Uint8Array(8), 1)).toThrow(/imports nothing/);
});
