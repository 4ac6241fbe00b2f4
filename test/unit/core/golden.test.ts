/** The imports and exports of core.wasm are those of the golden file, so a change is a decision. */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import {
  hasData,
  readExports,
  readImports,
  type WasmExport,
  type WasmImport,
} from "../../../src/image/wasm/binary.ts";

const GOLDEN = new URL("./exports.golden.txt", import.meta.url);
const BYTES_MAX = 16 * 1024;

const path = createRequire(import.meta.url).resolve("ballonet/core.wasm");
const bytes = new Uint8Array(readFileSync(path));

function typeOf({ kind, signature, limits }: WasmExport & Pick<WasmImport, "limits">): string {
  if (limits !== undefined) return `${kind} ${limits.least}..${limits.most ?? ""}`;
  if (signature === undefined) return kind;
  return `(${signature.params.join(", ")}) -> (${signature.results.join(", ")})`;
}

/** One line each, in the module's order: `hal.fence: () -> ()`. */
const imports = readImports(bytes).map((one) => `${one.module}.${one.name}: ${typeOf(one)}`);
const exportLines = (module: Uint8Array) =>
  readExports(module).map((one) => `${one.name}: ${typeOf(one)}`);
const exports = exportLines(bytes);

const HOW_TO_UPDATE =
  "the core's imports or exports differ from test/unit/core/exports.golden.txt. If that is meant: " +
  "raise ABI_VERSION in assembly/index.ts and CORE_ABI_VERSION in runtime/core/exports.ts, run " +
  "`UPDATE_GOLDEN=1 npx vitest run --project unit test/unit/core/golden.test.ts`, and commit all three";

describe("core.wasm", () => {
  it("imports and exports what the golden file says", () => {
    const seen = [
      ...imports.map((line) => `import ${line}`),
      ...exports.map((line) => `export ${line}`),
    ];
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(GOLDEN, `${seen.join("\n")}\n`);
    const golden = readFileSync(GOLDEN, "utf8").trimEnd().split("\n");
    expect(seen, HOW_TO_UPDATE).toEqual(golden);
  });

  it("has the imports and exports that the engine sees, so the parser can be trusted", () => {
    const module = new WebAssembly.Module(bytes);
    const named = (lines: readonly string[]) => lines.map((line) => line.split(":")[0]);
    expect(named(exports)).toEqual(WebAssembly.Module.exports(module).map(({ name }) => name));
    expect(named(imports)).toEqual(
      WebAssembly.Module.imports(module).map((wanted) => `${wanted.module}.${wanted.name}`),
    );
  });

  it("exports functions only, and no 64-bit integer in any signature", () => {
    expect(exports.length).toBeGreaterThan(20);
    for (const line of exports) expect(line).toMatch(/^\w+: \((?:i32|f64|, )*\) -> \((?:i32)?\)$/);
  });

  it("has no data segment", () => {
    expect(hasData(bytes)).toBe(false);
  });

  it(`is smaller than ${BYTES_MAX} bytes`, () => {
    expect(bytes.length).toBeLessThan(BYTES_MAX);
  });
});

describe("the parser", () => {
  /** One function of type (i64) -> (), exported as "f", and one data segment. */
  const forbidden = new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 5, 1, 0x60, 1, 0x7e, 0],
    ...[3, 2, 1, 0],
    ...[5, 3, 1, 0, 1],
    ...[7, 5, 1, 1, 0x66, 0, 0],
    ...[10, 4, 1, 2, 0, 0x0b],
    ...[11, 7, 1, 0, 0x41, 0, 0x0b, 1, 0],
  ]);

  it("sees what the core must not have", () => {
    expect(WebAssembly.validate(forbidden)).toBe(true);
    expect(readImports(forbidden)).toEqual([]);
    expect(exportLines(forbidden)).toEqual(["f: (i64) -> ()"]);
    expect(hasData(forbidden)).toBe(true);
  });
});
