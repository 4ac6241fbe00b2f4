/**
 * Writes the C that ties the compiled modules, the snapshot and the boot code together. The guest
 * can call each function that the core exports. Functions have the numbers that the snapshot was
 * made with.
 */

import { ImageError } from "../errors.ts";
import { PROGRAM_MARK } from "../program/mark.ts";
import { readExports, readImports, type Signature } from "../wasm/binary.ts";
import type { EnginePackage } from "./engine-package.ts";
import type { Snapshot } from "./snapshot.ts";

/** The functions of `globalThis.machine`; runtime/kernel/boot/machine.c has one for each. */
export const MACHINE_FUNCTIONS = [
  "portRead",
  "portWrite",
  "memoryRead",
  "memoryWrite",
  "memoryEnd",
  "now",
  "listen",
  "connect",
  "acpiRoot",
  "messageAddress",
  "waitForInterrupt",
  "serialPorts",
  "serialWrite",
  "serialSend",
  "serialRoom",
  "serialRead",
  "commandLine",
  "commandLineBytes",
  "memoryMap",
  "footprint",
  "growFromLedger",
  "exit",
  "fillFrames",
  "verifyFrames",
  "provoke",
  "evaluate",
  "programSend",
  "programReceive",
  "hasProgram",
  "programFreed",
  "programOffers",
  "programCollect",
  "policyName",
  "policyDecide",
] as const;

/** The core's functions by which the kernel takes frames and gives them back, if it has them. */
const LEDGER_ALLOCATE = "ledger_allocate";
const LEDGER_RUN = "ledger_run";
const LEDGER_RELEASE = "ledger_release";
const LEDGER_COUNT = "ledger_count";

function coreError(seen: string): ImageError {
  return new ImageError({
    code: "core",
    what: "core.wasm",
    seen,
    todo: "export functions of i32 and f64 only; import only env.memory, hal.fence and hal.fill",
  });
}

/** Names as wasm2c wrote them in C. */
interface CNames {
  /** Export -> C function. */
  readonly exports: ReadonlyMap<string, string>;
  /** `module.name` of an import -> C function. */
  readonly imports: ReadonlyMap<string, string>;
}

/** Reads the C names out of the header that wasm2c wrote: it makes them by rules of its own. */
export function readHeader(header: string): CNames {
  const exports = new Map<string, string>();
  const imports = new Map<string, string>();
  for (const [, name, c] of header.matchAll(/export: '([^']*)' \*\/\n\s*\w+ (\w+)\(/g)) {
    if (name && c) exports.set(name, c);
  }
  const pattern = /import: '([^']*)' '([^']*)' \*\/\n\s*\w+ \*?(\w+)[(;]/g;
  for (const [, module, name, c] of header.matchAll(pattern)) {
    if (c) imports.set(`${module}.${name}`, c);
  }
  return { exports, imports };
}

function known(names: ReadonlyMap<string, string>, name: string): string {
  const found = names.get(name);
  if (found !== undefined) return found;
  throw new ImageError({
    code: "convert",
    what: "wasm2c's header",
    seen: `no name for ${name}`,
    todo: "use the version of wabt that this package depends on",
  });
}

/** What the boot code gives to the core, as `module.name`. */
const CORE_IMPORTS = ["env.memory", "hal.fence", "hal.fill"];

/**
 * Returns the core's exported functions by name.
 * @throws ImageError `core` for a function or import that the glue cannot carry.
 */
export function coreFunctions(core: Uint8Array): Map<string, Signature> {
  const found = new Map<string, Signature>();
  for (const { name, signature } of readExports(core)) {
    if (!signature) continue;
    const types = [...signature.params, ...signature.results];
    const odd = types.find((type) => type !== "i32" && type !== "f64");
    if (odd) throw coreError(`${name} with a value of type ${odd}`);
    if (signature.results.length > 1) throw coreError(`${name} with several results`);
    found.set(name, signature);
  }
  for (const entry of readImports(core)) {
    const path = `${entry.module}.${entry.name}`;
    if (!CORE_IMPORTS.includes(path)) throw coreError(`an import ${path}`);
  }
  return found;
}

const HEADER = "/* Written by the image builder. */\n";

/**
 * Returns engine-names.h: the engine's exports and imports under the names that engine.c uses.
 * `header` is the header that wasm2c wrote for the engine.
 */
export function engineNames(engine: EnginePackage, header: string): string {
  const names = readHeader(header);
  const lines = [...engine.exports].map(
    ([meaning, name]) =>
      `#define ${meaning.startsWith("QTS_") ? meaning : `ENGINE_${meaning}`}(...) ` +
      `${known(names.exports, name)}(&engine, ##__VA_ARGS__)`,
  );
  const imported = (name: string) => known(names.imports, `${engine.importModule}.${name}`);
  for (const [meaning, name] of engine.imports) {
    lines.push(`#define ENGINE_IMPORT_${meaning} ${imported(name)}`);
  }
  lines.push(`#define ENGINE_MEMORY ${imported(engine.memoryImport)}`);
  return `${HEADER}${lines.join("\n")}\n`;
}

function coreCall(name: string, index: number, signature: Signature): string {
  const args = signature.params.map((type, at) =>
    type === "f64" ? `call_number(call, ${at})` : `call_word(call, ${at})`,
  );
  const invoke = `${name}(${["&core", ...args].join(", ")})`;
  const body =
    signature.results.length === 0
      ? `  ${invoke};\n  return 0;`
      : `  return js_number(${signature.results[0] === "i32" ? "(int32_t)" : ""}${invoke});`;
  return `static js_t core_${index}(const struct call* call) {\n  (void)call;\n${body}\n}`;
}

function ledgerAccess(names: CNames): string {
  const allocate = names.exports.get(LEDGER_ALLOCATE);
  const run = names.exports.get(LEDGER_RUN);
  const release = names.exports.get(LEDGER_RELEASE);
  const count = names.exports.get(LEDGER_COUNT);
  const body =
    allocate && run
      ? [
          `  *first = ${allocate}(&core, most);`,
          `  *length = ${run}(&core);`,
          "  return *first != 0xffffffff && *length != 0;",
        ]
      : ["  (void)most, (void)first, (void)length;", "  return false;"];
  return [
    "static bool core_ledger_take(uint32_t most, uint32_t* first, uint32_t* length) {",
    ...body,
    "}",
    "static void core_ledger_give(uint32_t first, uint32_t length) {",
    release ? `  ${release}(&core, first, length);` : "  (void)first, (void)length;",
    "}",
    "static uint32_t core_ledger_count(uint32_t state) {",
    count ? `  return ${count}(&core, state);` : "  (void)state;\n  return 0;",
    "}",
    "const struct ledger core_ledger = {core_ledger_take, core_ledger_give, core_ledger_count};",
  ].join("\n");
}

/**
 * Returns core-glue.c: the core's instance and one C function for each of its exports. `header` is
 * the header that wasm2c wrote for the core.
 */
export function coreGlue(core: Uint8Array, header: string): string {
  const functions = [...coreFunctions(core)];
  const names = readHeader(header);
  const hosts = /void wasm2c_core_instantiate\(([^)]*)\)/.exec(header)?.[1]?.split(",").length ?? 1;
  const callees = [
    ...MACHINE_FUNCTIONS.map((name) => `machine_${name}`),
    ...functions.map((_, index) => `core_${index}`),
  ];
  const memory = known(names.imports, "env.memory");
  const fence = names.imports.get("hal.fence");
  const fill = names.imports.get("hal.fill");
  return [
    `${HEADER}#include "core-module.h"`,
    '#include "engine.h"',
    "static w2c_core core;",
    "static wasm_rt_memory_t memory;",
    `wasm_rt_memory_t* ${memory}(struct w2c_env* host) { (void)host; return &memory; }`,
    fence ? `void ${fence}(struct w2c_hal* host) { (void)host; __sync_synchronize(); }` : "",
    fill
      ? `void ${fill}(struct w2c_hal* host, u32 first, u32 length, u32 value) {\n` +
        "  (void)host;\n  frames_fill(first, length, value);\n}"
      : "",
    "void core_start(void) {",
    "  memory.size = core_memory_end();",
    "  memory.pages = memory.max_pages = memory.size / 65536;",
    "  memory.page_size = 65536;",
    `  wasm2c_core_instantiate(&core${", NULL".repeat(hosts - 1)});`,
    "}",
    ledgerAccess(names),
    ...functions.map(([name, signature], index) =>
      coreCall(known(names.exports, name), index, signature),
    ),
    ...MACHINE_FUNCTIONS.map((name) => `js_t machine_${name}(const struct call* call);`),
    `const callee_t callees[] = {\n  ${callees.join(",\n  ")}};`,
    `const char* const callee_names[] = {\n  ${[
      ...MACHINE_FUNCTIONS,
      ...functions.map(([name]) => name),
    ]
      .map((name) => `"${name}"`)
      .join(",\n  ")}};`,
    `const uint32_t callee_count = ${callees.length};`,
    `const uint32_t machine_callees = ${MACHINE_FUNCTIONS.length};`,
    "",
  ].join("\n");
}

/**
 * Returns snapshot.S: the snapshot's frames, packed in the file `packed`, and where things are. The
 * packed frames lie behind the image, in memory that the kernel re-uses once they are unpacked.
 */
export function snapshotSource(snapshot: Snapshot, packed: string): string {
  const word = (name: string, value: number) =>
    `  .globl snapshot_${name}\nsnapshot_${name}:\n  .long ${value}`;
  return [
    `${HEADER}  .section .snapshot, "aw", @nobits`,
    "  .balign 4096",
    "  .globl snapshot_frames",
    `snapshot_frames:\n  .skip ${snapshot.frames.length}`,
    '  .section .packed, "a", @progbits',
    "  .balign 4",
    "  .globl snapshot_packed, snapshot_packed_end",
    `snapshot_packed:\n  .incbin "${packed}"\nsnapshot_packed_end:`,
    // A program and a policy are put at the image's end, and their lengths here.
    '  .section .data, "aw", @progbits',
    `  .balign 4\n  .ascii "${PROGRAM_MARK}"`,
    "  .globl program_bytes, policy_bytes\nprogram_bytes:\n  .long 0\npolicy_bytes:\n  .long 0",
    '  .section .rodata, "a", @progbits',
    "  .balign 4",
    word("pages", snapshot.pages),
    word("deep", snapshot.deep),
    word("runtime", snapshot.runtime),
    word("rejections", snapshot.rejections),
    word("threshold", snapshot.threshold),
    word("free_buffer", snapshot.freeBuffer),
    word("mark_resolve", snapshot.marks.resolve),
    word("mark_generator", snapshot.marks.generator),
    word("mark_async_generator", snapshot.marks.asyncGenerator),
    word("mark_arguments", snapshot.marks.arguments),
    word("context", snapshot.context),
    word("boot", snapshot.boot),
    word("wake", snapshot.wake),
    word("scratch", snapshot.scratch),
    word("promised", snapshot.promisedFrames),
    word("frame_count", snapshot.frameNumbers.length),
    "  .globl snapshot_numbers\nsnapshot_numbers:",
    ...snapshot.frameNumbers.map((number) => `  .long ${number}`),
    "",
  ].join("\n");
}
