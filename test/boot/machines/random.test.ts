/**
 * Machines that nobody chose: each boots and follows a target, or says in one line why not.
 *
 * BALLONET_MACHINES is how many; BALLONET_SEED is the first seed, which each next one follows.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { asBzImage } from "../../../src/image/bz-image.ts";
import { launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { BOOT_MS, guestImage, MIB, qemuGuest, until, useGuests } from "../../support/guests.ts";
import { grubOrSkip, qemu10OrSkip, qemu11OrSkip } from "../../support/tools.ts";
import { type RandomMachine, randomMachine } from "./random-machine.ts";

useGuests();

const MACHINES = Number(process.env.BALLONET_MACHINES ?? 8);
const FIRST_SEED = Number(process.env.BALLONET_SEED ?? 1);
/** Its balloon and its clock of the date ask through the second 8259 at the same time. */
const KNOWN_SEED = 45;
const CHOSEN = Array.from({ length: MACHINES }, (_, index) => FIRST_SEED + index);
const SEEDS = CHOSEN.includes(KNOWN_SEED) ? CHOSEN : [...CHOSEN, KNOWN_SEED];
/** Followed anywhere, even by a guest of 32 MiB or one that sees 1 GiB of 9. */
const SHARE = 8;
const STEP_MAX_BYTES = 128 * MIB;

const EXPECTED = {
  memory: /ballonet: error: too little memory: /,
  balloon: /ballonet: error: a virtio balloon .*: seen /,
  processor: /ballonet: .*processor/,
} as const;

async function boot(context: TestContext, random: RandomMachine): Promise<QemuVmm> {
  const { image: arch, qemu, system, machine, memoryBytes, args } = random;
  const binary = {
    installed: () => `qemu-system-${system}`,
    "10": () => qemu10OrSkip(context, system),
    "11": () => qemu11OrSkip(context),
  }[qemu]();
  const rest = { arch, binary, machine, memoryBytes, balloon: false, exitOnReboot: true };
  if (random.firmware === undefined) {
    return await qemuGuest(context, { ...rest, extraArgs: args, untilReady: false });
  }
  const elf = guestImage(context, arch).path;
  const folder = await mkdtemp(join(tmpdir(), "random-test-"));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const { image, more } = await {
    bzImage: () => bzImage(folder, elf),
    UEFI: () => grubOnUefi(context, { folder, image: elf, machine }),
  }[random.firmware]();
  const extraArgs = [...args, ...more];
  const vm = await launchQemu({ ...rest, timeoutMs: BOOT_MS, image, extraArgs });
  context.onTestFinished(async () => {
    await vm.kill();
  });
  return vm;
}

async function bzImage(folder: string, elf: string) {
  const image = join(folder, "image");
  await writeFile(image, asBzImage(await readFile(elf)));
  return { image, more: [] };
}

/** UEFI cannot load an ELF file, and goes on to the disk. */
async function grubOnUefi(
  context: TestContext,
  { folder, image, machine }: { folder: string; image: string; machine: string },
) {
  const grub = grubOrSkip(context);
  await mkdir(join(folder, "EFI", "BOOT"), { recursive: true });
  await copyFile(join(grub, "BOOTX64.EFI"), join(folder, "EFI", "BOOT", "BOOTX64.EFI"));
  await copyFile(image, join(folder, "ballonet.elf"));
  await writeFile(join(folder, "grub.cfg"), "multiboot2 /ballonet.elf\nboot\n");
  const disk = `file=fat:${folder},format=raw,if=none,id=disk,readonly=on`;
  // On a bus of its own choice QEMU might put it behind a second root, which takes bridges alone.
  const device = `virtio-blk-pci,drive=disk,bus=${machine === "pc" ? "pci.0" : "pcie.0"}`;
  return { image, more: ["-bios", join(grub, "OVMF.fd"), "-drive", disk, "-device", device] };
}

/** The guest's first line that says how it went; a machine that resets or ends silently has none. */
async function verdict(vm: QemuVmm): Promise<string> {
  // Firmware that writes to the port, too, does not end its line.
  const pattern = /ballonet: (ready|error|panic)/;
  return (await vm.log.waitForLine({ pattern, timeoutMs: BOOT_MS })).text;
}

async function follow(vm: QemuVmm, bytes: number): Promise<void> {
  await vm.execute({ command: "balloon", args: { value: bytes } });
  await until(async () => {
    const { actual } = (await vm.execute({ command: "query-balloon" })) as { actual: number };
    return actual === bytes;
  });
}

describe.concurrent("a machine of seed", () => {
  it.for(SEEDS)("%i", async (seed, context) => {
    const random = randomMachine(seed);
    const { lacks, memoryBytes, qemu, system, machine, args, firmware = "" } = random;
    const name = `${seed}: ${firmware} ${qemu} ${system} ${random.image} ${machine} ${memoryBytes / MIB}M ${args.join(" ")}`;
    const vm = await boot(context, random).catch((cause) => {
      throw new Error(`QEMU itself refuses ${name}`, { cause });
    });
    const line = await verdict(vm).catch((cause) => {
      throw new Error(`nothing is heard of ${name}`, { cause });
    });
    if (!line.includes("ballonet: ready")) {
      expect(lacks, `${name}: ${line}`).toBeDefined();
      expect(line, name).toMatch(EXPECTED[lacks as keyof typeof EXPECTED]);
      return;
    }
    const step = Math.min(Math.floor(memoryBytes / SHARE / MIB) * MIB, STEP_MAX_BYTES);
    await follow(vm, memoryBytes - step);
    await follow(vm, memoryBytes);
  });
});
