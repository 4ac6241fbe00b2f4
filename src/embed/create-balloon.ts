/** Starts a balloon in a wasm VM: the driver on the caller's memory and machine. */
import {
  arenaBytes,
  BallonetError,
  BalloonDriver,
  type CoreExports,
  checkCore,
  type DiscoverOptions,
  discoverBalloon,
  FRAME_BYTES,
  follow,
  type Hal,
  type MemoryRange,
  makeSettings,
  openMemory,
  type Policy,
  type SettingsInput,
  type Statistics,
  type Transport,
} from "../../runtime/index.ts";
import { type Balloon, EmbeddedBalloon, INTERRUPTS_MAX, throwIfDown } from "./balloon.ts";
import { reuseMessages } from "./forward-hal.ts";
import { type CoreSource, foreignCore, loadCore } from "./load-core.ts";

/** What `createBalloon` is given. Addresses and lengths are in bytes. */
export interface BalloonOptions {
  /** The VM's memory: its offset 0 is guest physical address 0. */
  readonly memory: WebAssembly.Memory;
  /** The machine that the driver runs on. */
  readonly hal: Hal;
  /**
   * Memory for the core's own use: page-aligned, not at 0. `balloonArenaBytes` says how many bytes.
   */
  readonly arena: MemoryRange;
  /** The RAM that guest and balloon share: page-aligned, without the arena. */
  readonly ram: readonly MemoryRange[];
  /** Default: `follow()`. */
  readonly policy?: Policy;
  /** A persona and changes to it. */
  readonly settings?: SettingsInput;
  /** Returns what to report to the host, in bytes or counts. Default: what the ledger knows. */
  readonly statistics?: () => Statistics;
  /** core.wasm. Default: the one that this package carries. */
  readonly core?: CoreSource;
  /** The way to the device. Default: the first balloon that the Hal reaches. */
  readonly transport?: Transport;
  /** How to look for it: which interface and which interrupts to prefer, where MMIO slots are. */
  readonly discover?: Omit<DiscoverOptions, "hal">;
  /** Aborting rejects `createBalloon` with the signal's reason. A running balloon ignores it. */
  readonly signal?: AbortSignal;
}

/**
 * Returns how many bytes `arena` must have for this RAM and these settings.
 * @throws BallonetError `memory`, `config` or `core-abi`.
 */
export async function balloonArenaBytes(
  options: Pick<BalloonOptions, "ram" | "settings" | "core" | "signal">,
): Promise<number> {
  const core = await instantiate(new WebAssembly.Memory({ initial: 0 }), options);
  return arenaBytes({ core, settings: makeSettings(options.settings), ram: options.ram });
}

async function instantiate(
  memory: WebAssembly.Memory,
  { core, signal }: Pick<BalloonOptions, "core" | "signal">,
): Promise<CoreExports> {
  const module = await loadCore(core, { signal });
  // `fence` does nothing: in one thread, program order is enough.
  const fill = (first: number, length: number, value: number) => {
    const words = (length * FRAME_BYTES) / Uint32Array.BYTES_PER_ELEMENT;
    new Uint32Array(memory.buffer, (first >>> 0) * FRAME_BYTES, words).fill(value);
  };
  const imports = { env: { memory }, hal: { fence: () => {}, fill } };
  const instance = await WebAssembly.instantiate(module, imports).catch(foreignCore);
  return checkCore(instance.exports as unknown as CoreExports);
}

function checkInsideMemory(memory: WebAssembly.Memory, ranges: readonly MemoryRange[]): void {
  const end = memory.buffer.byteLength;
  for (const { start, bytes } of ranges) {
    if (start + bytes <= end) continue;
    throw new BallonetError({
      code: "memory",
      what: "a range of the VM's memory",
      seen: `an end at ${start + bytes} in a memory of ${end} bytes`,
      todo: "grow the memory first, or name a smaller range",
    });
  }
}

/**
 * Finds the device, brings it up and starts the balloon. The balloon that it returns is running, or
 * waits for a device that is slow to reset; every other outcome is thrown.
 * @throws BallonetError `memory` or `config` for what the caller got wrong, `no-device`, and what
 * bring-up met: `features`, `queue`, `reset-timeout`, `pci-bar`, `pci-capability`.
 */
export async function createBalloon(options: BalloonOptions): Promise<Balloon> {
  const { memory, hal, arena, ram, signal, statistics } = options;
  const settings = makeSettings(options.settings);
  const core = await instantiate(memory, options);
  signal?.throwIfAborted();
  checkInsideMemory(memory, [arena, ...ram]);
  openMemory({ core, settings, arena, ram });
  const nextHal = reuseMessages(hal);
  const find = () => discoverBalloon({ ...options.discover, hal: nextHal() }).transport;
  const driver = new BalloonDriver({
    hal,
    core,
    settings,
    transport: options.transport ?? find(),
    policy: options.policy ?? follow(settings.follow),
    ...(statistics && { statistics }),
  });
  driver.start();
  driver.step();
  throwIfDown(driver);
  serveEarlyInterrupts(driver);
  return new EmbeddedBalloon(hal, core, driver, find);
}

/**
 * Serves the interrupts that the device raised before the VM had a balloon to tell of them. A line
 * that stays up would hide every later one.
 */
function serveEarlyInterrupts(driver: BalloonDriver): void {
  for (let round = 0; round < INTERRUPTS_MAX && driver.interrupt(); round++) {
    driver.step();
    // A message does not stay up: one round is enough.
    if (driver.status().interrupts !== "line") return;
  }
}

/** Returns the 4096 bytes of the frame with this PFN: a view of the VM's memory, not a copy. */
export function frameBytes(memory: WebAssembly.Memory, pfn: number): Uint8Array {
  return new Uint8Array(memory.buffer, pfn * FRAME_BYTES, FRAME_BYTES);
}
