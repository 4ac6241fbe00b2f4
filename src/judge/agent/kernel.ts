/** A kernel of Linux as a file: what its header says of it. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { FailureError } from "../../failure.ts";
import type { Architecture } from "../../image/compiler.ts";

/** A kernel that a PC can start. */
export interface Kernel {
  readonly path: string;
  readonly arch: Architecture;
  /** As `uname -r` shows it, such as `6.1.0-9-amd64`. */
  readonly version: string;
}

/*
 * The boot protocol's header (Documentation/arch/x86/boot.rst):
 *   0x202 "HdrS"   0x20e where the version's text is, less 0x200   0x236 flags, bit 0: 64-bit
 */
const MAGIC_AT = 0x202;
const VERSION_AT = 0x20e;
const FLAGS_AT = 0x236;
const HEADER_BYTES = 0x250;
const VERSION_CHARS_MAX = 200;

/** @throws FailureError `missing` when it cannot be read, or is no kernel for a PC. */
export async function readKernel(path: string): Promise<Kernel> {
  const bytes = await readFile(path).catch((error: unknown) => {
    const seen = error instanceof Error ? error.message : String(error);
    throw refused(path, seen, "name the file of a kernel, such as /boot/vmlinuz");
  });
  const isKernel =
    bytes.length > HEADER_BYTES &&
    bytes.toString("latin1", MAGIC_AT, MAGIC_AT + 4) === "HdrS" &&
    bytes.readUInt16LE(VERSION_AT) > 0;
  if (!isKernel) {
    throw refused(path, describe(bytes), "give a bzImage of Linux for x86_64 or i386");
  }
  const at = bytes.readUInt16LE(VERSION_AT) + 0x200;
  const text = bytes.toString("latin1", at, at + VERSION_CHARS_MAX);
  const version = /^[\x21-\x7e]+/.exec(text)?.[0] ?? "unknown";
  const arch = (bytes.readUInt16LE(FLAGS_AT) & 1) === 1 ? "x86_64" : "i386";
  return { path, arch, version };
}

function describe(bytes: Buffer): string {
  if (bytes.toString("latin1", 0x38, 0x3c) === "ARMd") return "a kernel for arm64";
  if (bytes.toString("latin1", 0x38, 0x3c) === "RSC\x05") return "a kernel for riscv64";
  if (bytes.toString("latin1", 0, 4) === "\x7fELF") return "an ELF file";
  return `a file of ${bytes.length} bytes that is no bzImage`;
}

function refused(path: string, seen: string, todo: string): FailureError {
  return new FailureError({ kind: "missing", what: `kernel ${basename(path)}`, seen, todo });
}
