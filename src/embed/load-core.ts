/** Compiles core.wasm, from the caller or from the copy that the package carries inside. */
import { CORE_BASE64 } from "#core-bytes";
import { BallonetError } from "../../runtime/index.ts";
import { checkCoreSource, signalOf } from "./check-options.ts";
import type { CoreSource } from "./options.ts";

let own: Promise<WebAssembly.Module> | undefined;

/** Throws `core-abi` for bytes that are no module, or a module that wants other imports. */
export function foreignCore(error: unknown): never {
  const todo = "load the core.wasm that was built with this runtime";
  throw new BallonetError({ code: "core-abi", what: "core.wasm", seen: String(error), todo });
}

function notFetched({ status, statusText, url }: Response): BallonetError {
  const seen = `HTTP status ${status} ${statusText} for ${url}`.replace(/ {2,}/g, " ");
  const todo = "serve the file there, or leave `core` out: the package carries it";
  return new BallonetError({ code: "core-abi", what: "core.wasm", seen, todo });
}

/**
 * Compiles core.wasm. Compile a response once and pass the module on: a response can be read only
 * once. The package's own is compiled once; when that failed, the next call tries again.
 * @throws BallonetError `core-abi` when it is no module, and when a response is not a success. An
 * abort of `signal` rejects with the signal's reason.
 */
export async function loadCore(
  source?: CoreSource,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<WebAssembly.Module> {
  const signal = signalOf(options);
  checkCoreSource(source);
  signal?.throwIfAborted();
  const module = compileCore(source);
  if (signal === undefined) return module;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    module.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

async function compileCore(source: CoreSource | undefined): Promise<WebAssembly.Module> {
  if (source === undefined) {
    own ??= ownCore();
    return own;
  }
  const settled = await (typeof source === "function" ? source() : source);
  if (settled instanceof WebAssembly.Module) return settled;
  if (typeof Response !== "undefined" && settled instanceof Response) {
    if (!settled.ok) throw notFetched(settled);
    return WebAssembly.compile(await settled.arrayBuffer()).catch(foreignCore);
  }
  return WebAssembly.compile(settled as BufferSource).catch(foreignCore);
}

async function ownCore(): Promise<WebAssembly.Module> {
  const bytes = Uint8Array.from(atob(CORE_BASE64), (character) => character.charCodeAt(0));
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    own = undefined;
    // A browser may forbid all WebAssembly, and a process may lack memory for now.
    throw new BallonetError({
      code: "core-abi",
      what: "the core.wasm of the package",
      seen: String(cause),
      todo: "allow WebAssembly (in a page's policy: 'wasm-unsafe-eval'), and call again",
      cause,
    });
  }
}
