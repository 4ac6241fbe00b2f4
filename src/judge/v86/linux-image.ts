/**
 * A kernel of Linux as a Multiboot image, for an emulator without a BIOS: the kernel's code, its
 * boot parameters, the first file system, and a few instructions that enter the kernel in 32-bit
 * mode (Documentation/arch/x86/boot.rst, "32-bit boot protocol").
 *
 *   0x90000  boot parameters   0x91000  command line   0x92000  entry
 *   1 MiB    kernel, which unpacks itself to 16 MiB    top of memory  file system
 */

import { FailureError } from "../../failure.ts";
import { initramfs, type KernelModule } from "../agent/initramfs.ts";
import { describeFile, kernelHeader } from "../agent/kernel-header.ts";

/** What goes into the image. */
export interface LinuxImageOptions {
  /** A bzImage for i386. */
  readonly kernel: Uint8Array;
  /** The program that `linuxAgent` returns for i386. */
  readonly agent: Uint8Array;
  /** What the balloon's driver is made of, in the order in which it is loaded. */
  readonly modules: readonly KernelModule[];
  /** More words for the kernel's command line. */
  readonly append?: string;
  /** The memory of the machine that will boot it. */
  readonly memoryBytes: number;
}

/** Output for the log, an end at a panic, and no doubts about clocks. */
const APPEND = "console=ttyS0 loglevel=5 panic=-1 mitigations=off tsc=reliable";

const PARAMETERS = 0x9_0000;
const COMMAND_LINE = 0x9_1000;
const ENTRY = 0x9_2000;
const KERNEL = 0x10_0000;
/** Where a PC's first memory ends, and its next begins. */
const LOW_END = 0x9_fc00;
const HIGH_START = 0x10_0000;
const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;

/* Offsets in the boot parameters; those of the setup header are the same in the bzImage. */
const E820_ENTRIES = 0x1e8;
const SETUP_SECTORS = 0x1f1;
const SETUP_HEADER_END = 0x201;
const LOADER_TYPE = 0x210;
const LOAD_FLAGS = 0x211;
const RAMDISK = 0x218;
const RAMDISK_BYTES = 0x21c;
const COMMAND_LINE_AT = 0x228;
const E820_TABLE = 0x2d0;
const E820_BYTES = 20;
const UNKNOWN_LOADER = 0xff;
const LOADED_HIGH = 1;

/** A stretch of memory, and what is loaded there. */
interface Loaded {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * Returns an ELF32 file with a Multiboot header.
 * @throws FailureError `missing` when the kernel is none for i386.
 */
export function linuxImage(options: LinuxImageOptions): Uint8Array<ArrayBuffer> {
  const { kernel, agent, modules, append = "", memoryBytes } = options;
  checkKernel(kernel);
  const files = initramfs(agent, modules);
  const sectors = kernel[SETUP_SECTORS] || 4;
  const code = kernel.subarray((sectors + 1) * SECTOR_BYTES);
  // A page stays free behind it: a loader may refuse what ends with the memory.
  const filesAt = (Math.floor((memoryBytes - files.length) / PAGE_BYTES) - 1) * PAGE_BYTES;
  return elf([
    { address: PARAMETERS, bytes: parameters({ kernel, files, filesAt, memoryBytes }) },
    {
      address: COMMAND_LINE,
      bytes: new TextEncoder().encode(`${APPEND} ${append}`.trim().concat("\0")),
    },
    { address: ENTRY, bytes: enter() },
    { address: KERNEL, bytes: code },
    { address: filesAt, bytes: files },
  ]);
}

/** Returns an image that does nothing: for a machine whose state is replaced. */
export function idleImage(): Uint8Array<ArrayBuffer> {
  // cli; hlt; jmp to the hlt
  return elf([{ address: ENTRY, bytes: Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfd) }]);
}

function checkKernel(kernel: Uint8Array): void {
  const header = kernelHeader(kernel);
  if (header?.arch === "i386") return;
  throw new FailureError({
    kind: "missing",
    what: header === undefined ? "the kernel" : `kernel ${header.version}`,
    seen:
      header === undefined
        ? describeFile(kernel)
        : "a kernel for x86_64, and v86 has no 64-bit mode",
    todo: "judge it on qemu, or give one for i386",
  });
}

function parameters(parts: {
  readonly kernel: Uint8Array;
  readonly files: Uint8Array;
  readonly filesAt: number;
  readonly memoryBytes: number;
}): Uint8Array {
  const { kernel, files, filesAt, memoryBytes } = parts;
  const bytes = new Uint8Array(PAGE_BYTES);
  const end = SETUP_HEADER_END + 1 + (kernel[SETUP_HEADER_END] ?? 0);
  bytes.set(kernel.subarray(SETUP_SECTORS, end), SETUP_SECTORS);
  const view = new DataView(bytes.buffer);
  view.setUint8(LOADER_TYPE, UNKNOWN_LOADER);
  view.setUint8(LOAD_FLAGS, view.getUint8(LOAD_FLAGS) | LOADED_HIGH);
  view.setUint32(RAMDISK, filesAt, true);
  view.setUint32(RAMDISK_BYTES, files.length, true);
  view.setUint32(COMMAND_LINE_AT, COMMAND_LINE, true);
  const memory = [
    [0, LOW_END],
    [HIGH_START, memoryBytes],
  ] as const;
  view.setUint8(E820_ENTRIES, memory.length);
  for (const [n, [start, stop]] of memory.entries()) {
    const at = E820_TABLE + n * E820_BYTES;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(stop - start), true);
    view.setUint32(at + 16, 1, true);
  }
  return bytes;
}

/** cli; mov esi, parameters; xor ebp, edi and ebx; mov eax, kernel; jmp eax */
function enter(): Uint8Array {
  const bytes = Uint8Array.of(
    ...[0xfa, 0xbe, 0, 0, 0, 0, 0x31, 0xed, 0x31, 0xff, 0x31, 0xdb],
    ...[0xb8, 0, 0, 0, 0, 0xff, 0xe0],
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(2, PARAMETERS, true);
  view.setUint32(13, KERNEL, true);
  return bytes;
}

const MULTIBOOT_MAGIC = 0x1bad_b002;
const MULTIBOOT_MEMORY = 2;
const ELF_HEADER_BYTES = 52;
const SEGMENT_BYTES = 32;
/** There are no sections, but v86 looks at their size. */
const SECTION_BYTES = 40;
const LOAD = 1;
const READ_WRITE_EXECUTE = 7;

/** ELF32: a header, a table of segments, the Multiboot header, and the segments. */
function elf(loaded: readonly Loaded[]): Uint8Array<ArrayBuffer> {
  const multibootAt = ELF_HEADER_BYTES + loaded.length * SEGMENT_BYTES;
  let at = multibootAt + 12;
  const segments = loaded.map((one) => {
    const place = { ...one, at };
    at += one.bytes.length;
    return place;
  });
  const file = new Uint8Array(at);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, 3, true); // i386
  view.setUint32(20, 1, true);
  view.setUint32(24, ENTRY, true);
  view.setUint32(28, ELF_HEADER_BYTES, true);
  view.setUint16(40, ELF_HEADER_BYTES, true);
  view.setUint16(42, SEGMENT_BYTES, true);
  view.setUint16(44, segments.length, true);
  view.setUint16(46, SECTION_BYTES, true);
  for (const [n, { address, bytes, at: offset }] of segments.entries()) {
    const fields = [LOAD, offset, address, address, bytes.length, bytes.length];
    for (const [i, field] of [...fields, READ_WRITE_EXECUTE, 1].entries()) {
      view.setUint32(ELF_HEADER_BYTES + n * SEGMENT_BYTES + i * 4, field, true);
    }
    file.set(bytes, offset);
  }
  const header = [MULTIBOOT_MAGIC, MULTIBOOT_MEMORY, -(MULTIBOOT_MAGIC + MULTIBOOT_MEMORY) >>> 0];
  for (const [i, word] of header.entries()) view.setUint32(multibootAt + i * 4, word, true);
  return file;
}
