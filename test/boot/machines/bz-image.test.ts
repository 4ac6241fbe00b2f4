/**
 * Both images as a bzImage, which a BIOS enters in real mode: they are told the same as by the
 * loaders of ELF files.
 */
import { readFile, writeFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { asBzImage } from "../../../src/image/bz-image.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { type Arch, bootImage, MIB, scriptImage } from "../support/kernel-images.ts";

beforeEach((context) => {
  toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
  toolOrSkip(context, findOnPath("qemu-system-i386"), "qemu-system-i386");
});

const CODE = 9;
const WORDS = "first=1 second=two";
/** The snapshot is unpacked and runs, so what was moved is whole. */
const SCRIPT = `boot() {
  say("words " + machine.commandLine() + " end");
  say("map " + JSON.stringify(machine.memoryMap()));
  say("root " + machine.acpiRoot());
  machine.exit(${CODE});
}`;

async function told(arch: Arch, image: string, memoryBytes: number) {
  const vm = await bootImage(arch, image, { memoryBytes, machine: "pc", append: WORDS });
  expect((await vm.exited).guestExitCode).toBe(CODE);
  return vm.log.lines;
}

/** The least, where the image is moved onto its own place; and memory beyond 4 GiB. */
test.each([
  ["i386", 8],
  ["i386", 5120],
  ["x86_64", 8],
  ["x86_64", 5120],
] as const)("%s with %i MiB", async (arch, mib) => {
  const image = await scriptImage(arch, SCRIPT);
  const asElf = await told(arch, image, mib * MIB);
  expect(asElf[0]).toBe(`words ${WORDS} end`);
  const elf = await readFile(image);
  await writeFile(image, asBzImage(elf));
  expect(await told(arch, image, mib * MIB)).toEqual(asElf);
});

test("a bzImage can be made of it again, and of nothing else", async () => {
  const elf = await readFile(await scriptImage("i386", SCRIPT));
  const once = asBzImage(elf);
  expect(Buffer.from(asBzImage(once)).equals(once)).toBe(true);
  expect(() => asBzImage(elf.subarray(0, 4096))).toThrow(/without a setup header/);
  expect(() => asBzImage(elf.map(() => 0))).toThrow(/without a setup header/);
});
