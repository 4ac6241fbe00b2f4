/**
 * Loaders other than QEMU's own way with each image: each starts it, and what it tells arrives.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { STOP } from "../../../runtime/kernel/exit-codes.ts";
import type { MemoryRegion } from "../../../runtime/kernel/machine.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { type Elf, functionsOf, parseElf } from "../support/elf.ts";
import { type Arch, bootImage, MIB, scriptImage } from "../support/kernel-images.ts";
import { LOADER_DATA, withLinuxLoader as link } from "../support/linux-loader.ts";

const ARCHES: readonly Arch[] = ["i386", "x86_64"];
const WORDS = "first=1 second=two";
const MEMORY_BYTES = 64 * MIB;
const CODE = 9;
const SCRIPT = `boot() {
  say(machine.commandLine());
  say(JSON.stringify(machine.memoryMap()));
  say(String(machine.acpiRoot()));
  machine.exit(${CODE});
}`;

beforeEach((context) => {
  for (const arch of ARCHES) {
    toolOrSkip(context, findOnPath(`qemu-system-${arch}`), `qemu-system-${arch}`);
  }
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "protocols-test-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function patched(image: Buffer): Promise<string> {
  const path = join(await folder(), "patched.elf");
  await writeFile(path, image);
  return path;
}

/** The image behind a loader that starts Linux, a file in a folder of its own. */
async function withLinuxLoader(image: string, flags: readonly string[]): Promise<string> {
  return await link({ image, memoryBytes: MEMORY_BYTES, flags, folder: await folder() });
}

/** Boots, and expects the command line and all of the memory. Returns where ACPI's root is. */
async function expectBoot(arch: Arch, image: string): Promise<number> {
  const vm = await bootImage(arch, image, { memoryBytes: MEMORY_BYTES, append: WORDS });
  const exit = await vm.exited;
  expect(vm.log.lines[0]).toBe(WORDS);
  const map = JSON.parse(vm.log.lines[1] ?? "") as MemoryRegion[];
  const memory = map.filter(({ kind }) => kind !== "reserved");
  const total = memory.reduce((sum, { size }) => sum + size, 0);
  expect(total).toBeGreaterThan(MEMORY_BYTES - MIB);
  expect(total).toBeLessThanOrEqual(MEMORY_BYTES);
  expect(exit.guestExitCode).toBe(CODE);
  return Number(vm.log.lines[2]);
}

test("x86_64: the 64-bit entry of the Linux protocol", async () => {
  const image = await scriptImage("x86_64", SCRIPT);
  expect(await expectBoot("x86_64", await withLinuxLoader(image, []))).toBe(LOADER_DATA);
});

test.each(ARCHES)("%s: the 32-bit entry of the Linux protocol", async (arch) => {
  const image = await scriptImage(arch, SCRIPT);
  expect(await expectBoot(arch, await withLinuxLoader(image, ["-DFLAT"]))).toBe(LOADER_DATA);
});

test("i386: Multiboot by addresses, Multiboot by ELF headers, and PVH", async () => {
  const path = await scriptImage("i386", SCRIPT);
  const image = await readFile(path);
  const header = image.indexOf(Uint8Array.of(0x02, 0xb0, 0xad, 0x1b));
  await expectBoot("i386", path);
  // Without flag 16 the addresses say nothing.
  image.writeUInt32LE(3, header + 4);
  image.writeUInt32LE(2 ** 32 - 0x1badb002 - 3, header + 8);
  image.fill(0xff, header + 12, header + 32);
  await expectBoot("i386", await patched(image));
  image.writeUInt32LE(0, header);
  await expectBoot("i386", await patched(image));
});

/** The image with an invalid instruction at the start of a function, and that place. */
async function faulty(path: string, name: string): Promise<{ image: string; at: string }> {
  const symbols = parseElf(await readFile(path.replace(/\.elf$/, ".sym.elf")));
  const elf: Elf = parseElf(await readFile(path));
  const at = functionsOf(symbols).get(name) ?? 0;
  const text = elf.segments[0];
  elf.bytes.set([0x0f, 0x0b], at - (text?.address ?? 0) + (text?.offset ?? 0));
  return { image: await patched(elf.bytes), at: `0x0*${at.toString(16)}` };
}

test.each(ARCHES)("%s: a fault at any time is one line and an end", async (arch) => {
  const path = await scriptImage(arch, SCRIPT);
  for (const name of ["processor_check", "loader_read", "memory_start"]) {
    const { image, at } = await faulty(path, name);
    const vm = await bootImage(arch, image);
    expect((await vm.exited).guestExitCode).toBe(STOP.exception);
    expect(vm.log.lines).toHaveLength(1);
    const line = new RegExp(`^ballonet: panic: exception: invalid opcode at ${at}$`);
    expect(vm.log.lines[0]).toMatch(line);
  }
});
