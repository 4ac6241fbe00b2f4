/** Starts a balloon in a wasm VM: the driver on the caller's memory and machine. */
import {
  arenaBytes,
  BalloonDriver,
  type CoreExports,
  checkCore,
  discoverBalloon,
  FRAME_BYTES,
  follow,
  ledgerStatistics,
  makeSettings,
  openMemory,
} from "../../runtime/index.ts";
import { type Balloon, EmbeddedBalloon, INTERRUPTS_MAX, throwIfDown } from "./balloon.ts";
import {
  checkArenaOptions,
  checkFrame,
  checkInsideMemory,
  checkOptions,
  policyOf,
} from "./check-options.ts";
import { reuseMessages } from "./forward-hal.ts";
import { foreignCore, loadCore } from "./load-core.ts";
import type { BalloonOptions } from "./options.ts";

/**
 * Returns how many bytes `arena` must have for this RAM and these settings.
 * @throws BallonetError `memory`, `config` or `core-abi`.
 */
export async function balloonArenaBytes(
  options: Pick<BalloonOptions, "ram" | "settings" | "core" | "signal">,
): Promise<number> {
  checkArenaOptions(options);
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

/**
 * Finds the device, brings it up and starts the balloon. The balloon that it returns is running, or
 * waits for a device that is slow to reset; every other outcome is thrown. It then moves when it is
 * called: hand it the device's interrupts, and call `step` when it says, or `run`, which sleeps in
 * real time. A Hal with a virtual clock, as that of `ballonet/device`, has to be moved on besides.
 * @throws BallonetError `memory` or `config` for what the caller got wrong: an option that is
 * missing, unknown or of another type than it has to be is named; `no-device`, and what
 * bring-up met: `features`, `queue`, `reset-timeout`, `pci-bar`, `pci-capability`.
 */
export async function createBalloon(options: BalloonOptions): Promise<Balloon> {
  checkOptions(options);
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
    policy: options.policy === undefined ? follow(settings.follow) : policyOf(options.policy),
    ...(statistics && { statistics: () => ({ ...ledgerStatistics(core), ...statistics() }) }),
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

/**
 * Returns the 4096 bytes of the frame with this PFN: a view of the VM's memory, not a copy.
 * @throws BallonetError `memory` when the memory has no such frame.
 */
export function frameBytes(memory: WebAssembly.Memory, pfn: number): Uint8Array {
  checkFrame(memory, pfn);
  return new Uint8Array(memory.buffer, pfn * FRAME_BYTES, FRAME_BYTES);
}
