/**
 * A guest in v86 with the reference device. The device's clock goes on while the guest's processor
 * waits, by real milliseconds: outside of that, driver and device take turns. While a scenario
 * waits for a guest that does nothing, both clocks are put forward.
 */
import type { Device } from "../../device/index.ts";
import { VmmError } from "../../vmm/errors.ts";
import type { Board } from "../../vmm/v86/board.ts";
import type { V86Vmm } from "../../vmm/v86/v86.ts";
import { hasDecided } from "../effects.ts";
import { MovableGuest, type RenewDevice } from "../movable-guest.ts";
import { GuestLost, type JudgedGuest, PAGE_BYTES, type SystemActions } from "../platform.ts";
import { ClockSteps, Waiting } from "./waiting.ts";

/** How often the device's clock is moved, and the guest looked at, in ms. */
const TICK_MS = 2;

/** Quiet time of a guest at rest, in ms of its own clock: Linux tries again after 200. */
const QUIET_MS = 250;

/** Time for a driver to come up, and unless it is said for a guest to come to rest, in ms. */
const COME_UP_MS = 60_000;
const TIMEOUT_MS = 60_000;

/** What a guest is made of. */
interface V86GuestParts {
  readonly vmm: V86Vmm;
  readonly board: Board;
  readonly device: Device;
  readonly renew: RenewDevice;
  readonly system: SystemActions;
  readonly signal: AbortSignal;
  /** Milliseconds in which it must come to rest. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Whether the machine goes on when the guest is closed. */
  readonly goesOn?: boolean;
}

export class V86Guest extends MovableGuest implements JudgedGuest {
  readonly pages: number;
  readonly system: SystemActions;
  private readonly vmm: V86Vmm;
  private readonly board: Board;
  private readonly signal: AbortSignal;
  private readonly goesOn: boolean;
  private readonly timeoutMs: number;
  private readonly ticks: ReturnType<typeof setInterval>;
  private lastMs = performance.now();
  private ended = false;

  constructor(parts: V86GuestParts) {
    const { vmm, board, device, renew, system, signal } = parts;
    super(device, renew);
    this.goesOn = parts.goesOn ?? false;
    this.timeoutMs = parts.timeoutMs ?? TIMEOUT_MS;
    this.vmm = vmm;
    this.board = board;
    this.signal = signal;
    this.pages = vmm.memoryBytes / PAGE_BYTES;
    this.system = Object.fromEntries(
      Object.entries(system).map(([name, act]) => [
        name,
        (...given: never[]) => this.act(() => act(...given)),
      ]),
    );
    this.ticks = setInterval(() => this.tick(), TICK_MS);
    void vmm.exited.then(() => {
      this.ended = true;
      clearInterval(this.ticks); // It would keep a machine that nobody closes.
    });
  }

  /**
   * Does what lets the driver find the device, and waits until it is up, or has had its time. A
   * guest that cannot begin is closed.
   */
  async begin(find: (signal: AbortSignal) => Promise<void> = async () => {}): Promise<this> {
    try {
      if (!(await this.found(find))) return this;
      await this.until(() => hasDecided(this.device), Math.min(COME_UP_MS, this.timeoutMs));
    } catch (error) {
      // The scenario finds the same, and tells of it.
      if (error instanceof GuestLost) return this;
      await this.close();
      throw error;
    }
    return this;
  }

  /**
   * Does this, unless the driver waits for what never comes, and keeps its system from answering.
   * Returns whether it was done.
   */
  private async found(find: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const leaving = new AbortController();
    const waiting = new Waiting(this.board);
    const found: { isOver: boolean; error?: unknown } = { isOver: false };
    const signal = AbortSignal.any([this.signal, leaving.signal]);
    void this.act(() => find(signal))
      .catch((error: unknown) => {
        found.error = error;
      })
      .finally(() => {
        found.isOver = true;
      });
    await this.until(() => {
      waiting.look(this.device);
      return found.isOver || waiting.isInVain;
    }, Number.POSITIVE_INFINITY);
    leaving.abort();
    if (found.error !== undefined) throw found.error;
    return found.isOver;
  }

  async rest(): Promise<void> {
    const waiting = new Waiting(this.board);
    const isAtRest = () => {
      waiting.look(this.device);
      if (waiting.isInVain || waiting.quietMs > QUIET_MS) return true;
      waiting.hasten(this.device, QUIET_MS);
      return false;
    };
    this.board.wake();
    if (await this.until(isAtRest, this.timeoutMs)) return;
    throw new GuestLost("hung", `the guest did not come to rest within ${this.timeoutMs / 1000} s`);
  }

  async pass(ms: number): Promise<void> {
    this.board.wake();
    const end = this.device.nowMs + ms;
    const steps = new ClockSteps(this.board);
    const hasPassed = () => {
      if (!this.ended) steps.take(this.device, end - this.device.nowMs);
      return this.device.nowMs >= end;
    };
    await this.until(hasPassed, this.timeoutMs + ms);
  }

  async close(): Promise<void> {
    clearInterval(this.ticks);
    if (!this.goesOn) await this.vmm.kill();
  }

  /** Returns whether it came true in time. @throws GuestLost when the guest ends before. */
  private async until(isTrue: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!isTrue()) {
      this.signal.throwIfAborted();
      if (this.ended) throw new GuestLost("crashed", this.lastWords());
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    return true;
  }

  /** Moves the device's clock, when the guest's processor waits. */
  private tick(): void {
    const nowMs = performance.now();
    const passedMs = nowMs - this.lastMs;
    this.lastMs = nowMs;
    if (!this.board.isHalted) return;
    this.device.advance(passedMs);
  }

  private async act<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof VmmError)) throw error;
      throw new GuestLost(error.code === "timeout" ? "hung" : "crashed", error.message);
    }
  }

  private lastWords(): string {
    return this.vmm.log.tail().slice(-2).join("; ") || "the guest ended without a word";
  }
}
