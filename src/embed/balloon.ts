/** A running balloon: steps the driver, and changes its state between two steps. */
import {
  type BalloonDriver,
  type CoreExports,
  type DeflateMode,
  type DriverStatus,
  type FrameCounts,
  type FrameRun,
  Frames,
  frameCounts,
  type Hal,
  type Policy,
  type PolicyName,
  type Transport,
} from "../../runtime/index.ts";
import {
  checkPages,
  checkRun,
  checkTransport,
  neededSignalOf,
  policyOf,
  signalOf,
} from "./check-options.ts";
import { StillClock } from "./still-clock.ts";

/**
 * What a guest program in a wasm module of its own may import, to share memory with the balloon.
 */
export interface GuestImports {
  /** The first PFN of a run of at most `most` frames, or -1. */
  allocate(most: number): number;
  /** Length in frames of the run that `allocate` returned last. */
  run(): number;
  /** Gives `length` frames back, from PFN `first` on. Traps as `Balloon.release` throws. */
  release(first: number, length: number): void;
}

/** How long a caller waits for a reset of the device. */
export interface ResetWait {
  /**
   * Aborting rejects the call with the signal's reason. A signal that was aborted before does so
   * without touching the device. Later the device's reset goes on all the same, with the next steps
   * of the balloon; call the same method again to wait for its end.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A running balloon. All methods may also be called from within the Hal, during an access of the
 * driver: a change of the driver's state then takes place after the step that is under way.
 */
export interface Balloon extends AsyncDisposable {
  /**
   * Does all that can be done now.
   * @returns when to call again though no interrupt came, in the Hal's milliseconds; undefined:
   * never.
   */
  step(): number | undefined;
  /**
   * The device raised its interrupt: acknowledges it and steps. Returns false when the interrupt
   * was another device's.
   * @param messages bit n is set when message n came, counted in the order in which the Hal handed
   * them out. Leave it out where the Hal has no messages, or nobody knows which ones came.
   */
  interrupt(messages?: number): boolean;
  /**
   * Steps by itself until the signal aborts, the balloon stops or fails, or its device is gone. It
   * sleeps while the balloon is suspended. Interrupts still come by `interrupt`.
   *
   * It sleeps in real time. A Hal with a virtual clock (that of `ballonet/device`) has to be moved
   * on besides, by `advance(ms)` or `run()` of its machine; one whose clock stands still is warned
   * of once, in the Hal's log.
   * @throws BallonetError `config` without a signal.
   */
  run(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Returns the state of driver, device and queues, and counters since the start. */
  status(): DriverStatus;
  /** Returns how many frames of 4 KiB are in each state: free, used, in the balloon, ... */
  counts(): FrameCounts;
  /**
   * Takes a run of at most `most` frames for the guest; undefined when there is none. With
   * DEFLATE_ON_OOM negotiated the balloon is asked for pages first. A slow device answers later; a
   * later call then succeeds.
   * @throws BallonetError `memory` when `most` is no whole number from 1 on.
   */
  allocate(most: number): FrameRun | undefined;
  /** Gives frames back. @throws BallonetError `memory` when not all of them are the guest's. */
  release(run: FrameRun): void;
  /** `allocate` and `release` as imports of a guest program in wasm. */
  readonly guestImports: GuestImports;
  /**
   * Lets `policy` decide from the next step on. Pages in the balloon stay until it decides.
   * @throws BallonetError `config` when there is no policy of this name.
   */
  setPolicy(policy: Policy | PolicyName): void;
  /**
   * Sets the order in which pages leave the balloon.
   * @throws BallonetError `config` when the negotiated features forbid the mode.
   */
  setDeflateMode(mode: DeflateMode): void;
  /**
   * Sets how many free pages inflating leaves to the guest.
   * @throws BallonetError `config` when it is no whole number from 0 to 2^32 - 1.
   */
  setReserve(pages: number): void;
  /**
   * Resets the device, takes all pages back and ends `run`. Resolves when the reset is complete.
   * @throws BallonetError `reset-timeout` when the device never completes it.
   */
  stop(options?: ResetWait): Promise<void>;
  /**
   * Resets the device and takes all pages back, for a while. Settings and policy stay, and `run`
   * goes on. Resolves when the reset is complete, and rejects as `stop` does.
   */
  suspend(options?: ResetWait): Promise<void>;
  /**
   * Negotiates with a suspended device anew and goes back to its target. Rejects as `createBalloon`
   * does.
   */
  resume(options?: ResetWait): Promise<void>;
  /**
   * The device was taken out, or will be: all pages are the guest's, and the device is not touched
   * any more.
   */
  detach(): void;
  /**
   * Another device is there in place of one that is gone: brings it up. The transport's default is
   * that of `createBalloon`. Call `run` again afterwards. Rejects as `createBalloon` does.
   */
  attach(options?: { readonly transport?: Transport } & ResetWait): Promise<void>;
}

/** @throws BallonetError why the driver failed, or that its device is gone. */
export function throwIfDown({ stateName, error }: BalloonDriver): void {
  if ((stateName === "failed" || stateName === "gone") && error) throw error;
}

/** How often the balloon is asked for pages before a guest's allocation fails. */
const SHORTAGE_ROUNDS = 4;
/** Interrupts served in one step, before the caller gets its thread back. */
export const INTERRUPTS_MAX = 64;
/** How often the Hal's clock is read at least: it need not run as fast as the host's. */
const SLEEP_MAX_MS = 1000;

/** The balloon that `createBalloon` returns. */
export class EmbeddedBalloon implements Balloon {
  readonly guestImports: GuestImports;
  private readonly hal: Hal;
  private readonly core: CoreExports;
  private readonly driver: BalloonDriver;
  private readonly find: () => Transport;
  private readonly frames: Frames;
  private readonly clock: StillClock;
  private nextMs: number | undefined;
  /** A device may interrupt, or go, during an access of the driver: the step ends first. */
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
    this.clock = new StillClock(hal);
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
      // A device that interrupts without end must not keep the VM from all other work.
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

  async run(options: { readonly signal: AbortSignal }): Promise<void> {
    const signal = neededSignalOf(options);
    while (!signal.aborted) {
      const next = this.step();
      if (next === undefined && this.driver.stateName !== "suspended") return;
      await this.sleep(next, signal, (wake) => {
        this.wake = wake;
      });
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
    checkRun(run);
    this.frames.release(run);
    this.driver.memoryFreed();
    this.wake();
  }

  setPolicy(policy: Policy | PolicyName): void {
    this.driver.setPolicy(policyOf(policy));
    this.wake();
  }

  setDeflateMode(mode: DeflateMode): void {
    this.driver.setDeflateMode(mode);
  }

  setReserve(pages: number): void {
    checkPages("reserve", pages);
    this.driver.setReserve(pages);
    this.wake();
  }

  /**
   * Resolves at the time `next`, or earlier when the signal aborts or the function that `onSleep`
   * is given is called. Undefined is no time.
   */
  private async sleep(
    next: number | undefined,
    signal: AbortSignal | undefined,
    onSleep?: (wake: () => void) => void,
  ): Promise<void> {
    const ms = next === undefined ? 0 : Math.min(this.clock.waitMs(next), SLEEP_MAX_MS);
    let wake = () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isOver = await new Promise<boolean>((resolve) => {
      if (next !== undefined) timer = setTimeout(() => resolve(true), ms);
      wake = () => resolve(false);
      signal?.addEventListener("abort", wake);
      onSleep?.(wake);
    });
    clearTimeout(timer);
    signal?.removeEventListener("abort", wake);
    if (isOver) this.clock.slept(ms);
  }

  stop(options?: ResetWait): Promise<void> {
    return this.rest(() => this.driver.stop(), options);
  }

  suspend(options?: ResetWait): Promise<void> {
    return this.rest(() => this.driver.suspend(), options);
  }

  async resume(options?: ResetWait): Promise<void> {
    await this.change(() => this.driver.resume(), options);
    throwIfDown(this.driver);
  }

  detach(): void {
    if (this.isStepping) this.isDetached = true;
    else this.driver.detach();
    this.wake();
  }

  async attach(options: { readonly transport?: Transport } & ResetWait = {}): Promise<void> {
    checkTransport(options.transport);
    await this.change(() => {
      // Looking for a device would disturb one that is there.
      if (this.driver.stateName !== "gone") return;
      this.driver.attach(options.transport ?? this.find());
    }, options);
    throwIfDown(this.driver);
  }

  /** Resolves when the device is idle; a device that was removed counts as idle. */
  private async rest(change: () => void, options?: ResetWait): Promise<void> {
    await this.change(change, options);
    if (this.driver.stateName === "failed") throwIfDown(this.driver);
  }

  /** Does `change` between two steps, and waits for the end of the reset that follows. */
  private async change(change: () => void, options: ResetWait = {}): Promise<void> {
    const signal = signalOf(options);
    signal?.throwIfAborted();
    // A step awaits nothing: it is over when this goes on.
    if (this.isStepping) await Promise.resolve();
    signal?.throwIfAborted();
    change();
    let next = this.step();
    try {
      while (this.driver.stateName === "starting" || this.driver.stateName === "stopping") {
        await this.sleep(next ?? this.hal.now(), signal);
        signal?.throwIfAborted();
        next = this.step();
      }
    } finally {
      this.wake();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
