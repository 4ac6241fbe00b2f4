/**
 * A target that stands before the driver comes, and those after it, found by interrupts alone: the
 * VM hears of them only from the moment at which `createBalloon` has given it a balloon.
 */
import { describe, expect, it } from "vitest";
import {
  type Completion,
  createMachine,
  type Machine,
  type MachineOptions,
  type ProfileName,
  profiles,
} from "../../../src/device/index.ts";
import { createWasmVm } from "../../../src/embed/example/vm.ts";
import { coreModule, guestModule, messageBits, SLOT_WORD, verdictLines } from "../../support/vm.ts";

const FRAMES = 2048;
/** Sooner than the driver looks by itself, which it does once a second. */
const SOON_MS = 200;
const STEP_MS = 1;

const completions: readonly Completion[] = [
  { kind: "immediate" },
  { kind: "late", ms: 20 },
  { kind: "scattered", ms: 5 },
  { kind: "shuffled", ms: 5 },
  { kind: "batched", count: 2, ms: 5 },
];

const ways: readonly (readonly [string, Omit<MachineOptions, "memory">])[] = [
  ...(Object.keys(profiles) as ProfileName[]).map((profile) => [profile, { profile }] as const),
  ["strict, MSI-X", { vectors: 4 }],
  ["strict, legacy PCI", { transport: "legacy" }],
  ["strict, MMIO", { transport: "mmio" }],
];

async function vmWithTarget(options: Omit<MachineOptions, "memory">, target: number) {
  let machine: Machine | undefined;
  const vm = await createWasmVm({
    frames: FRAMES,
    core: coreModule,
    guest: guestModule,
    discover: options.transport?.endsWith("mmio") ? { commandLine: SLOT_WORD } : {},
    machine: (memory) => {
      machine = createMachine({ ...options, memory });
      machine.setTarget(target);
      return machine.hal;
    },
  });
  if (machine === undefined) throw new Error("createWasmVm made no machine");
  const made = machine;
  // As a VM's author writes it, once there is a balloon to tell.
  made.onInterrupt = () => vm.balloon.interrupt(messageBits(made));
  return { ...vm, machine: made };
}

/** Lets time pass and nothing else: what the guest does, an interrupt makes it do. */
function pass(machine: Machine): void {
  for (let ms = 0; ms < SOON_MS; ms += STEP_MS) machine.advance(STEP_MS);
}

describe.each(ways)("on %s", (_name, options) => {
  it.each(completions.map((completion) => [completion.kind, completion] as const))(
    "with %s completion",
    async (_kind, completion) => {
      const { machine } = await vmWithTarget({ ...options, completion }, 600);
      pass(machine);
      if (machine.profile.balloon.returns === "never") {
        // This host keeps every buffer, so the pages stay on their way.
        expect(machine.inflatingPages).toBe(600);
        return;
      }
      expect(machine.actual, "the target that stood before").toBe(600);
      for (const target of [900, 100]) {
        machine.setTarget(target);
        pass(machine);
        expect(machine.actual).toBe(target);
      }
      machine.check();
      expect(verdictLines(machine)).toEqual([]);
    },
  );
});
