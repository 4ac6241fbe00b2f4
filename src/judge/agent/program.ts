/** The agent as a program: an installed package brings it, a checkout compiles it. */
import { readFile } from "node:fs/promises";
import { archivePath, readArchive } from "../../image/archive.ts";
import { type Architecture, findCompiler } from "../../image/compiler.ts";
import { cProgram, withoutLibrary } from "../c-programs.ts";

/** Its name in the archive of an installed package. */
export function agentName(arch: Architecture): string {
  return `judge/agent-${arch}`;
}

/**
 * Returns the program that a judged Linux of this processor runs: a static ELF file, which
 * `linuxImage` puts into a kernel's first file system.
 *
 * Rejects with ImageError in a checkout without a C compiler, and with the signal's reason.
 */
export async function linuxAgent(options: {
  readonly arch: Architecture;
  readonly signal?: AbortSignal | undefined;
}): Promise<Uint8Array> {
  const { arch, signal } = options;
  const archive = archivePath();
  if (archive !== undefined) {
    const agent = (await readArchive(archive)).files.get(agentName(arch));
    if (agent !== undefined) return agent;
  }
  const compiler = await findCompiler({ arch, ...(signal && { signal }) });
  const args = withoutLibrary(compiler);
  return readFile(await cProgram({ source: "agent/agent.c", compiler, args, signal }));
}
