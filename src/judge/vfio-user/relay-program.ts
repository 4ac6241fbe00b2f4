/** The relay as a program: an installed package brings it for x86_64, else it is compiled. */
import { writeFile } from "node:fs/promises";
import { archivePath, readArchive } from "../../image/archive.ts";
import { Cache } from "../../image/cache.ts";
import { findHostCompiler } from "../../image/compiler.ts";
import { cacheFolder } from "../../package.ts";
import { cProgram, withoutLibrary } from "../c-programs.ts";

/** The name in the archive of the relay for x86_64. */
export const RELAY_NAME = "judge/relay-x86_64";

/** Whether that relay runs on this machine. */
export const RUNS_STANDALONE = process.platform === "linux" && process.arch === "x64";

const SOURCE = "vfio-user/relay.c";

/**
 * Returns the relay's path.
 *
 * Rejects with ImageError where there is no program of it for this machine and no C compiler, with
 * the system's error when the cache cannot be written, and with the signal's reason.
 */
export async function relayProgram(
  options: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  if (!RUNS_STANDALONE) return compiledRelay(options);
  const archive = archivePath();
  const made = archive && (await readArchive(archive)).files.get(RELAY_NAME);
  if (made === undefined) return standaloneRelay(options);
  const cache = new Cache(cacheFolder());
  return cache.file("relay", [made], (path) => writeFile(path, made, { mode: 0o755 }));
}

/** The relay for x86_64 without a C library, compiled on such a machine. */
export async function standaloneRelay(
  options: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  const compiler = await findHostCompiler(options);
  const args = ["-DSTANDALONE", ...withoutLibrary(compiler)];
  return cProgram({ source: SOURCE, compiler, args, signal: options.signal });
}

/** The relay with this machine's own C library. */
export async function compiledRelay(
  options: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  const compiler = await findHostCompiler(options);
  return cProgram({ source: SOURCE, compiler, args: ["-O2", "-Wall"], signal: options.signal });
}
