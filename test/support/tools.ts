/**
 * Tools that a test needs of the machine it runs on.
 *
 * A tool that is missing skips the test with that reason, and fails it where CI is set: there,
 * everything must have been installed. Only QEMU 10 may be lacking even there, when the setup has
 * left a note that it cannot be had.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";

const KERNELS = fileURLToPath(new URL("../../build/kernels/", import.meta.url));
const QEMU_11 = fileURLToPath(new URL("../../build/qemu-11/qemu-system-x86_64", import.meta.url));
const GRUB = fileURLToPath(new URL("../../build/grub/", import.meta.url));
const QEMU_10 = fileURLToPath(new URL("../../build/qemu-10/", import.meta.url));

/** The tool's path. Skips the test, or fails it in CI, when there is none. */
export function toolOrSkip(context: TestContext, path: string | undefined, tool: string): string {
  if (path !== undefined) return path;
  const reason = `no ${tool} on this machine; npm run setup installs it`;
  if (process.env.CI) throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return context.skip(reason);
}

/** The program of a QEMU whose balloon has MSI-X; skips the test as `toolOrSkip` where there is none. */
export function qemu10OrSkip(context: TestContext, arch: "i386" | "x86_64"): string {
  const program = join(QEMU_10, `qemu-system-${arch}`);
  const note = join(QEMU_10, "unavailable");
  if (existsSync(note)) {
    const reason = `no QEMU 10 on this machine: ${readFileSync(note, "utf8").trim()}`;
    console.log(`skipped: ${reason}`);
    return context.skip(reason);
  }
  return toolOrSkip(context, existsSync(program) ? program : undefined, "QEMU 10");
}

/** The program of a QEMU that speaks vfio-user; skips the test as `toolOrSkip` where there is none. */
export function qemu11OrSkip(context: TestContext): string {
  return toolOrSkip(context, existsSync(QEMU_11) ? QEMU_11 : undefined, "QEMU 11");
}

/** The kernel of this name that the setup fetched, such as `linux-6.1-x86_64`; or a skip. */
export function kernelOrSkip(context: TestContext, name: string): string {
  const path = join(KERNELS, name, "vmlinuz");
  return toolOrSkip(context, existsSync(path) ? path : undefined, `kernel ${name}`);
}

/** The folder with GRUB for a BIOS and for UEFI, and a firmware (.ci/setup-grub); or a skip. */
export function grubOrSkip(context: TestContext): string {
  return toolOrSkip(context, existsSync(join(GRUB, "OVMF.fd")) ? GRUB : undefined, "GRUB");
}
