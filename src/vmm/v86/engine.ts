/**
 * v86's WebAssembly module: compiled once a process, instantiated for each machine.
 *
 * It knows how v86 is loaded and how it panics, and no guest. v86's own loader looks for the file
 * in the working directory and leaves failures to nobody; its panics go to stderr.
 *
 * Invariant: `instantiate` never rejects; a failure is told to `onFailure` once.
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** A panic has two lines. */
const MAX_PANIC_CHARS = 4_096;

let compiled: Promise<WebAssembly.Module> | undefined;

/** The module has 2 MB: compiling it takes longer than booting a guest. */
export function compileV86(): Promise<WebAssembly.Module> {
  const path = createRequire(import.meta.url).resolve("v86/build/v86.wasm");
  compiled ??= readFile(path).then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}

export class V86Engine {
  /** Told if the module does not fit the imports; nothing happens before it is set. */
  onFailure: (error: unknown) => void = () => {};
  readonly #module: WebAssembly.Module;
  #memory: WebAssembly.Memory | undefined;
  #panic = "";

  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** What v86 said when it broke; empty as long as it did not. */
  get panic(): string {
    return this.#panic;
  }

  /** For v86's option `wasm_fn`. */
  readonly instantiate = async (imports: WebAssembly.Imports): Promise<WebAssembly.Exports> => {
    const console_log_from_wasm = (at: number, bytes: number): void => this.#hear(at, bytes);
    const heard = { ...imports, env: { ...imports.env, console_log_from_wasm } };
    try {
      const { exports } = await WebAssembly.instantiate(this.#module, heard);
      this.#memory = exports.memory as WebAssembly.Memory;
      return exports;
    } catch (error) {
      this.onFailure(error);
      return new Promise(() => {}); // v86 has no answer to a rejection.
    }
  };

  #hear(at: number, bytes: number): void {
    if (this.#memory === undefined) return;
    const text = new TextDecoder().decode(new Uint8Array(this.#memory.buffer, at >>> 0, bytes));
    this.#panic = `${this.#panic}${text}\n`.slice(-MAX_PANIC_CHARS);
  }
}
