/**
 * What the core reads of memory that the device writes: each field once, though the device changes
 * it with every read. The loads are counted in the core itself, by binaryen's instrumentation.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import {
  type CoreExports,
  DEFLATEQ,
  FRAME_STATES,
  INFLATEQ,
  RING_FEATURE,
} from "../../../runtime/core/exports.ts";
import { packageFolder } from "../../../src/package.ts";
import { type Patch, patchedCoreBytes, patchFiles } from "../../support/patched.ts";

const FRAMES = 512;
/** A core is compiled in a second, or in many where the machine is busy. */
const COMPILES = { timeout: 120_000 };
const SIZE = 4;
const ARENA = 4096;
const PFNS = 8;
const { packed, inOrder, eventIndex } = RING_FEATURE;
const SPLIT = "assembly/ring/split.ts";
const PACKED = "assembly/ring/packed.ts";

const built = new Uint8Array(readFileSync(join(packageFolder(), "build/core.wasm")));

function instrumented(bytes: Uint8Array): WebAssembly.Module {
  const module = binaryen.readBinary(bytes);
  module.runPasses(["instrument-memory"]);
  const made = new WebAssembly.Module(new Uint8Array(module.emitBinary()));
  module.dispose();
  return made;
}

/** A core whose loads are seen: `onLoad` is told the address of each, and returns its value. */
class SeenCore {
  readonly core: CoreExports;
  readonly memory = new WebAssembly.Memory({ initial: 2 });
  onLoad: (address: number, value: number) => number = (_address, value) => value;
  private address = 0;

  constructor(module: WebAssembly.Module) {
    const same = (_id: number, value: unknown) => value;
    const pointer = (_id: number, _bytes: number, offset: number, address: number) => {
      this.address = (address >>> 0) + (offset >>> 0);
      return address;
    };
    const env = {
      memory: this.memory,
      memory_grow_pre: same,
      memory_grow_post: same,
      load_ptr: pointer,
      store_ptr: pointer,
      load_val_i32: (_id: number, value: number) => this.onLoad(this.address, value),
      ...{ load_val_i64: same, load_val_f32: same, load_val_f64: same },
      ...{ store_val_i32: same, store_val_i64: same, store_val_f32: same, store_val_f64: same },
    };
    const imports = { env, hal: { fence: () => {}, fill: () => {} } };
    this.core = new WebAssembly.Instance(module, imports).exports as unknown as CoreExports;
  }

  open(features: number): void {
    const { core } = this;
    core.arena_open(ARENA, FRAMES, SIZE, SIZE, PFNS);
    core.ledger_add(1, FRAMES - 1);
    for (const queue of [INFLATEQ, DEFLATEQ]) core.queue_open(queue, SIZE, features, 4);
  }

  /** Where the device writes: its own area, or the descriptors of a packed ring. */
  deviceArea(features: number): { start: number; end: number } {
    const { core } = this;
    const isPacked = (features & packed) !== 0;
    const area = isPacked ? core.queue_descriptor_area : core.queue_device_area;
    const start = area(INFLATEQ) >>> 0;
    return { start, end: start + (isPacked ? 16 * SIZE : 6 + 8 * SIZE) };
  }

  /** The device returns `count` buffers, in order. */
  complete(features: number, count: number): void {
    const view = new DataView(this.memory.buffer);
    const { start } = this.deviceArea(features);
    for (let at = 0; at < count; at++) {
      if ((features & packed) !== 0) view.setUint16(start + 16 * at + 14, 0x8080, true);
      else view.setUint32(start + 4 + 8 * at, at, true);
    }
    if ((features & packed) === 0) view.setUint16(start + 2, count, true);
  }
}

/** How often each place of the device's area was read while three buffers were settled. */
function readsOf(module: WebAssembly.Module, features: number): Map<number, number> {
  const seen = new SeenCore(module);
  seen.open(features);
  seen.core.balloon_inflate(3 * PFNS);
  seen.core.queue_publish(INFLATEQ);
  seen.complete(features, 3);
  const { start, end } = seen.deviceArea(features);
  const reads = new Map<number, number>();
  seen.onLoad = (address, value) => {
    if (address >= start && address < end) {
      reads.set(address - start, (reads.get(address - start) ?? 0) + 1);
    }
    return value;
  };
  expect(seen.core.balloon_settle(INFLATEQ)).toBe(3 * PFNS);
  return reads;
}

const IDX = 2;
/** Of a split ring: `idx` once for three buffers, and once to see that no more came. */
const SPLIT_READS = new Map([
  [IDX, 2],
  [4, 1],
  [12, 1],
  [20, 1],
]);
/** Of a packed ring: flags and id of each, and the next flags, to see that no more came. */
const PACKED_READS = new Map([
  [14, 1],
  [12, 1],
  [16 + 14, 1],
  [16 + 12, 1],
  [32 + 14, 1],
  [32 + 12, 1],
  [48 + 14, 1],
]);

const sorted = (reads: ReadonlyMap<number, number>) => [...reads].sort(([a], [b]) => a - b);

describe("each field that a device writes is read once", () => {
  const module = instrumented(built);

  it("of a split ring, and no length at all", () => {
    expect(sorted(readsOf(module, 0))).toEqual(sorted(SPLIT_READS));
  });

  it("of a packed ring", () => {
    expect(sorted(readsOf(module, packed))).toEqual(sorted(PACKED_READS));
  });

  const MISTAKES: readonly (readonly [string, number, Patch])[] = [
    [
      "reads used.idx again after it was checked",
      0,
      {
        file: SPLIT,
        find: "ring.backUntaken = <u16>back;",
        replace: "ring.backUntaken = load<u16>(ring.devicePtr, 2) - ring.takenIndex;",
      },
    ],
    [
      "reads an id again after it was checked",
      0,
      {
        file: SPLIT,
        find: "return id < ring.ids ? <i32>id : FAULT_ID;",
        replace: "if (id >= ring.ids) return FAULT_ID;\n fence();\n return load<i32>(entry, 4);",
      },
    ],
    [
      "reads the id of a packed ring again",
      packed,
      {
        file: PACKED,
        find: "return id < ring.ids ? <i32>id : FAULT_ID;",
        replace:
          "if (id >= ring.ids) return FAULT_ID;\n fence();\n" +
          "return <i32>load<u16>(descriptorAt(ring, ring.takenPlace), 12);",
      },
    ],
  ];
  it.each(MISTAKES)("or it shows that a core %s", COMPILES, async (_what, features, patch) => {
    const bytes = await patchedCoreBytes(patchFiles([patch]));
    const reads = readsOf(instrumented(bytes as Uint8Array), features);
    const wanted = features === 0 ? SPLIT_READS : PACKED_READS;
    expect(sorted(reads)).not.toEqual(sorted(wanted));
  });

  it.each([0, packed, inOrder, packed | inOrder, eventIndex, packed | eventIndex])(
    "so a device that changes memory between two reads breaks nothing (features %i)",
    (features) => {
      let random = 1;
      const next = () => {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
        return random >>> 16;
      };
      const seen = new SeenCore(module);
      for (let round = 0; round < 300; round++) {
        seen.onLoad = (_address, value) => value;
        seen.open(features);
        const { start, end } = seen.deviceArea(features);
        seen.onLoad = (address, value) => {
          const isForeign = address >= start && address < end;
          return isForeign && next() % 4 === 0 ? next() % 8 : value;
        };
        for (let step = 0; step < 8; step++) {
          seen.core.balloon_inflate(next() % 64);
          seen.core.queue_publish(INFLATEQ);
          seen.complete(features, next() % SIZE);
          seen.core.queue_arm(INFLATEQ, 0);
          if (seen.core.balloon_settle(INFLATEQ) < 0) break;
        }
        const counts = FRAME_STATES.map((_, state) => seen.core.ledger_count(state));
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(FRAMES);
      }
    },
  );
});
