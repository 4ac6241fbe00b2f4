/**
 * Runs wabt's wasm2c inside this process and makes its C fit the kernel's memory layout.
 *
 * The tool's own stack of 64 KiB overflows silently on the deep nest of blocks in an interpreter's
 * main loop, so it gets a larger one.
 */
import * as crypto from "node:crypto";
import * as fs from "node:fs";
import { readFile } from "node:fs/promises";
import * as path from "node:path";
import { packageFile } from "../../peers.ts";
import { ImageError } from "../errors.ts";

/** 128 MiB: the tool's heap grows from below and must never reach the stack above it. */
const STACK_PAGES = 2048;

interface ToolModule {
  tool?: () => Uint8Array<ArrayBuffer>;
  print: (line: string) => void;
  printErr: (line: string) => void;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ) => void;
  postRun: (() => void)[];
}

function exportName(source: string, pattern: RegExp): string {
  const name = pattern.exec(source)?.[1];
  if (name) return name;
  throw new ImageError({
    code: "convert",
    what: "wasm2c",
    seen: `no match for ${pattern.source}`,
    todo: "use the version of wabt that this package depends on",
  });
}

/** Returns the tool's `require`: messages that it writes to descriptors 1 and 2 go to `lines`. */
function requireFor(lines: string[]): (name: string) => unknown {
  const writeSync = (file: number, bytes: Uint8Array, offset = 0, length = bytes.length) => {
    if (file !== 1 && file !== 2) return fs.writeSync(file, bytes, offset, length);
    lines.push(Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).toString());
    return length;
  };
  const modules: Readonly<Record<string, unknown>> = { fs: { ...fs, writeSync }, path, crypto };
  return (name) => modules[name];
}

type Main = (count: number, list: number) => number;

/** Wraps the tool's `main`: nothing would catch its traps, and they would end the process. */
function guarded(main: Main, reject: (error: ImageError) => void): Main {
  return (count, list) => {
    try {
      return main(count, list);
    } catch (error) {
      // The tool exits by this exception, and catches it itself.
      if (error instanceof Error === false && (error as Error).name === "ExitStatus") throw error;
      const seen = String(error);
      const todo = "report the module with which this happens";
      reject(new ImageError({ code: "convert", what: "wasm2c", seen, todo }));
      return 1;
    }
  };
}

/** Moves the tool's stack to the top of memory that was grown for it. */
function enlargeStack(exports: WebAssembly.Exports, memoryName: string, stackName: string): void {
  const memory = exports[memoryName] as WebAssembly.Memory;
  const allocate = exports[stackName] as (bytes: number) => number;
  memory.grow(STACK_PAGES);
  // Allocating a negative size moves the stack pointer up.
  allocate(allocate(0) - memory.buffer.byteLength);
}

/**
 * Converts `input` (a path of a .wasm file) to C. Writes `output` and, beside it, the header of the
 * same name. `name` is the prefix of the C symbols. Rejects with ImageError `convert`.
 */
export async function wasm2c(options: {
  readonly input: string;
  readonly output: string;
  readonly name: string;
  readonly outputs?: number;
}): Promise<void> {
  const file = packageFile("wabt", "bin/wasm2c");
  const source = (await readFile(file, "utf8")).replace(/^#!.*\n/, "");
  const stackName = exportName(source, /__emscripten_stack_alloc=wasmExports\["(\w+)"\]/);
  const memoryName = exportName(source, /wasmMemory=wasmExports\["(\w+)"\]/);
  const mainName = exportName(source, /_main=Module\["_main"\]=wasmExports\["(\w+)"\]/);
  const args = [options.input, "-n", options.name, "-o", options.output];
  if (options.outputs && options.outputs > 1) args.push(`--num-outputs=${options.outputs}`);
  const lines: string[] = [];
  const status = await new Promise<number>((resolve, reject) => {
    const module: ToolModule = {
      print: (line) => lines.push(line),
      printErr: (line) => lines.push(line),
      postRun: [() => resolve(itsProcess.exitCode)],
      instantiateWasm: (imports, done) => {
        WebAssembly.instantiate(module.tool?.() ?? new Uint8Array(), imports).then((made) => {
          const exports = { ...made.instance.exports };
          enlargeStack(exports, memoryName, stackName);
          exports[mainName] = guarded(exports[mainName] as Main, reject);
          done({ exports }, made.module);
        }, reject);
      },
    };
    // The tool is a program: it reads its arguments from `process` and sets its exit code there.
    const { versions, platform, type } = process as NodeJS.Process & { type?: string };
    const itsProcess = {
      versions,
      platform,
      type,
      argv: ["node", "wasm2c", ...args],
      binding: (process as unknown as { binding: (name: string) => unknown }).binding.bind(process),
      exitCode: 0,
    };
    const names = ["Module", "require", "process", "__dirname", "__filename", "module"];
    const run = new Function(...names, `Module.tool = () => findWasmBinary();${source}`);
    run(module, requireFor(lines), itsProcess, path.dirname(file), file, undefined);
  });
  if (status !== 0) {
    throw new ImageError({
      code: "convert",
      what: "wasm2c",
      seen: `exit code ${status}: ${lines.join(" ").trim().slice(0, 500)}`,
      todo: "check that the module is valid WebAssembly",
    });
  }
}

/** What wasm2c writes, and what the kernel's layout needs in its place. */
const PATCHES: readonly (readonly [string, string])[] = [
  // The base of a memory is a constant: an access is one instruction.
  [
    "#define MEM_ADDR(mem, addr, n) &((mem)->data[addr])",
    "#define MEM_ADDR(mem, addr, n) WASM_RT_MEM_ADDR(addr)",
  ],
  // Memory that the kernel maps beyond the engine's own can be copied and filled as well.
  [
    "    if (UNLIKELY(res > (mem)->size))               \\\n",
    "    if (UNLIKELY(res > WASM_RT_MEM_END(mem)))      \\\n",
  ],
  // A load without a use of its result may be left out.
  ["    force_read(result);                                                \\\n", ""],
];

/**
 * Each function that has a frame in linear memory, or looks how deep it is, starts by reading the
 * stack pointer, which is the module's first global.
 */
const STACK_POINTER_READ = /(?<== )instance->w2c_g0(?=;)/g;

/** Returns all that decides what C a module becomes, for the digest that the C is kept under. */
export async function wasm2cRecipe(): Promise<string> {
  const manifest = await readFile(packageFile("wabt", "package.json"), "utf8");
  return JSON.stringify([
    (JSON.parse(manifest) as { version: string }).version,
    PATCHES,
    STACK_POINTER_READ.source,
  ]);
}

/** Adapts the C text. @throws ImageError `convert` when the tool wrote something unknown. */
export function adaptC(text: string): string {
  return PATCHES.reduce((adapted, [from, to]) => {
    if (adapted.includes(from)) return adapted.replace(from, () => to);
    throw new ImageError({
      code: "convert",
      what: "wasm2c's output",
      seen: `no line "${from.trim()}"`,
      todo: "use the version of wabt that this package depends on",
    });
  }, text);
}

/** Returns C in which functions see a full stack of the processor, too (wasm-rt.h). */
export function limitStack(text: string): string {
  return text.replace(STACK_POINTER_READ, "wasm_rt_stack_pointer(instance->w2c_g0)");
}
