/**
 * The Linux guest: Debian's kernel with its own virtio drivers, and a file system that loads them,
 * says so and idles.
 *
 * What it answers is complete; a run that was broken off leaves nothing that looks so.
 */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type CpioEntry, cpio } from "../../../src/judge/agent/cpio.ts";
import { packageFolder } from "../../../src/package.ts";

/** Something that this machine lacks, and how to get it. */
export class MissingError extends Error {}

export interface LinuxGuest {
  readonly kernel: string;
  readonly initrd: string;
  /** As its package calls it, such as 6.1.0-9-amd64. */
  readonly version: string;
  /** Kernel and file system together: what a host has to store. */
  readonly imageBytes: number;
}

/**
 * Names what Debian's kernel of the day is; the one for virtual machines, because it starts in half
 * the time of the other.
 */
const KERNEL = "linux-image-cloud-amd64";
const SHELL = "busybox-static";
const TOOLS = ["apt-get", "apt-cache", "dpkg"];
/** In the order in which they need each other. */
const MODULES = [
  "virtio_ring",
  "virtio",
  "virtio_pci_legacy_dev",
  "virtio_pci_modern_dev",
  "virtio_pci",
  "virtio_balloon",
];
export const LINUX_READY = /^linux: ready/;

/** What fails ends it, and with it the kernel, which says so. */
const INIT = `#!/bin/busybox sh
set -e
for module in ${MODULES.join(" ")}; do /bin/busybox insmod /modules/$module.ko; done
echo "linux: ready"
exec /bin/busybox sleep 2147483647
`;

/** A guest that was made otherwise is made anew. */
const RECIPE = [KERNEL, SHELL, INIT].join();

interface Run {
  readonly directory: string;
  readonly signal: AbortSignal;
}

/** The Linux guest, fetched once. @throws MissingError where there is no apt or no network. */
export async function linuxGuest(options: {
  signal: AbortSignal;
  progress: (line: string) => void;
}): Promise<LinuxGuest> {
  const directory = join(packageFolder(), "build/bench-linux");
  const described = join(directory, "guest.json");
  const known = await readFile(described, "utf8").then(JSON.parse, () => undefined);
  if (known?.recipe === RECIPE) return located(directory, known.version);
  options.progress("fetching the Linux guest");
  const fresh = `${directory}-${process.pid}`;
  await mkdir(fresh, { recursive: true });
  try {
    const version = await make({ directory: fresh, signal: options.signal });
    await writeFile(join(fresh, "guest.json"), JSON.stringify({ recipe: RECIPE, version }));
    await rm(directory, { recursive: true, force: true });
    await rename(fresh, directory);
    return located(directory, version);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function located(directory: string, version: string): Promise<LinuxGuest> {
  const kernel = join(directory, `boot/vmlinuz-${version}`);
  const initrd = join(directory, "initrd");
  const imageBytes = (await stat(kernel)).size + (await stat(initrd)).size;
  return { kernel, initrd, version, imageBytes };
}

async function tool(run: Run, command: string, ...args: readonly string[]): Promise<string> {
  try {
    const { directory: cwd, signal } = run;
    return (await promisify(execFile)(command, args, { cwd, signal })).stdout;
  } catch (error) {
    run.signal.throwIfAborted();
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    const seen = code === "ENOENT" ? `no ${command}` : `${command} ${args[0]}: ${stderr?.trim()}`;
    throw new MissingError(
      `the Linux guest: seen ${seen}; needed are ${TOOLS.join(", ")}, and package lists that are ` +
        `up to date (apt-get update); or leave Linux out with --only ballonet`,
    );
  }
}

/** Answers the kernel's version. */
async function make(run: Run): Promise<string> {
  const { directory } = run;
  const depends = await tool(run, "apt-cache", "depends", KERNEL);
  const kernelPackage = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (kernelPackage === undefined) throw new MissingError(`${KERNEL} names no kernel: ${depends}`);
  await tool(run, "apt-get", "download", kernelPackage, SHELL);
  for (const file of await readdir(directory)) {
    if (!file.endsWith(".deb")) continue;
    await tool(run, "dpkg", "-x", file, ".");
    await rm(join(directory, file));
  }
  const version = kernelPackage.replace("linux-image-", "");
  await writeFile(join(directory, "initrd"), await fileSystem(directory, version));
  return version;
}

async function fileSystem(directory: string, version: string): Promise<Uint8Array> {
  const drivers = join(directory, `lib/modules/${version}/kernel/drivers/virtio`);
  const entries: CpioEntry[] = [
    { name: "bin" },
    { name: "bin/busybox", bytes: await readFile(join(directory, "bin/busybox")) },
    { name: "modules" },
    { name: "init", bytes: Buffer.from(INIT) },
  ];
  for (const name of MODULES) {
    const bytes = await readFile(join(drivers, `${name}.ko`));
    entries.push({ name: `modules/${name}.ko`, bytes });
  }
  return cpio(entries);
}
