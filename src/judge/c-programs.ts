/** The small C programs of this room, compiled once and kept. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { unpackedSources } from "../image/archive.ts";
import { Cache } from "../image/cache.ts";
import { type Compiler, compile } from "../image/compiler.ts";
import { cacheFolder } from "../package.ts";

/** The options for a program without a C library, linked at a fixed place. */
export function withoutLibrary({ version }: Compiler): readonly string[] {
  return [
    "-Os",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-pie",
    "-no-pie",
    "-static",
    "-nostdlib",
    "-s",
    "-Wl,--build-id=none",
    ...(version.includes("clang") ? ["-fuse-ld=lld"] : []),
  ];
}

/**
 * Returns the path of the program; `source` is its file's path in this room.
 * Rejects with ImageError `compile` when it cannot be compiled.
 */
export async function cProgram(options: {
  readonly source: string;
  readonly compiler: Compiler;
  readonly args: readonly string[];
  readonly signal?: AbortSignal | undefined;
}): Promise<string> {
  const { source, compiler, args, signal } = options;
  const cache = new Cache(cacheFolder());
  const { judge } = await unpackedSources(cache);
  const file = join(judge, source);
  const { command, version, options: given } = compiler;
  const inputs = [command, version, ...given, ...args, await readFile(file)];
  return cache.file(basename(source, ".c"), inputs, (path) =>
    compile({ compiler, args: [...args, "-o", path, file], directory: dirname(file), signal }),
  );
}
