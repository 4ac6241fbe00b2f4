/**
 * A balloon for a wasm VM: the driver run against the caller's memory and machine.
 *
 * It must not decide anything that the driver or its policy decides. Invariant: a balloon that
 * `createBalloon` answers is running, or waits for a device that is slow to reset; every other
 * outcome is thrown.
 */
import {
  arenaBytes,
  BallonetError,
  BalloonDriver,
  type CoreExports,
  checkCore,
  type DeflateMode,
  type DiscoverOptions,
  type DriverStatus,
  discoverBalloon,
  FRAME_BYTES,
  type FrameCounts,
  type FrameRun,
  Frames,
  follow,
  frameCounts,
  type Hal,
  type MemoryRange,
  makeSettings,
  openMemory,
  type Policy,
  type SettingsInput,
  type Statistics,
  type Transport,
} from "../../runtime/index.ts";
import { halForEach } from "./forward-hal.ts";
import { type CoreSource, foreignCore, loadCore } from "./load-core.ts";

export interface BalloonOptions {
  /** The VM's memory: its offset 0 is guest physical address 0. */
  readonly memory: WebAssembly.Memory;
  /** The machine that the driver runs on. */
  readonly hal: Hal;
  /**
   * Where the core keeps its own things: page-aligned, not at 0; `balloonArenaBytes` says how much.
   */
  readonly arena: MemoryRange;
  /** The RAM that guest and balloon share: page-aligned, without the arena. */
  readonly ram: readonly MemoryRange[];
  /** Default: `follow()`. */
  readonly policy?: Policy;
  /** A persona and changes to it. */
  readonly settings?: SettingsInput;
  /** What to report to the host. Default: what the ledger knows. */
  readonly statistics?: () => Statistics;
  /** core.wasm. Default: the one that this package carries. */
  readonly core?: CoreSource;
  /** The way to the device. Default: the first balloon that the Hal reaches. */
  readonly transport?: Transport;
  /** How to look for it: which interface and which interrupts to prefer, where MMIO slots are. */
  readonly discover?: Omit<DiscoverOptions, "hal">;
  readonly signal?: AbortSignal;
}

/**
 * What a guest program in a wasm module of its own may import, to share memory with the balloon.
 */
export interface GuestImports {
  /** The first PFN of a run of at most `most` frames, or -1. */
  allocate(most: number): number;
  /** Length of the run that `allocate` answered last. */
  run(): number;
  release(first: number, length: number): void;
}

/**
 * All of it may be called from within the Hal too, amid an access of the driver's: what would
 * change the driver's state is then done when the step that is under way is over.
 */
export interface Balloon extends AsyncDisposable {
  /**
   * Does all that can be done now.
   * @returns when to call again though no interrupt came, in the Hal's milliseconds; undefined:
   * never.
   */
  step(): number | undefined;
  /**
   * The device raised its interrupt: acknowledges it and steps. False: it was another device's.
   * @param messages which of the Hal's messages came, a bit each, if it has messages and that is
   * known; bit 0 is the first that it handed out.
   */
  interrupt(messages?: number): boolean;
  /**
   * Steps by itself until the signal aborts, the balloon stops or fails, or its device is gone;
   * sleeps while it is suspended. Interrupts still come by `interrupt`.
   */
  run(options: { signal: AbortSignal }): Promise<void>;
  status(): DriverStatus;
  counts(): FrameCounts;
  /**
   * A run of at most `most` frames for the guest; undefined when there is none. With DEFLATE_ON_OOM
   * negotiated the balloon is asked first; a device that answers later makes a later call succeed.
   */
  allocate(most: number): FrameRun | undefined;
  /** @throws BallonetError `memory` when not all of the frames are the guest's. */
  release(run: FrameRun): void;
  /** The same two for a guest program in wasm. */
  readonly guestImports: GuestImports;
  setPolicy(policy: Policy): void;
  /** @throws BallonetError `config` when the negotiated features forbid the mode. */
  setDeflateMode(mode: DeflateMode): void;
  /** Free pages that inflating leaves to the guest. */
  setReserve(pages: number): void;
  /**
   * Resets the device, takes all pages back and ends `run`. Resolves when the reset is complete.
   */
  stop(): Promise<void>;
  /**
   * Resets the device and takes all pages back, for a while. Settings and policy stay, and `run`
   * goes on. Resolves when the reset is complete.
   */
  suspend(): Promise<void>;
  /**
   * Brings a suspended device up again, whatever it offers now, and goes back to its target.
   * Rejects as `createBalloon` does.
   */
  resume(): Promise<void>;
  /** The device was taken out, or will be: all pages are the guest's, and it is left alone. */
  detach(): void;
  /**
   * Another device was put in, in place of one that is gone; the transport's default is that of
   * `createBalloon`. Then call `run` again. Rejects as `createBalloon` does.
   */
  attach(transport?: Transport): Promise<void>;
}

/** Bytes that `arena` must have for this RAM and these settings. */
export async function balloonArenaBytes(
  options: Pick<BalloonOptions, "ram" | "settings" | "core">,
): Promise<number> {
  const core = await instantiate(new WebAssembly.Memory({ initial: 0 }), options.core);
  return arenaBytes({ core, settings: makeSettings(options.settings), ram: options.ram });
}

async function instantiate(memory: WebAssembly.Memory, source?: CoreSource): Promise<CoreExports> {
  const module = await loadCore(source);
  // One thread, so program order is enough; a call is a barrier to the compiler.
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
 * Finds the device, brings it up and starts the balloon.
 * @throws BallonetError `memory` or `config` for what the caller got wrong, `no-device`, and what
 * bring-up met: `features`, `queue`, `reset-timeout`, `pci-bar`, `pci-capability`.
 */
export async function createBalloon(options: BalloonOptions): Promise<Balloon> {
  const { memory, hal, arena, ram, signal, statistics } = options;
  const settings = makeSettings(options.settings);
  const core = await instantiate(memory, options.core);
  signal?.throwIfAborted();
  checkInsideMemory(memory, [arena, ...ram]);
  openMemory({ core, settings, arena, ram });
  const nextHal = halForEach(hal);
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
  takeUpUnheard(driver);
  return new EmbeddedBalloon(hal, core, driver, find);
}

/**
 * Takes up the interrupts that the device raised before the VM had a balloon to tell of them. A
 * line that stays up would hide every later one.
 */
function takeUpUnheard(driver: BalloonDriver): void {
  for (let round = 0; round < INTERRUPTS_MAX && driver.interrupt(); round++) {
    driver.step();
    // A message is not held up: to look once is enough.
    if (driver.status().interrupts !== "line") return;
  }
}

/** @throws BallonetError why the driver failed, or that its device is gone. */
function throwIfDown({ stateName, error }: BalloonDriver): void {
  if ((stateName === "failed" || stateName === "gone") && error) throw error;
}

/** Rounds of asking the balloon for memory before a guest's allocation fails. */
const SHORTAGE_ROUNDS = 4;
/** Interrupts taken up in one step before the caller gets its thread back. */
const INTERRUPTS_MAX = 64;
/** Whoever awaits this goes on when the step that is under way, which awaits nothing, is over. */
const BETWEEN_STEPS = Promise.resolve();
/** Waiting longer than this in one piece would hide a clock that stands still. */
const SLEEP_MOST_MS = 1000;

class EmbeddedBalloon implements Balloon {
  readonly guestImports: GuestImports;
  private readonly hal: Hal;
  private readonly core: CoreExports;
  private readonly driver: BalloonDriver;
  private readonly find: () => Transport;
  private readonly frames: Frames;
  private nextMs: number | undefined;
  /** A device may interrupt, or go, amid one of the driver's accesses: taken up afterwards. */
  private isStepping = false;
  private isInterrupted = false;
  private isDetached = false;
  private wake: () => void = () => {};

  constructor(hal: Hal, core: CoreExports, driver: BalloonDriver, find: () => Transport) {
    this.hal = hal;
    this.core = core;
    this.driver = driver;
    this.find = find;
    this.frames = new Frames(core);
    let length = 0;
    this.guestImports = {
      allocate: (most) => {
        const run = this.allocate(most >>> 0);
        length = run?.length ?? 0;
        return run === undefined ? -1 : run.first | 0;
      },
      run: () => length,
      release: (first, count) => this.release({ first: first >>> 0, length: count >>> 0 }),
    };
  }

  step(): number | undefined {
    if (this.isStepping) return this.nextMs;
    this.isStepping = true;
    try {
      for (let round = 0; round < INTERRUPTS_MAX; round++) {
        this.nextMs = this.driver.step();
        if (this.isDetached) this.driver.detach();
        else if (this.isInterrupted) this.driver.interrupt();
        else return this.nextMs;
        this.isDetached = false;
        this.isInterrupted = false;
      }
      // A device that interrupts without end must not keep the VM from everything else.
      this.nextMs = this.hal.now();
      return this.nextMs;
    } finally {
      this.isStepping = false;
    }
  }

  interrupt(messages?: number): boolean {
    if (this.isStepping) {
      this.isInterrupted = true;
      return true;
    }
    const ours = this.driver.interrupt(messages);
    if (ours) this.step();
    this.wake();
    return ours;
  }

  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      const next = this.step();
      if (next === undefined && this.driver.stateName !== "suspended") return;
      await new Promise<void>((resolve) => {
        const timer = next === undefined ? undefined : setTimeout(resolve, this.waitMs(next));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener("abort", this.wake, { once: true });
      });
      signal.removeEventListener("abort", this.wake);
    }
  }

  status(): DriverStatus {
    return this.driver.status();
  }

  counts(): FrameCounts {
    return frameCounts(this.core);
  }

  allocate(most: number): FrameRun | undefined {
    for (let round = 0; round < SHORTAGE_ROUNDS; round++) {
      const run = this.frames.allocate(most);
      if (run !== undefined) return run;
      if (!this.driver.shortage(most)) return undefined;
      this.step();
    }
    return undefined;
  }

  release(run: FrameRun): void {
    this.frames.release(run);
    this.driver.memoryFreed();
    this.wake();
  }

  setPolicy(policy: Policy): void {
    this.driver.setPolicy(policy);
    this.wake();
  }

  setDeflateMode(mode: DeflateMode): void {
    this.driver.setDeflateMode(mode);
  }

  setReserve(pages: number): void {
    this.driver.setReserve(pages);
    this.wake();
  }

  private waitMs(next: number): number {
    return Math.min(Math.max(0, next - this.hal.now()), SLEEP_MOST_MS);
  }

  stop(): Promise<void> {
    return this.rest(() => this.driver.stop());
  }

  suspend(): Promise<void> {
    return this.rest(() => this.driver.suspend());
  }

  async resume(): Promise<void> {
    await this.change(() => this.driver.resume());
    throwIfDown(this.driver);
  }

  detach(): void {
    if (this.isStepping) this.isDetached = true;
    else this.driver.detach();
    this.wake();
  }

  async attach(transport?: Transport): Promise<void> {
    await this.change(() => this.driver.attach(transport ?? this.find()));
    throwIfDown(this.driver);
  }

  /** As good as at rest is a device that is gone. */
  private async rest(deed: () => void): Promise<void> {
    await this.change(deed);
    if (this.driver.stateName === "failed") throwIfDown(this.driver);
  }

  /** Does `deed` between two steps, and waits out the reset that follows, which has an end. */
  private async change(deed: () => void): Promise<void> {
    if (this.isStepping) await BETWEEN_STEPS;
    deed();
    let next = this.step();
    while (this.driver.stateName === "starting" || this.driver.stateName === "stopping") {
      const waitMs = this.waitMs(next ?? this.hal.now());
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      next = this.step();
    }
    this.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Bytes of the frame with this PFN, in the VM's memory. */
export function frameBytes(memory: WebAssembly.Memory, pfn: number): Uint8Array {
  return new Uint8Array(memory.buffer, pfn * FRAME_BYTES, FRAME_BYTES);
}
