/** What the header of a kernel of Linux says of it. */
import type { Architecture } from "../../image/compiler.ts";

/** A kernel that a PC can start. */
export interface KernelHeader {
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

/** Returns undefined for what is no bzImage. */
export function kernelHeader(bytes: Uint8Array): KernelHeader | undefined {
  if (bytes.length <= HEADER_BYTES || textAt(bytes, MAGIC_AT, 4) !== "HdrS") return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = view.getUint16(VERSION_AT, true);
  if (at === 0) return undefined;
  const text = textAt(bytes, at + 0x200, VERSION_CHARS_MAX);
  const version = /^[\x21-\x7e]+/.exec(text)?.[0] ?? "unknown";
  const arch = (view.getUint16(FLAGS_AT, true) & 1) === 1 ? "x86_64" : "i386";
  return { arch, version };
}

/** Says what a file is that is no bzImage. */
export function describeFile(bytes: Uint8Array): string {
  if (textAt(bytes, 0x38, 4) === "ARMd") return "a kernel for arm64";
  if (textAt(bytes, 0x38, 4) === "RSC\x05") return "a kernel for riscv64";
  if (textAt(bytes, 0, 4) === "\x7fELF") return "an ELF file";
  return `a file of ${bytes.length} bytes that is no bzImage`;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
