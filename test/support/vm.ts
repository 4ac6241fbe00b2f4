/**
 * The example VM on the reference machine, for tests: one call makes all of it, one settles it.
 *
 * Time is the machine's virtual clock alone, so every run with the same seed is the same.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createMachine,
  type Machine,
  type MachineOptions,
  profiles,
} from "../../src/device/index.ts";
import { createWasmVm, type WasmVm, type WasmVmOptions } from "../../src/embed/example/vm.ts";
import { packageFolder } from "../../src/package.ts";

const compiled = (name: string) =>
  new WebAssembly.Module(readFileSync(join(packageFolder(), "build", name)));

export const coreModule = compiled("core.wasm");
export const guestModule = compiled("example-guest.wasm");

export interface TestVm extends WasmVm {
  readonly machine: Machine;
  /**
   * Lets driver and device work until neither has anything left to do; throws if they never end.
   */
  settle(): void;
}

export interface TestVmOptions extends Partial<Omit<WasmVmOptions, "machine" | "guest">> {
  readonly machine?: Omit<MachineOptions, "memory">;
  /** Another build of the VM than that of the sources: a mutant's. */
  readonly create?: typeof createWasmVm;
  /** Sees the machine before the driver does, also when no VM comes of it. */
  onMachine?(machine: Machine): void;
  /** Rounds of `settle` before it throws. */
  readonly roundsMax?: number;
}

const { base, bytes } = profiles.strict.mmio;
/** What a command line says of the slot that has the balloon, where there is no PCI. */
export const SLOT_WORD = `virtio_mmio.device=${bytes}@0x${base.toString(16)}:5`;

/** More rounds than any script here needs: past this, driver and device ping-pong for ever. */
const ROUNDS_MAX = 20_000;

/** How often a driver looks by itself, unless it was told otherwise. */
const POLL_MS = 1000;

/** Rounds in which nothing happened that are no waiting any more: a driver gone wrong never waits. */
const QUIET_MAX = 8;

/** A driver that needs more steps than this in one watch is spinning. */
const STEPS_MAX = 100_000;
/** How soon `watch` sees an interrupt that comes while the guest sleeps. */
const LOOK_MS = 10;

export async function createTestVm(options: TestVmOptions = {}): Promise<TestVm> {
  const {
    machine: machineOptions,
    frames = 4096,
    core = coreModule,
    create = createWasmVm,
    onMachine,
    roundsMax = ROUNDS_MAX,
    discover,
    ...rest
  } = options;
  const isMmio = machineOptions?.transport?.endsWith("mmio") ?? false;
  let machine: Machine | undefined;
  const vm = await create({
    ...rest,
    core,
    frames,
    discover: { ...(isMmio && !discover?.probe && { commandLine: SLOT_WORD }), ...discover },
    guest: guestModule,
    machine: (memory) => {
      machine = createMachine({ ...machineOptions, memory });
      onMachine?.(machine);
      return machine.hal;
    },
  });
  if (machine === undefined) throw new Error("createWasmVm made no machine");
  return { ...vm, machine, settle: settler(machine, vm, roundsMax) };
}

/** Hands the driver the interrupt that is pending, by line or message. False: there is none. */
export function deliver({ machine, balloon }: Pick<TestVm, "machine" | "balloon">): boolean {
  if (!machine.interruptPending) return false;
  balloon.interrupt(messageBits(machine));
  return true;
}

/** Takes the messages that came: a bit for each. Undefined: none came. */
export function messageBits(machine: Machine): number | undefined {
  const messages = machine.takeMessages();
  if (messages.length === 0) return undefined;
  return messages.reduce((bits, message) => bits | (1 << message), 0);
}

function settler(machine: Machine, vm: WasmVm, roundsMax: number): () => void {
  return () => {
    let quiet = 0;
    let quietSinceMs = machine.nowMs;
    for (let round = 0; round < roundsMax; round++) {
      const interrupted = deliver({ ...vm, machine });
      const next = vm.balloon.step();
      if (next === undefined) return;
      const worked = machine.run();
      quiet = interrupted || worked > 0 || machine.interruptPending ? 0 : quiet + 1;
      if (quiet === 0) quietSinceMs = machine.nowMs;
      // A poll or two more, for what only time brings about: paced policies, lost interrupts, none.
      const isPolled = quiet > 2 && machine.nowMs - quietSinceMs > POLL_MS;
      if (isPolled || quiet > QUIET_MAX) return;
      machine.advance(Math.max(0, next - machine.nowMs));
    }
    throw new Error(`not settled after ${roundsMax} rounds`);
  };
}

/**
 * Runs driver and device for `ms` of virtual time as a guest's idle loop would: a step when one is
 * due or an interrupt came. Answers how often there was something to do.
 */
export function watch(
  { machine, balloon }: TestVm,
  ms: number,
): { readonly steps: number; readonly notifications: number } {
  const before = machine.counters.notifications;
  const end = machine.nowMs + ms;
  let steps = 0;
  while (machine.nowMs < end) {
    deliver({ machine, balloon });
    const next = balloon.step() ?? end;
    steps += 1;
    if (steps > STEPS_MAX) throw new Error(`more than ${STEPS_MAX} steps in ${ms} ms`);
    while (machine.nowMs < Math.min(next, end) && !machine.interruptPending) {
      machine.advance(Math.min(LOOK_MS, Math.max(0.001, Math.min(next, end) - machine.nowMs)));
    }
  }
  return { steps, notifications: machine.counters.notifications - before };
}

/** The verdicts as text, for a failure that says which rule was broken and where. */
export function verdictLines(machine: Machine): string[] {
  return machine.verdicts.map((verdict) => JSON.stringify(verdict).slice(0, 400));
}
