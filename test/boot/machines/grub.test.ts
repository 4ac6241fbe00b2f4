/**
 * GRUB, from a disk, under a BIOS and under UEFI: it starts both images by Multiboot 2.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import type { MemoryRegion } from "../../../runtime/kernel/machine.ts";
import { type Arch, guestImage, useGuests } from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { grubOrSkip, toolOrSkip } from "../../support/tools.ts";
import { MIB, scriptImage } from "../support/kernel-images.ts";
import { type SerialMachine, startMachine } from "../support/serial-machine.ts";

useGuests();

type Firmware = "BIOS" | "UEFI";

/** x86_64 under UEFI is the real guest's, below. */
const CASES: readonly { arch: Arch; firmware: Firmware }[] = [
  { arch: "i386", firmware: "BIOS" },
  { arch: "x86_64", firmware: "BIOS" },
  { arch: "i386", firmware: "UEFI" },
];
const WORDS = "first=1 second=two";
const MEMORY_MIB = 128;
/** UEFI keeps more for itself than a BIOS. */
const LEAST_MIB: Record<Firmware, number> = { BIOS: 126, UEFI: 110 };
const CODE = 9;
const SCRIPT = `boot() {
  say("words " + machine.commandLine() + " end");
  say("map " + JSON.stringify(machine.memoryMap()));
  machine.exit(${CODE});
}`;

/** Starts a machine in which GRUB runs `lines`; the image lies at /ballonet.elf. */
async function start(
  context: TestContext,
  firmware: Firmware,
  { image, lines, args }: { image: string; lines: string; args: readonly string[] },
): Promise<SerialMachine> {
  const grub = grubOrSkip(context);
  const program = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
  const folder = await mkdtemp(join(tmpdir(), "grub-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "EFI", "BOOT"), { recursive: true });
  await copyFile(image, join(folder, "ballonet.elf"));
  await writeFile(join(folder, "grub.cfg"), `${lines}\nboot\n`);
  await copyFile(join(grub, "BOOTX64.EFI"), join(folder, "EFI", "BOOT", "BOOTX64.EFI"));
  const disk = (file: string) => ["-drive", `file=${file},format=raw,if=virtio,readonly=on`];
  const bios = disk(join(grub, "pc.img"));
  const from = firmware === "BIOS" ? bios : ["-bios", join(grub, "OVMF.fd")];
  const machine = ["-M", "q35,accel=tcg", "-m", `${MEMORY_MIB}M`, "-nodefaults"];
  const rest = [
    "-display",
    "none",
    "-no-reboot",
    "-device",
    "isa-debug-exit,iobase=0x501,iosize=4",
  ];
  return startMachine(program, [...machine, ...rest, ...from, ...disk(`fat:${folder}`), ...args]);
}

test.for(CASES)("$arch is told of its memory: $firmware", async ({ arch, firmware }, context) => {
  const lines = `multiboot2 /ballonet.elf ${WORDS}`;
  const image = await scriptImage(arch, SCRIPT);
  const machine = await start(context, firmware, { image, lines, args: ["-serial", "stdio"] });
  expect(await machine.ended).toBe(2 * CODE + 1);
  expect(machine.text()).toContain(`words ${WORDS} end`);
  const map = JSON.parse(/map (\[.*\])/.exec(machine.text())?.[1] ?? "") as MemoryRegion[];
  const memory = map.filter(({ kind }) => kind !== "reserved");
  const total = memory.reduce((sum, { size }) => sum + size, 0);
  expect(total / MIB).toBeGreaterThan(LEAST_MIB[firmware]);
  expect(total / MIB).toBeLessThanOrEqual(MEMORY_MIB);
});

const GUESTS: readonly { arch: Arch; firmware: Firmware }[] = [
  { arch: "i386", firmware: "BIOS" },
  { arch: "x86_64", firmware: "UEFI" },
];

test.for(GUESTS)("$arch follows a target: $firmware", async ({ arch, firmware }, context) => {
  const machine = await start(context, firmware, {
    image: guestImage(context, arch).path,
    lines: "multiboot2 /ballonet.elf",
    args: ["-device", "virtio-balloon-pci", "-serial", "chardev:both", "-mon", "both"].concat([
      "-chardev",
      "stdio,id=both,mux=on,signal=off",
    ]),
  });
  const seen = (text: string) =>
    expect.poll(() => machine.text(), { timeout: 60_000 }).toContain(text);
  await seen("ballonet: ready");
  // The monitor shares the port: ctrl-a c changes to it.
  machine.process.stdin.write("\u0001c\nballoon 64\n");
  const asking = setInterval(() => machine.process.stdin.write("info balloon\n"), 200);
  onTestFinished(() => clearInterval(asking));
  await seen("balloon: actual=64");
});
