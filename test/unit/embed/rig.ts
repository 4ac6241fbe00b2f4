/**
 * A balloon's options that work, to be spoilt one at a time by tests.
 *
 * Without changes they make a running balloon.
 */
import { createMachine, type Machine, type MachineOptions } from "../../../src/device/index.ts";
import { type BalloonOptions, balloonArenaBytes } from "../../../src/index.ts";
import { coreModule } from "../../support/vm.ts";

export const PAGE = 4096;
export const FRAMES = 1024;
const WASM_PAGE = 65536;

export interface Rig {
  readonly machine: Machine;
  readonly options: BalloonOptions;
}

/** Nothing at 0, RAM, then the arena. */
export async function rig(machineOptions: Omit<MachineOptions, "memory"> = {}): Promise<Rig> {
  const ram = [{ start: PAGE, bytes: FRAMES * PAGE }];
  const start = PAGE + FRAMES * PAGE;
  const arena = { start, bytes: await balloonArenaBytes({ ram, core: coreModule }) };
  const memory = new WebAssembly.Memory({ initial: Math.ceil((start + arena.bytes) / WASM_PAGE) });
  const machine = createMachine({ ...machineOptions, memory });
  return { machine, options: { memory, arena, ram, hal: machine.hal, core: coreModule } };
}
