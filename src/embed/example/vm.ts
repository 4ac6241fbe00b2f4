/**
 * A wasm VM: one memory, a guest program in a module of its own, and a balloon that takes memory
 * from the guest and gives it back. Guest program, balloon and device see the same
 * `WebAssembly.Memory`, at the same addresses. The caller brings the machine, as a Hal.
 */
import type { Balloon } from "../balloon.ts";
import { createBalloon } from "../create-balloon.ts";
import type { BalloonOptions } from "../options.ts";
import { layOutMemory } from "../wasm-vm.ts";

/** The exports of the guest program (guest.ts). */
export interface GuestProgram {
  /** Allocates and writes frames. Returns how many it got. */
  grow(frames: number, seed: number): number;
  /** Verifies frames and gives them back. Returns the number of wrong words. */
  shrink(frames: number): number;
  /** Returns the number of wrong words in all frames that it holds. */
  verify(): number;
  /** Returns how many frames it holds. */
  frames_held(): number;
}

export interface WasmVmOptions
  extends Pick<BalloonOptions, "policy" | "settings" | "core" | "discover"> {
  /** Frames of 4 KiB that guest and balloon share. */
  readonly frames: number;
  /** guest.ts, compiled. */
  readonly guest: WebAssembly.Module;
  /** Returns the Hal of the machine around this memory. */
  machine(memory: WebAssembly.Memory): BalloonOptions["hal"];
}

/** A VM whose guest program and balloon are running. */
export interface WasmVm {
  readonly memory: WebAssembly.Memory;
  readonly guest: GuestProgram;
  readonly balloon: Balloon;
}

/**
 * Starts the balloon in a new memory, and then the guest program: it imports that memory, and takes
 * its frames from the balloon.
 * @throws what createBalloon throws.
 */
export async function createWasmVm(options: WasmVmOptions): Promise<WasmVm> {
  const { frames, guest, machine, ...settings } = options;
  const layout = await layOutMemory({ ...settings, frames });
  const { memory } = layout;
  const balloon = await createBalloon({ ...settings, ...layout, hal: machine(memory) });
  const instance = await WebAssembly.instantiate(guest, {
    env: { memory },
    frames: { ...balloon.guestImports },
  });
  return { memory, balloon, guest: instance.exports as unknown as GuestProgram };
}
