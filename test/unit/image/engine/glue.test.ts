/** The generated C: names come from wasm2c's header and the core's exports, never from a list. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import wabt from "wabt";
import {
  coreFunctions,
  coreGlue,
  MACHINE_FUNCTIONS,
  readHeader,
  snapshotSource,
} from "../../../../src/image/engine/glue.ts";
import { ImageError } from "../../../../src/image/errors.ts";

const HEADER = `
struct w2c_env;
extern wasm_rt_memory_t* w2c_env_memory(struct w2c_env*);
typedef struct w2c_core {
  /* import: 'env' 'memory' */
  wasm_rt_memory_t *w2c_env_memory;
} w2c_core;
void wasm2c_core_instantiate(w2c_core*, struct w2c_env*, struct w2c_hal*);
/* import: 'hal' 'fence' */
void w2c_hal_fence(struct w2c_hal*);
/* export: 'half_of' */
f64 w2c_core_half_of(w2c_core*, f64, u32);
/* export: 'a__b' */
void w2c_core_a_0x5Fb(w2c_core*);
`;

const CORE = `(module
  (import "env" "memory" (memory 1))
  (import "hal" "fence" (func))
  (func (export "half_of") (param f64 i32) (result f64) (local.get 0))
  (func (export "a__b")))`;

async function core(text: string): Promise<Uint8Array> {
  return (await wabt()).parseWat("core.wat", text).toBinary({}).buffer;
}

test("C names are read from wasm2c's header", () => {
  const names = readHeader(HEADER);
  expect([...names.exports]).toEqual([
    ["half_of", "w2c_core_half_of"],
    ["a__b", "w2c_core_a_0x5Fb"],
  ]);
  expect([...names.imports]).toEqual([
    ["env.memory", "w2c_env_memory"],
    ["hal.fence", "w2c_hal_fence"],
  ]);
});

test("every export of the core becomes callable, numbered behind the machine's functions", async () => {
  const glue = coreGlue(await core(CORE), HEADER);
  expect(glue).toContain(
    "return js_number(w2c_core_half_of(&core, call_number(call, 0), call_word(call, 1)));",
  );
  expect(glue).toContain("w2c_core_a_0x5Fb(&core);\n  return 0;");
  const table = /callees\[\] = \{([^}]*)\}/
    .exec(glue)?.[1]
    ?.split(",")
    .map((name) => name.trim());
  expect(table).toEqual([
    ...MACHINE_FUNCTIONS.map((name) => `machine_${name}`),
    "core_0",
    "core_1",
  ]);
  expect(glue).toContain("wasm2c_core_instantiate(&core, NULL, NULL);");
});

test("without a ledger in the core the engine does not grow by one", async () => {
  const glue = coreGlue(await core(CORE), HEADER);
  expect(glue).toMatch(/core_ledger_take[^}]*return false;/);
});

test.each([
  ['(func (export "wide") (param i64))', /wide with a value of type i64/],
  ['(func (export "pair") (result i32 i32) (i32.const 1) (i32.const 2))', /several results/],
  ['(import "env" "abort" (func (param i32)))', /an import env.abort/],
])("a core that cannot be carried is refused: %s", async (part, message) => {
  const bytes = await core(`(module ${part})`);
  expect(() => coreFunctions(bytes)).toThrow(ImageError);
  expect(() => coreFunctions(bytes)).toThrow(message);
});

test("the boot code has one function for each of the machine's", () => {
  const texts = ["machine.c", "policy.c", "script.c"].map((name) =>
    readFileSync(new URL(`../../../../runtime/kernel/boot/${name}`, import.meta.url), "utf8"),
  );
  const found = [...texts.join("").matchAll(/^js_t machine_(\w+)\(/gm)];
  expect(found.map(([, name]) => name).sort()).toEqual([...MACHINE_FUNCTIONS].sort());
});

test("the snapshot's source names every frame", () => {
  const source = snapshotSource(
    {
      pages: 90,
      frameNumbers: [0, 7, 300],
      frames: new Uint8Array(3 * 4096),
      deep: 4,
      rejections: 8,
      threshold: 116,
      freeBuffer: 46,
      marks: { resolve: 1, generator: 2, asyncGenerator: 3, arguments: 4 },
      promisedFrames: 9,
      runtime: 1,
      context: 2,
      boot: 3,
      wake: 4,
      scratch: 5,
    },
    "packed.bin",
  );
  expect(source).toContain("snapshot_frame_count:\n  .long 3");
  expect(source).toContain("snapshot_promised:\n  .long 9");
  expect(source).toContain("snapshot_numbers:\n  .long 0\n  .long 7\n  .long 300");
  expect(source).toMatch(/\.balign 4096[\s\S]*snapshot_frames:\n {2}\.skip 12288/);
  expect(source).toMatch(/snapshot_packed:\n {2}\.incbin "packed\.bin"\nsnapshot_packed_end:/);
});
