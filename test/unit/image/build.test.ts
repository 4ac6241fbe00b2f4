/** Building: what is missing is told by name, and an abort stops it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import wabt from "wabt";
import { buildImage } from "../../../src/image/build-image.ts";
import { bundleGuest } from "../../../src/image/bundle.ts";
import { findCompiler } from "../../../src/image/compiler.ts";
import { ImageError } from "../../../src/image/errors.ts";
import { adaptC, wasm2c } from "../../../src/image/wasm/wasm2c.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error = await promise.catch((reason: unknown) => reason);
  if (!(error instanceof ImageError)) throw new Error(`rejected with ${String(error)}`);
  return error;
}

test("a machine without a compiler is told which package to install", async () => {
  const error = await failure(findCompiler({ arch: "i386", environment: { PATH: folder } }));
  expect(error.code).toBe("no-compiler");
  expect(error.message).toMatch(/gcc, x86_64-linux-gnu-gcc, clang/);
  expect(error.todo).toMatch(/apt-get install gcc/);
});

test("a chosen compiler that is not there is named", async () => {
  const environment = { PATH: folder, CC: "no-such-cc" };
  const error = await failure(findCompiler({ arch: "x86_64", environment }));
  expect(error.seen).toBe("none of no-such-cc");
});

test("a compiler for another processor is not taken", async () => {
  const path = join(folder, "gcc");
  const script = '#!/bin/sh\n[ "$1" = -dumpmachine ] && echo aarch64-linux-gnu || echo "gcc 12"\n';
  await writeFile(path, script, { mode: 0o755 });
  const environment = { PATH: `${folder}:/bin`, CC: path };
  const error = await failure(findCompiler({ arch: "x86_64", environment }));
  expect(error.code).toBe("no-compiler");
});

test("a core that is not there is told with its path", async () => {
  const coreWasm = join(folder, "missing.wasm");
  const error = await failure(
    buildImage({ arch: "x86_64", coreWasm, cacheDirectory: join(folder, "cache") }),
  );
  expect(error.code).toBe("core");
  expect(error.seen).toContain(coreWasm);
});

test("an aborted build rejects with the signal's reason and leaves nothing half-made", async () => {
  const controller = new AbortController();
  const out = join(folder, "aborted.elf");
  const cacheDirectory = join(folder, "aborted-cache");
  const steps: string[] = [];
  const bundle = "globalThis.guest = { boot() {}, wake() {} };";
  const core = (await wabt()).parseWat("c.wat", '(module (import "env" "memory" (memory 1)))');
  const promise = buildImage({
    arch: "x86_64",
    bundle,
    out,
    coreWasm: core.toBinary({}).buffer,
    cacheDirectory,
    signal: controller.signal,
    onProgress: ({ step }) => {
      steps.push(step);
      if (step.startsWith("compile the engine")) controller.abort(new Error("enough"));
    },
  });
  await expect(promise).rejects.toThrow("enough");
  expect(steps[0]).toBe("find a compiler");
  const left = await readdir(folder);
  expect(left).not.toContain("aborted.elf");
  expect((await readdir(cacheDirectory)).filter((name) => name.includes("partial"))).toEqual([]);
});

/** A module whose one function is a nest of `depth` blocks. */
function nest(depth: number): Uint8Array {
  const leb = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
  const section = (id: number, content: number[]) => [id, ...leb(content.length), ...content];
  const blocks = Array.from({ length: depth }, () => [0x02, 0x40]).flat();
  const body = [0, ...blocks, ...new Array<number>(depth).fill(0x0b), 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

test("wasm2c survives a nest of blocks far deeper than its own stack allows", async () => {
  const input = join(folder, "deep.wasm");
  await writeFile(input, nest(700));
  const output = join(folder, "deep.c");
  await wasm2c({ input, output, name: "deep" });
  expect(await readFile(output, "utf8")).toContain("void w2c_deep_f(");
});

test("a nest too deep for any stack is an error, not the end of the process", async () => {
  const input = join(folder, "deeper.wasm");
  await writeFile(input, nest(30_000));
  const error = await failure(wasm2c({ input, output: join(folder, "deeper.c"), name: "x" }));
  expect(error.code).toBe("convert");
  expect(error.seen).toMatch(/RangeError/);
});

test("wasm2c's refusal is an error with its words", async () => {
  const input = join(folder, "broken.wasm");
  await writeFile(input, "not wasm");
  const error = await failure(wasm2c({ input, output: join(folder, "broken.c"), name: "x" }));
  expect(error.code).toBe("convert");
  expect(error.seen).toMatch(/^exit code 1: .*bad magic value$/s);
});

test("C of an unknown shape is refused, not compiled", () => {
  expect(() => adaptC("int main(void) {}")).toThrow(ImageError);
});

test("a bundle is many scripts that do together what the program does", async () => {
  const entry = join(folder, "many.ts");
  const other = join(folder, "other.ts");
  await writeFile(other, "export const seen: string[] = []; export const name = 'other';");
  await writeFile(
    entry,
    `import { name as theirs, seen } from "./other.ts";
    const early = later(2);
    const name = \`line 1
function notOne() {
  \\\`\${early}\\\`
}
// nor a comment\`;
    class Base { static made = seen.push("Base"); twice = (n: number) => 2 * n; }
    class Derived extends Base { override twice = (n: number) => 3 * n; }
    function later(n: number) { seen.push(theirs); return n + 1; }
    let count = 0;
    export const boot = () => [early, name, seen, new Derived().twice(4), ++count, later.name];
    export function wake() { return count; }`,
  );
  const scripts = await bundleGuest(entry);
  expect(scripts.length).toBeGreaterThan(5);
  const world = createContext({});
  for (const script of scripts) runInContext(script, world);
  const { guest } = world as { guest: { boot(): unknown[]; wake(): number } };
  const text = "line 1\nfunction notOne() {\n  `3`\n}\n// nor a comment";
  expect(JSON.parse(JSON.stringify(guest.boot()))).toEqual([
    3,
    text,
    ["other", "Base"],
    12,
    1,
    "later",
  ]);
  expect(guest.wake()).toBe(1);
});

test("a program without boot and wake does not bundle", async () => {
  const entry = join(folder, "half.ts");
  await writeFile(entry, "export function boot() {}");
  const error = await failure(bundleGuest(entry));
  expect([error.code, error.message]).toEqual(["bundle", expect.stringContaining('"wake"')]);
});

test("a program that does not bundle is told by its file", async () => {
  const entry = join(folder, "bad.ts");
  await writeFile(entry, "import './nowhere.ts'; export const = 1;");
  const error = await failure(bundleGuest(entry));
  expect(error.code).toBe("bundle");
  expect(error.message).toContain(entry);
});
