/**
 * Finds out what the engine exports no way to reach: where a runtime keeps what the kernel sets or
 * calls.
 */

import { BuildTimeEngine, STACK_MARGIN_BYTES } from "./build-time-engine.ts";
import { type EnginePackage, engineError } from "./engine-package.ts";

/** A number that no function of the engine's table has: to call it is a trap. */
const NO_FUNCTION = 0x7fff_ffff;
/** The two functions stand close together in a runtime. */
const RUNTIME_WORDS = 256;
const NEAR_WORDS = 12;

/** Returns whether evaluating `script` traps when a runtime has NO_FUNCTION at `offset`. */
async function traps(engine: EnginePackage, offset: number, script: string): Promise<boolean> {
  const probe = new BuildTimeEngine(engine);
  await probe.start(STACK_MARGIN_BYTES, () => 0);
  probe.word(probe.runtime + offset, NO_FUNCTION);
  try {
    probe.evaluate(script, "probe.js");
    return false;
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return true;
    throw error;
  }
}

/**
 * Finds where a runtime keeps the function that the engine calls for a rejected promise. The engine
 * exports no way to set it, but one for the interrupt handler, which stands a few words before it.
 * @throws ImageError `engine` when there is no such place.
 */
export async function findRejections(engine: EnginePackage): Promise<number> {
  const first = new BuildTimeEngine(engine);
  await first.start(STACK_MARGIN_BYTES, () => 0);
  const words = () => new Uint32Array(first.memory.buffer, first.runtime, RUNTIME_WORDS).slice();
  const before = words();
  first.call("QTS_RuntimeEnableInterruptHandler", first.runtime);
  const handler = words().findIndex((word, index) => word !== before[index]);
  for (let word = handler + 1; handler >= 0 && word <= handler + NEAR_WORDS; word++) {
    const rejects = await traps(engine, 4 * word, "Promise.reject(1)");
    if (rejects && !(await traps(engine, 4 * word, "Promise.resolve(1)"))) return 4 * word;
  }
  throw runtimeError("no place for a function that is told of rejections");
}

const runtimeError = (seen: string) => engineError("the engine's runtime", seen);

/** The engine collects garbage the first time when so much is allocated. */
const FIRST_THRESHOLD_BYTES = 256 * 1024;
/** A length that no other object has by chance. */
const PROBE_BYTES = 5003;
/** In an ArrayBuffer: its length, its greatest, flags, its bytes, a list, a value, a function. */
const BUFFER = { length: 0, greatest: 1, bytes: 3, opaque: 6, free: 7 } as const;

/** The functions for memory that a runtime starts with, calloc, malloc and realloc among them. */
const ALLOCATIONS = [0, 1, 3] as const;
/** It needs memory in each of these ways. */
const ALLOCATING = "new Uint8Array(9); [1, 2].map(String).join().repeat(99).split('').join('-')";
/** The allocator keeps a block's size before it, with itself and three flags in it. */
const SIZE = { bytes: 4, flags: 7 } as const;
const BLOCKS_BYTES = [1, 100, 5000, 70_000] as const;

/** Rejects unless memory is taken as heap.c of the boot code expects it. */
export async function checkAllocations(engine: EnginePackage): Promise<void> {
  for (const place of ALLOCATIONS) {
    if (await traps(engine, 4 * place, ALLOCATING)) continue;
    throw runtimeError(`no function for memory at ${place}`);
  }
  const probe = new BuildTimeEngine(engine);
  await probe.start(STACK_MARGIN_BYTES, () => 0);
  for (const bytes of BLOCKS_BYTES) {
    const block = probe.call("malloc", bytes);
    const view = new DataView(probe.memory.buffer);
    const usable = (view.getUint32(block - SIZE.bytes, true) & ~SIZE.flags) - SIZE.bytes;
    if (usable < bytes || usable > bytes + 2 * (SIZE.flags + 1)) {
      throw runtimeError(`${usable} bytes in a block of ${bytes}`);
    }
  }
}

/** Finds what the engine exports no way to reach: its garbage collector, and who frees buffers. */
export async function findMemory(
  engine: EnginePackage,
): Promise<{ readonly threshold: number; readonly freeBuffer: number }> {
  const probe = new BuildTimeEngine(engine);
  await probe.start(STACK_MARGIN_BYTES, () => 0);
  const words = () => new Uint32Array(probe.memory.buffer);
  const start = probe.runtime / 4;
  const threshold = words()
    .subarray(start, start + RUNTIME_WORDS)
    .indexOf(FIRST_THRESHOLD_BYTES);
  words()[start + threshold] = 0;
  probe.call("QTS_FreeValuePointer", probe.context, probe.call("QTS_NewObject", probe.context));
  // After a collection it is half as much again as what is allocated.
  if (threshold < 0 || words()[start + threshold] === 0) throw runtimeError("no garbage collector");
  const bytes = probe.call("malloc", PROBE_BYTES);
  probe.call("QTS_NewArrayBuffer", probe.context, bytes, PROBE_BYTES);
  const all = words();
  const buffers = Array.from(all.keys()).filter(
    (at) =>
      all[at + BUFFER.length] === PROBE_BYTES &&
      all[at + BUFFER.greatest] === 0xffff_ffff &&
      all[at + BUFFER.bytes] === bytes &&
      all[at + BUFFER.opaque] === 0,
  );
  const [buffer] = buffers;
  if (buffer === undefined || buffers.length > 1) throw runtimeError("no ArrayBuffer");
  return { threshold: 4 * threshold, freeBuffer: all[buffer + BUFFER.free] ?? 0 };
}
