/**
 * Where core.wasm comes from: the caller, or this package's own file.
 *
 * It must run in a browser, so what needs Node is imported only when it is needed. Invariant: it
 * compiles and never instantiates; who owns the memory does that.
 */
import { BallonetError } from "../../runtime/index.ts";

/** A compiled module, its bytes, or the answer to a request for them. */
export type CoreSource =
  | WebAssembly.Module
  | BufferSource
  | Response
  | PromiseLike<Response>
  | (() => Promise<BufferSource>);

let own: Promise<WebAssembly.Module> | undefined;

/** For what does not load as a core: no module at all, or one that wants other imports. */
export function foreignCore(error: unknown): never {
  throw new BallonetError({
    code: "core-abi",
    what: "core.wasm",
    seen: String(error),
    todo: "load the core.wasm that was built with this runtime",
  });
}

/**
 * Compiles core.wasm, for all that take a CoreSource: a response can be read only once.
 * @throws BallonetError `core-abi` when it is no module, or when there is no file system to find
 * the package's own in.
 */
export async function loadCore(source?: CoreSource): Promise<WebAssembly.Module> {
  if (source === undefined) {
    own ??= ownCore();
    return own;
  }
  const settled = await (typeof source === "function" ? source() : source);
  if (settled instanceof WebAssembly.Module) return settled;
  if (typeof Response !== "undefined" && settled instanceof Response) {
    return WebAssembly.compile(await settled.arrayBuffer()).catch(foreignCore);
  }
  return WebAssembly.compile(settled as BufferSource).catch(foreignCore);
}

async function ownCore(): Promise<WebAssembly.Module> {
  if (typeof process === "undefined" || process.versions?.node === undefined) {
    throw new BallonetError({
      code: "core-abi",
      what: "core.wasm",
      seen: "no file system to load it from",
      todo: 'pass it: createBalloon({ core: fetch("core.wasm"), ... })',
    });
  }
  const { readFile } = await import("node:fs/promises");
  const { createRequire } = await import("node:module");
  const path = createRequire(import.meta.url).resolve("ballonet/core.wasm");
  return WebAssembly.compile(await readFile(path));
}
