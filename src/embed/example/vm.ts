/**
 * A wasm VM in a hundred lines: one memory, a guest program in a module of its own, and a balloon
 * that takes memory from it and gives it back.
 *
 * It must not know which machine the balloon's device lives in: the caller brings a Hal. Invariant:
 * guest program, balloon and device see the same `WebAssembly.Memory`, at the same addresses.
 */
import { FRAME_BYTES } from "../../../runtime/index.ts";
import { type Balloon, type BalloonOptions, balloonArenaBytes, createBalloon } from "../balloon.ts";
import { loadCore } from "../load-core.ts";

const WASM_PAGE_BYTES = 65536;

/** The exports of the guest program (guest.ts). */
export interface GuestProgram {
  /** Allocates and writes frames; answers how many it got. */
  grow(frames: number, seed: number): number;
  /** Verifies and gives frames back; answers the wrong words seen. */
  shrink(frames: number): number;
  /** Wrong words in all frames that it holds. */
  verify(): number;
  frames_held(): number;
}

export interface WasmVmOptions
  extends Pick<BalloonOptions, "policy" | "settings" | "core" | "discover"> {
  /** Frames that guest and balloon share. */
  readonly frames: number;
  /** guest.ts, compiled. */
  readonly guest: WebAssembly.Module;
  /** The machine around this memory. `frames` is the number of frames that it has in all. */
  machine(memory: WebAssembly.Memory, frames: number): BalloonOptions["hal"];
}

export interface WasmVm {
  readonly memory: WebAssembly.Memory;
  readonly guest: GuestProgram;
  readonly balloon: Balloon;
}

/**
 * Lays out the memory (nothing at 0, RAM, then the arena: the ledger describes frames up to the end
 * of RAM, so what lies above costs nothing), and starts balloon and guest program.
 * @throws what createBalloon throws.
 */
export async function createWasmVm(options: WasmVmOptions): Promise<WasmVm> {
  const { frames, guest, machine, core: source, ...settings } = options;
  // A fetched response can be read once, so it is compiled once.
  const rest = { ...settings, core: await loadCore(source) };
  const ram = [{ start: FRAME_BYTES, bytes: frames * FRAME_BYTES }];
  const arena = {
    start: FRAME_BYTES + frames * FRAME_BYTES,
    bytes: await balloonArenaBytes({ ...rest, ram }),
  };
  const bytes = arena.start + arena.bytes;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE_BYTES) });
  const hal = machine(memory, memory.buffer.byteLength / FRAME_BYTES);
  const balloon = await createBalloon({ ...rest, memory, arena, ram, hal });
  const instance = await WebAssembly.instantiate(guest, {
    env: { memory },
    frames: { ...balloon.guestImports },
  });
  return { memory, balloon, guest: instance.exports as unknown as GuestProgram };
}
