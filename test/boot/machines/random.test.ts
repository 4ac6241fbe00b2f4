/**
 * Machines that nobody chose: each boots and follows a target, or says in one line why not.
 *
 * BALLONET_MACHINES is how many; BALLONET_SEED is the first seed, which each next one follows.
 */
import { describe, expect, it, type TestContext } from "vitest";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { BOOT_MS, MIB, qemuGuest, until, useGuests } from "../../support/guests.ts";
import { qemu10OrSkip, qemu11OrSkip } from "../../support/tools.ts";
import { type RandomMachine, randomMachine } from "./random-machine.ts";

useGuests();

const MACHINES = Number(process.env.BALLONET_MACHINES ?? 8);
const FIRST_SEED = Number(process.env.BALLONET_SEED ?? 1);
const SEEDS = Array.from({ length: MACHINES }, (_, index) => FIRST_SEED + index);
/** Followed anywhere, even by a guest of 32 MiB or one that sees 1 GiB of 9. */
const SHARE = 8;
const STEP_MAX_BYTES = 128 * MIB;

const EXPECTED = {
  memory: /ballonet: error: too little memory: /,
  balloon: /ballonet: error: a virtio balloon .*: seen /,
  processor: /ballonet: .*processor/,
} as const;

function boot(context: TestContext, random: RandomMachine): Promise<QemuVmm> {
  const { image: arch, qemu, system, machine, memoryBytes, args } = random;
  const binary = {
    installed: () => `qemu-system-${system}`,
    "10": () => qemu10OrSkip(context, system),
    "11": () => qemu11OrSkip(context),
  }[qemu]();
  const rest = { memoryBytes, balloon: false, exitOnReboot: true, untilReady: false };
  return qemuGuest(context, { arch, binary, machine, extraArgs: args, ...rest });
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
    const { lacks, memoryBytes, qemu, system, machine, args } = random;
    const name = `${seed}: ${qemu} ${system} ${random.image} ${machine} ${memoryBytes / MIB}M ${args.join(" ")}`;
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
