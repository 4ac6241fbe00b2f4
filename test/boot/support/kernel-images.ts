/**
 * Images for the tests of the kernel alone: the boot code with a few lines of script as the guest.
 *
 * The engine is compiled once for all tests.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import { type LaunchQemuOptions, launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";

export type Arch = "i386" | "x86_64";

export const MIB = 1024 * 1024;

/** Builds an image whose guest is `functions`: the text of `boot` and perhaps `wake`. */
export async function scriptImage(arch: Arch, functions: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "kernel-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const bundle = `globalThis.guest = (() => {
    const say = (text) => machine.serialWrite(1, text + "\\n");
    return { wake() { return 1e12 }, ${functions} };
  })();`;
  const { path } = await buildImage({ arch, bundle, out: join(folder, `${arch}.elf`) });
  return path;
}

/** Boots an image under QEMU, without a balloon; it is killed when the test ends. */
export async function bootImage(
  arch: Arch,
  image: string,
  options: Partial<LaunchQemuOptions> = {},
): Promise<QemuVmm> {
  const common = { arch, image, memoryBytes: 64 * MIB, balloon: false } as const;
  const vm = await launchQemu({ ...common, machine: "q35", ...options });
  onTestFinished(async () => {
    await vm.kill();
  });
  return vm;
}

/** Boots a script to its end. Returns what it said and its exit code. */
export async function runScript(
  arch: Arch,
  functions: string,
  options: Partial<LaunchQemuOptions> = {},
): Promise<{ lines: readonly string[]; code: number | undefined }> {
  const vm = await bootImage(arch, await scriptImage(arch, functions), options);
  const exit = await vm.exited;
  return { lines: vm.log.lines, code: exit.guestExitCode };
}
