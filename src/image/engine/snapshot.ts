/**
 * Evaluates the guest bundle in the engine while the image is built, and keeps the engine's memory.
 *
 * There is no machine yet: a bundle that touches it is refused. The same bundle and the same names
 * give the same bytes on every host and at every time, so the engine sees no clock and no locale.
 */

import { BuildTimeEngine, bundleError, STACK_MARGIN_BYTES } from "./build-time-engine.ts";
import type { EnginePackage } from "./engine-package.ts";
import { findMarks, type Marks } from "./marks.ts";
import { checkAllocations, findMemory, findRejections } from "./probes.ts";

const WASM_PAGE_BYTES = 65536;
const FRAME_BYTES = 4096;
/** Room that the kernel uses for the arguments of its calls. */
const SCRATCH_BYTES = 64;
/** The stack's size in the engine's package. Data lie below the stack, the heap above it. */
const STACK_BYTES = 5 << 20;
/** How far below JavaScript's limit a stack pointer surely is too deep for the engine. */
const DEEPER_BYTES = 4 * 1024;

export interface Snapshot {
  /** Size of the engine's memory in pages of 64 KiB. */
  readonly pages: number;
  /** Numbers of the 4 KiB frames that are not all zero, ascending. */
  readonly frameNumbers: readonly number[];
  /** Their content, one after the other. */
  readonly frames: Uint8Array;
  /** Frames that are all zero but may be written at any time: the kernel keeps memory for them. */
  readonly promisedFrames: number;
  /** A stack pointer that is too deep for JavaScript. */
  readonly deep: number;
  /** Where a runtime keeps the function that is told of rejected promises, from its address on. */
  readonly rejections: number;
  /** Where it keeps how much may be allocated before it collects garbage. */
  readonly threshold: number;
  /** The number of the function that frees an ArrayBuffer's bytes, in the engine's table. */
  readonly freeBuffer: number;
  readonly marks: Marks;
  /** Addresses in the engine's memory. */
  readonly runtime: number;
  readonly context: number;
  readonly boot: number;
  readonly wake: number;
  readonly scratch: number;
}

interface SnapshotOptions {
  readonly engine: EnginePackage;
  /** Scripts that leave an object with functions `boot` and `wake` in the global `guest`. */
  readonly scripts: readonly string[];
  /** Names of the functions of `globalThis.machine`, in the order of their numbers. */
  readonly machineFunctions: readonly string[];
  /** The same for `globalThis.machine.core`. Their numbers follow those of the machine. */
  readonly coreFunctions: readonly string[];
  /** How much of the engine's stack JavaScript may use before it throws a RangeError. */
  readonly scriptStackBytes: number;
}

function nonZeroFrames(bytes: Uint8Array): number[] {
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  const wordsPerFrame = FRAME_BYTES / 8;
  const numbers: number[] = [];
  for (let frame = 0; frame * wordsPerFrame < words.length; frame++) {
    const start = frame * wordsPerFrame;
    if (words.subarray(start, start + wordsPerFrame).some((word) => word !== 0n)) {
      numbers.push(frame);
    }
  }
  return numbers;
}

/**
 * Evaluates the bundle.
 * @throws ImageError `bundle` when it throws, touches the machine, or lacks `boot` or `wake`.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const engine = new BuildTimeEngine(options.engine);
  const names = [...options.machineFunctions, ...options.coreFunctions];
  await engine.start(options.scriptStackBytes, (number) => {
    const message = `machine.${names[number]}() was called before there was a machine`;
    const error = engine.call("QTS_NewError", engine.context);
    engine.set(error, "message", engine.string(message));
    return engine.call("QTS_Throw", engine.context, error);
  });
  const machine = engine.functions(options.machineFunctions, 0);
  const core = engine.functions(options.coreFunctions, options.machineFunctions.length);
  engine.set(machine, "core", core);
  const global = engine.call("QTS_GetGlobalObject", engine.context);
  engine.set(global, "machine", machine);
  for (const script of options.scripts) engine.evaluate(script, "guest.js");

  const guest = engine.get(global, "guest");
  if (engine.typeOf(guest) !== "object") throw bundleError("no global `guest`");
  const [boot, wake] = ["boot", "wake"].map((name) => {
    const value = engine.get(guest, name);
    if (engine.typeOf(value) !== "function") throw bundleError(`no function guest.${name}`);
    return value;
  }) as [number, number];
  const scratch = engine.call("malloc", SCRATCH_BYTES);
  engine.bytes().fill(0, scratch, scratch + SCRATCH_BYTES);

  engine.clearFree();
  engine.dropSources(options.scripts);
  engine.clearFree();
  const bytes = engine.bytes();
  const frameNumbers = nonZeroFrames(bytes);
  const frames = new Uint8Array(frameNumbers.length * FRAME_BYTES);
  frameNumbers.forEach((number, index) => {
    const start = number * FRAME_BYTES;
    frames.set(bytes.subarray(start, start + FRAME_BYTES), index * FRAME_BYTES);
  });
  const pages = bytes.length / WASM_PAGE_BYTES;
  const { stackTop } = options.engine;
  const stackBytes = options.scriptStackBytes + STACK_MARGIN_BYTES;
  const reachableBytes = bytes.length - STACK_BYTES + stackBytes;
  const stackBase = FRAME_BYTES * Math.ceil((stackTop - STACK_BYTES) / FRAME_BYTES);
  const stackRest = FRAME_BYTES * Math.floor((stackTop - stackBytes) / FRAME_BYTES);
  const deep = (number: number) =>
    FRAME_BYTES * number >= stackBase && FRAME_BYTES * number < stackRest;
  const backed = frameNumbers.filter((number) => !deep(number)).length;
  const promisedFrames = Math.ceil(reachableBytes / FRAME_BYTES) + 1 - backed;
  const deepest = stackTop - options.scriptStackBytes - DEEPER_BYTES;
  await checkAllocations(options.engine);
  const { runtime, context } = engine;
  return {
    ...{ pages, frameNumbers, frames, promisedFrames },
    ...{
      deep: deepest,
      rejections: await findRejections(options.engine),
      marks: await findMarks(options.engine),
      ...(await findMemory(options.engine)),
      runtime,
      context,
      boot,
      wake,
      scratch,
    },
  };
}
