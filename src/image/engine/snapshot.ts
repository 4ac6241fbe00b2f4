/**
 * Evaluates the guest bundle in the engine while the image is built, and keeps the engine's memory.
 *
 * There is no machine yet: a bundle that touches it is refused. The same bundle and the same names
 * give the same bytes on every host and at every time, so the engine sees no clock and no locale.
 */

import { ImageError } from "../errors.ts";
import type { EngineImport, EnginePackage } from "./engine-package.ts";

const WASM_PAGE_BYTES = 65536;
const FRAME_BYTES = 4096;
/** The engine's own limit: 32768 pages are 2 GiB. */
const ENGINE_PAGES_MAX = 32768;
/** Room that the kernel uses for the arguments of its calls. */
const SCRATCH_BYTES = 64;
const ERRNO_SPIPE = 70;
/** Sizes of the free blocks that are cleared, largest first. */
const LARGEST_BLOCK_BYTES = 1 << 20;
const SMALLEST_BLOCK_BYTES = 16;
/** In the description of a function: how far before its text's address the text's length stands. */
const SOURCE_LENGTH_BYTES = 12;
/** Shorter texts stay: a text as short could be something else's. */
const SHORTEST_SOURCE_BYTES = 16;
/** The stack's size in the engine's package. Data lie below the stack, the heap above it. */
const STACK_BYTES = 5 << 20;
/** How much of the stack evaluating the bundle may have used, from its top. */
const USED_STACK_BYTES = 1 << 20;
/** How much stack the engine's own functions use beyond JavaScript's limit. */
const STACK_MARGIN_BYTES = 64 * 1024;
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

type EngineFunction = (...args: number[]) => number;

function bundleError(seen: string): ImageError {
  return new ImageError({
    code: "bundle",
    what: "guest bundle",
    seen,
    todo: "export boot() and wake(), and do not touch the machine before boot() is called",
  });
}

class BuildTimeEngine {
  readonly memory: WebAssembly.Memory;
  readonly engine: EnginePackage;
  private exports: WebAssembly.Exports = {};
  private mayGrow = true;
  runtime = 0;
  context = 0;

  constructor(engine: EnginePackage) {
    this.engine = engine;
    this.memory = new WebAssembly.Memory({
      initial: engine.initialPages,
      maximum: ENGINE_PAGES_MAX,
    });
  }

  call(name: string, ...args: number[]): number {
    const found = this.engine.exports.get(name);
    const callee = found === undefined ? undefined : this.exports[found];
    if (typeof callee !== "function") {
      throw new ImageError({
        code: "engine",
        what: "the engine's exports",
        seen: `no ${name}`,
        todo: "use the version of the package that this one depends on",
      });
    }
    return (callee as EngineFunction)(...args) >>> 0;
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  word(address: number, value: number): void {
    new DataView(this.memory.buffer).setUint32(address, value, true);
  }

  /** Copies a text into the engine, calls `use` with its address and length in bytes. */
  withText(text: string, use: (address: number, length: number) => number): number {
    const encoded = new TextEncoder().encode(text);
    const address = this.call("malloc", encoded.length + 1);
    this.bytes().set(encoded, address);
    this.bytes()[address + encoded.length] = 0;
    const result = use(address, encoded.length);
    this.call("free", address);
    return result;
  }

  textAt(address: number): string {
    const bytes = this.bytes();
    return new TextDecoder().decode(bytes.subarray(address, bytes.indexOf(0, address)));
  }

  textOf(value: number): string {
    return this.textAt(this.call("QTS_GetString", this.context, value));
  }

  string(text: string): number {
    return this.withText(text, (address) => this.call("QTS_NewString", this.context, address));
  }

  get(object: number, name: string): number {
    const key = this.string(name);
    const value = this.call("QTS_GetProp", this.context, object, key);
    this.call("QTS_FreeValuePointer", this.context, key);
    return value;
  }

  set(object: number, name: string, value: number): void {
    const key = this.string(name);
    this.call("QTS_SetProp", this.context, object, key, value);
    this.call("QTS_FreeValuePointer", this.context, key);
    this.call("QTS_FreeValuePointer", this.context, value);
  }

  typeOf(value: number): string {
    return this.textAt(this.call("QTS_Typeof", this.context, value));
  }

  imports(onCall: (number: number) => number): WebAssembly.Imports {
    const refuse = (name: string) => () => {
      throw bundleError(`the engine stopped (${name})`);
    };
    const zero = () => 0;
    const byMeaning: Record<EngineImport, (...args: never[]) => unknown> = {
      assert_fail: refuse("assertion"),
      abort: refuse("abort"),
      proc_exit: refuse("exit"),
      keepalive_clear: () => undefined,
      localtime: (_seconds: bigint, result: number) => {
        this.bytes().fill(0, result, result + 44);
      },
      tzset: (zone: number, daylight: number, name: number, summerName: number) => {
        this.word(zone, 0);
        this.word(daylight, 0);
        this.bytes()[name] = this.bytes()[summerName] = 0;
      },
      setitimer: zero,
      clock_time_get: (_clock: number, _precision: bigint, result: number) => {
        new DataView(this.memory.buffer).setBigUint64(result, 0n, true);
        return 0;
      },
      date_now: zero,
      resize_heap: (bytes: number) => {
        if (!this.mayGrow) return 0;
        const pages = Math.ceil((bytes >>> 0) / WASM_PAGE_BYTES);
        this.memory.grow(pages - this.memory.buffer.byteLength / WASM_PAGE_BYTES);
        return 1;
      },
      environ_get: zero,
      environ_sizes_get: (count: number, bytes: number) => {
        this.word(count, 0);
        this.word(bytes, 0);
        return 0;
      },
      fd_close: zero,
      fd_seek: () => ERRNO_SPIPE,
      fd_write: (_file: number, _vectors: number, _count: number, written: number) => {
        this.word(written, 0);
        return 0;
      },
      call_function: (
        _context: number,
        _self: number,
        _count: number,
        _arguments: number,
        number: number,
      ) => onCall(number),
      should_interrupt: zero,
      load_module: zero,
      normalize_module: zero,
      free_host_ref: () => undefined,
    };
    const imports: Record<string, WebAssembly.ImportValue> = {
      [this.engine.memoryImport]: this.memory,
    };
    for (const [meaning, name] of this.engine.imports) {
      imports[name] = byMeaning[meaning] as () => unknown;
    }
    return { [this.engine.importModule]: imports };
  }

  async start(stackBytes: number, onCall: (number: number) => number): Promise<void> {
    const made = await WebAssembly.instantiate(this.engine.wasm, this.imports(onCall));
    this.exports = made.instance.exports;
    (this.exports[this.engine.constructors] as () => void)();
    this.runtime = this.call("QTS_NewRuntime");
    this.call("QTS_RuntimeSetMaxStackSize", this.runtime, stackBytes);
    // 0 intrinsics asked for by name means all of them.
    this.context = this.call("QTS_NewContext", this.runtime, 0);
  }

  /**
   * Clears free memory, which still holds what compiling the bundle needed. Every free block is
   * allocated, cleared and freed again, so only pages in use go into the image.
   */
  clearFree(): void {
    const taken: number[] = [];
    this.mayGrow = false;
    for (let size = LARGEST_BLOCK_BYTES; size >= SMALLEST_BLOCK_BYTES; size /= 2) {
      for (;;) {
        const block = this.call("malloc", size);
        if (!block) break;
        this.bytes().fill(0, block, block + size);
        taken.push(block);
      }
    }
    for (const block of taken.reverse()) this.call("free", block);
    this.mayGrow = true;
    const { stackTop } = this.engine;
    this.bytes().fill(0, stackTop - USED_STACK_BYTES, stackTop);
  }

  /**
   * Frees the texts of the functions of `scripts`, which the engine keeps for `toString` alone: a
   * fifth of all that it keeps. It must be after `clearFree`, as what is freed may look the same.
   */
  dropSources(scripts: readonly string[]): void {
    const texts = Buffer.from(scripts.join("\0"));
    const bytes = Buffer.from(this.memory.buffer);
    for (let at = SOURCE_LENGTH_BYTES; at < bytes.length; at += 4) {
      const length = bytes.readUInt32LE(at - SOURCE_LENGTH_BYTES);
      if (length < SHORTEST_SOURCE_BYTES || length > texts.length) continue;
      const text = bytes.readUInt32LE(at);
      if (text === 0 || bytes[text + length] !== 0) continue;
      if (!texts.includes(bytes.subarray(text, text + length))) continue;
      this.call("QTS_FreeVoidPointer", this.context, text);
      this.word(at, 0);
    }
  }

  functions(names: readonly string[], first: number): number {
    const object = this.call("QTS_NewObject", this.context);
    names.forEach((name, index) => {
      const value = this.withText(name, (address) =>
        this.call("QTS_NewFunction", this.context, address, 0, 0, first + index),
      );
      this.set(object, name, value);
    });
    return object;
  }

  evaluate(script: string, file: string): void {
    const value = this.withText(script, (code, length) =>
      this.withText(file, (name) => this.call("QTS_Eval", this.context, code, length, name, 0, 0)),
    );
    const error = this.call("QTS_ResolveException", this.context, value);
    if (error) {
      const stack = this.textOf(this.get(error, "stack")).trim().replace(/\s+/g, " ");
      throw bundleError(`${this.textOf(error)} ${stack}`);
    }
    this.call("QTS_FreeValuePointer", this.context, value);
  }
}

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
async function findRejections(engine: EnginePackage): Promise<number> {
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

function runtimeError(seen: string): ImageError {
  return new ImageError({
    code: "engine",
    what: "the engine's runtime",
    seen,
    todo: "use the version of the package that this one depends on",
  });
}

/** The engine collects garbage the first time when so much is allocated. */
const FIRST_THRESHOLD_BYTES = 256 * 1024;
/** A length that no other object has by chance. */
const PROBE_BYTES = 5003;
/** In an ArrayBuffer: its length, its greatest, flags, its bytes, a list, a value, a function. */
const BUFFER = { length: 0, greatest: 1, bytes: 3, opaque: 6, free: 7 } as const;

/** Finds what the engine exports no way to reach: its garbage collector, and who frees buffers. */
async function findMemory(
  engine: EnginePackage,
): Promise<Pick<Snapshot, "threshold" | "freeBuffer">> {
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
  const deep = (number: number) =>
    number >= Math.ceil((stackTop - STACK_BYTES) / FRAME_BYTES) &&
    number < Math.floor((stackTop - stackBytes) / FRAME_BYTES);
  const backed = frameNumbers.filter((number) => !deep(number)).length;
  const promisedFrames = Math.ceil(reachableBytes / FRAME_BYTES) + 1 - backed;
  const deepest = stackTop - options.scriptStackBytes - DEEPER_BYTES;
  const { runtime, context } = engine;
  return {
    ...{ pages, frameNumbers, frames, promisedFrames },
    ...{
      deep: deepest,
      rejections: await findRejections(options.engine),
      ...(await findMemory(options.engine)),
      runtime,
      context,
      boot,
      wake,
      scratch,
    },
  };
}
