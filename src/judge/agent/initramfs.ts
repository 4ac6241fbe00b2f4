/** The first file system of a judged Linux: the agent, and the modules that it loads. */
import { readFile, writeFile } from "node:fs/promises";
import { type Architecture, findCompiler } from "../../image/compiler.ts";
import { cProgram } from "../c-programs.ts";
import { type CpioEntry, cpio } from "./cpio.ts";
import type { KernelModule } from "./modules.ts";

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
];

/**
 * Writes the file system to `path`.
 *
 * @throws ImageError when there is no compiler for the agent, or it fails.
 */
export async function writeInitramfs(options: {
  readonly path: string;
  readonly arch: Architecture;
  readonly modules: readonly KernelModule[];
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, arch, modules, signal } = options;
  const compiler = await findCompiler({ arch, signal });
  const linker = compiler.version.includes("clang") ? ["-fuse-ld=lld"] : [];
  const agent = await cProgram({
    source: "agent/agent.c",
    compiler,
    args: [...FLAGS, ...linker],
    signal,
  });
  await writeFile(path, cpio(entriesOf(await readFile(agent), modules)), { mode: 0o600 });
}

function entriesOf(agent: Uint8Array, modules: readonly KernelModule[]): readonly CpioEntry[] {
  const order = modules.map(({ name }) => `${name}\n`).join("");
  return [
    ...["dev", "proc", "sys", "modules"].map((name) => ({ name })),
    { name: "init", bytes: agent },
    { name: "modules/order", bytes: Buffer.from(order) },
    ...modules.map(({ name, bytes }) => ({ name: `modules/${name}.ko`, bytes })),
  ];
}
