/**
 * The JavaScript engine in this process, while an image is built: it evaluates the guest's bundle
 * and scripts that probe the engine.
 *
 * It sees no clock and no locale: the same scripts leave the same bytes on every host.
 */

import { ImageError } from "../errors.ts";
import { type EngineImport, type EnginePackage, engineError } from "./engine-package.ts";

const WASM_PAGE_BYTES = 65536;
/** The engine's own limit: 32768 pages are 2 GiB. */
const ENGINE_PAGES_MAX = 32768;
const ERRNO_SPIPE = 70;
/** Sizes of the free blocks that are cleared, largest first. */
const LARGEST_BLOCK_BYTES = 1 << 20;
const SMALLEST_BLOCK_BYTES = 16;
/** In the description of a function: how far before its text's address the text's length stands. */
const SOURCE_LENGTH_BYTES = 12;
/** Shorter texts stay: a text as short could be something else's. */
const SHORTEST_SOURCE_BYTES = 16;
/** How much of the stack evaluating the bundle may have used, from its top. */
const USED_STACK_BYTES = 1 << 20;
/** How much stack the engine's own functions use beyond JavaScript's limit. */
export const STACK_MARGIN_BYTES = 64 * 1024;

type EngineFunction = (...args: number[]) => number;

export function bundleError(seen: string): ImageError {
  return new ImageError({
    code: "bundle",
    what: "guest bundle",
    seen,
    todo: "export boot() and wake(), and do not touch the machine before boot() is called",
  });
}

export class BuildTimeEngine {
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
      throw engineError("the engine's exports", `no ${name}`);
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
