/**
 * v86's WebAssembly module: compiled once a process, instantiated for each machine. v86's own
 * loader looks for the file in the working directory, drops failures, and prints panics to stderr.
 */

import { files, modules } from "../node-modules.ts";
import { MachineClock } from "./clock.ts";

/** A panic has two lines; more is cut. */
const MAX_PANIC_CHARS = 4_096;

let compiled: Promise<WebAssembly.Module> | undefined;

/** The module has 2 MB: compiling it takes longer than booting a guest. */
export function compileV86(): Promise<WebAssembly.Module> {
  compiled ??= readEngine().then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}

async function readEngine(): Promise<Uint8Array<ArrayBuffer>> {
  const { createRequire } = await modules();
  const path = createRequire(import.meta.url).resolve("v86/build/v86.wasm");
  return (await files()).readFile(path) as Promise<Uint8Array<ArrayBuffer>>;
}

/** One machine's instance of the module. */
export class V86Engine {
  /** Called once if the module does not fit the imports. Set it before v86 starts. */
  onFailure: (error: unknown) => void = () => {};
  readonly clock = new MachineClock();
  private readonly module: WebAssembly.Module;
  private memory: WebAssembly.Memory | undefined;
  private heard = "";

  constructor(module: WebAssembly.Module) {
    this.module = module;
  }

  /** v86's panic message; empty while there is none. */
  get panic(): string {
    return this.heard;
  }

  /** For v86's option `wasm_fn`. */
  readonly instantiate = async (imports: WebAssembly.Imports): Promise<WebAssembly.Exports> => {
    const console_log_from_wasm = (at: number, bytes: number): void => this.hear(at, bytes);
    const own = { console_log_from_wasm, microtick: this.clock.nowMs };
    const heard = { ...imports, env: { ...imports.env, ...own } };
    try {
      const { exports } = await WebAssembly.instantiate(this.module, heard);
      this.memory = exports.memory as WebAssembly.Memory;
      return exports;
    } catch (error) {
      this.onFailure(error);
      return new Promise(() => {}); // v86 has no answer to a rejection.
    }
  };

  private hear(at: number, bytes: number): void {
    if (this.memory === undefined) return;
    const text = new TextDecoder().decode(new Uint8Array(this.memory.buffer, at >>> 0, bytes));
    this.heard = `${this.heard}${text}\n`.slice(-MAX_PANIC_CHARS);
  }
}
