/** The agent as a program: an installed package brings it, a checkout compiles it. */
import { readFile } from "node:fs/promises";
import { archivePath, readArchive } from "../../image/archive.ts";
import { type Architecture, findCompiler } from "../../image/compiler.ts";
import { cProgram } from "../c-programs.ts";

/** A program without a C library, linked at a fixed place. */
const FLAGS = [
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
];

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
  const linker = compiler.version.includes("clang") ? ["-fuse-ld=lld"] : [];
  const args = [...FLAGS, ...linker];
  return readFile(await cProgram({ source: "agent/agent.c", compiler, args, signal }));
}
