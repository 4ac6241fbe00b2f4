/**
 * Runs a Linux for i386 in v86. It boots once, without a balloon; each scenario goes on from the
 * state that was saved then, and finds a new device.
 */
import { FailureError } from "../../failure.ts";
import { VmmError } from "../../vmm/errors.ts";
import { type Board, NO_FUNCTION } from "../../vmm/v86/board.ts";
import { launchV86, type V86Vmm } from "../../vmm/v86/v86.ts";
import { Agent } from "../agent/agent.ts";
import type { DeviceChoice } from "../device-options.ts";
import type { Platform } from "../platform.ts";
import { V86Guest } from "./guest.ts";
import { idleImage } from "./linux-image.ts";
import { plugIn } from "./plugged.ts";

/** What it boots, or the state that it goes on from. */
type LinuxStart =
  | {
      /** What `linuxImage` returns. */
      readonly image: Uint8Array;
      readonly state?: undefined;
    }
  | {
      /** What `save` of such a platform returned, with the same memory and the same v86. */
      readonly state: ArrayBuffer;
      readonly image?: undefined;
    };

/** What the platform runs. */
export type LinuxInV86Options = LinuxStart & {
  readonly memoryBytes: number;
  readonly device: DeviceChoice;
  /** Milliseconds in which a guest must come to rest or answer. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * v86's own WebAssembly module, `v86/build/v86.wasm`. Default: read from the package, which a
   * page cannot do.
   */
  readonly engine?: WebAssembly.Module;
};

/** A platform whose machine goes on until `end`. */
export interface LinuxPlatform extends Platform {
  /** Boots, unless it has, and returns the state that each scenario goes on from. */
  save(options?: { readonly signal?: AbortSignal }): Promise<ArrayBuffer>;
  /** Ends the machine. */
  end(): Promise<void>;
}

const READY = /agent: ready/;
const BOOT_MS = 180_000;

/** A driver that has not found its device by then waits for what never comes. */
const FIND_MS = 10_000;

/** Returns the platform. */
export function linuxInV86(options: LinuxInV86Options): LinuxPlatform {
  let booted: Promise<Booted> | undefined;
  const ready = (signal: AbortSignal) => {
    booted ??= boot(options, signal);
    return booted;
  };
  return {
    name: "v86",
    async save({ signal = new AbortController().signal } = {}) {
      return (await ready(signal)).state;
    },
    async start({ device: own, signal }) {
      const { vmm, board, state } = await ready(signal);
      board.replace(NO_FUNCTION);
      board.line(false);
      await vmm.snapshots.restore({ state, signal });
      const plug = plugIn(board, options.device);
      const device = plug(own);
      const { timeoutMs } = options;
      const agent = new Agent(vmm.control, {
        signal,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      const system = agent.actions();
      const parts = { vmm, board, device, renew: plug, system, signal, timeoutMs, goesOn: true };
      const guest = new V86Guest(parts);
      const ms = timeoutMs ?? FIND_MS;
      return guest.begin((leaving) =>
        new Agent(vmm.control, { signal: leaving, timeoutMs: ms }).rescan(),
      );
    },
    async end() {
      const found = await booted?.catch(() => undefined);
      booted = undefined;
      await found?.vmm.kill();
    },
  };
}

interface Booted {
  readonly vmm: V86Vmm;
  readonly board: Board;
  readonly state: ArrayBuffer;
}

async function boot(options: LinuxInV86Options, signal: AbortSignal): Promise<Booted> {
  const { image = idleImage(), memoryBytes, engine } = options;
  let board: Board | undefined;
  const plug = (one: Board) => {
    board = one;
    return NO_FUNCTION;
  };
  const parts = { image, memoryBytes, balloon: false, plug, signal, ...(engine && { engine }) };
  const vmm = await launchV86(parts);
  try {
    if (board === undefined) throw new Error("v86 made no machine");
    if (options.state !== undefined) return { vmm, board, state: options.state };
    await vmm.log.waitForLine({ pattern: READY, timeoutMs: BOOT_MS, signal });
    return { vmm, board, state: await vmm.snapshots.save({ signal }) };
  } catch (error) {
    await vmm.kill();
    if (!(error instanceof VmmError)) throw error;
    throw new FailureError({
      kind: "guest",
      what: "the kernel",
      seen: error.message,
      todo: "boot it by itself, to see why it does not come up",
    });
  }
}
