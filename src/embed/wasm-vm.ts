/** Lays out the memory of a wasm VM. */
import { FRAME_BYTES } from "../../runtime/index.ts";
import { balloonArenaBytes } from "./create-balloon.ts";
import { loadCore } from "./load-core.ts";
import type { BalloonOptions } from "./options.ts";

const WASM_PAGE_BYTES = 65_536;

interface VmMemoryOptions extends Pick<BalloonOptions, "settings" | "core" | "signal"> {
  /** Frames of 4 KiB that guest and balloon share. */
  readonly frames: number;
}

/** What `createBalloon` needs to know of the memory, and the core, compiled. */
type VmMemory = Required<Pick<BalloonOptions, "memory" | "ram" | "arena" | "core">>;

/**
 * Makes a memory for `frames` frames of RAM and the arena. The arena lies above RAM: the ledger
 * describes all frames up to the end of RAM, and there it costs nothing.
 *
 *   frame 0: nothing | 1 .. frames: RAM | frames + 1 ..: arena
 *
 * @throws what createBalloon throws for the settings and the core.
 */
export async function layOutMemory(options: VmMemoryOptions): Promise<VmMemory> {
  const { frames, settings = {}, core: source, signal } = options;
  // A fetched response can be read once only, so the core is compiled once for all.
  const core = await loadCore(source, { signal });
  const ram = [{ start: FRAME_BYTES, bytes: frames * FRAME_BYTES }];
  const start = FRAME_BYTES + frames * FRAME_BYTES;
  const arena = { start, bytes: await balloonArenaBytes({ core, settings, ram }) };
  const pages = Math.ceil((start + arena.bytes) / WASM_PAGE_BYTES);
  return { memory: new WebAssembly.Memory({ initial: pages }), ram, arena, core };
}
