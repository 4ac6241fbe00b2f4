/**
 * A guest in v86 with the reference device. The device's clock goes on while the guest's processor
 * waits, by real milliseconds: outside of that, driver and device take turns. Where a scenario lets
 * time pass, both clocks are put forward, so that nobody waits for a guest that does nothing.
 */
import type { Device } from "../../device/index.ts";
import { VmmError } from "../../vmm/errors.ts";
import type { Board } from "../../vmm/v86/board.ts";
import type { V86Vmm } from "../../vmm/v86/v86.ts";
import { hasDecided, Stillness } from "../effects.ts";
import { MovableGuest, type RenewDevice } from "../movable-guest.ts";
import { GuestLost, type JudgedGuest, PAGE_BYTES, type SystemActions } from "../platform.ts";

/** How often the device's clock is moved, and the guest looked at, in ms. */
const TICK_MS = 2;

/** Quiet time after which a guest is at rest, in ms: Linux tries again after 200. */
const QUIET_MS = 250;

/** What the clocks of a guest that waits are put forward by, in ms: a driver's shortest delay. */
const SKIP_MS = 10;

/** Accesses without an effect that no driver makes which gets on. */
const VAIN_ACCESSES = 200;

/** Time in which no such driver lets its processor wait without an effect, in ms. */
const VAIN_WAIT_MS = 1500;

/** What counts at most between two looks at a guest, in ms. */
const STALL_MS = 10;

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
        (...given: never[]) => this.act(act, given),
      ]),
    );
    this.ticks = setInterval(() => this.tick(), TICK_MS);
    void vmm.exited.then(() => {
      this.ended = true;
    });
  }

  /**
   * Does what lets the driver find the device, and waits until it is up, or has had its time. A
   * guest that cannot begin is closed.
   */
  async begin(find: () => Promise<void> = async () => {}): Promise<this> {
    try {
      await this.act(find, []);
      await this.until(() => hasDecided(this.device), Math.min(COME_UP_MS, this.timeoutMs));
    } catch (error) {
      // The scenario finds the same, and tells of it.
      if (error instanceof GuestLost) return this;
      await this.close();
      throw error;
    }
    return this;
  }

  async rest(): Promise<void> {
    let quietSinceMs = performance.now();
    let [lookedMs, waitedMs] = [performance.now(), 0];
    const stillness = new Stillness();
    const isAtRest = () => {
      const { counters, idle, interruptPending } = this.device;
      const { quietMs, ...vain } = stillness.look(this.device, counters.accesses);
      const isQuiet = quietMs > 0 && idle && !interruptPending;
      if (!isQuiet || !this.board.isHalted) quietSinceMs = performance.now();
      // A stall of the host is no waiting of the guest.
      const passedMs = Math.min(performance.now() - lookedMs, STALL_MS);
      lookedMs = performance.now();
      waitedMs = vain.vainMs === 0 ? 0 : waitedMs + (this.board.isHalted ? passedMs : 0);
      // On a busy machine a guest that gets on makes few accesses in a long time, but works.
      const hasWaited = waitedMs > VAIN_WAIT_MS || vain.vainAccesses > VAIN_ACCESSES;
      const isInVain = vain.isInVain && hasWaited && !interruptPending;
      return (isInVain && idle) || performance.now() - quietSinceMs > QUIET_MS;
    };
    this.board.wake();
    if (await this.until(isAtRest, this.timeoutMs)) return;
    throw new GuestLost("hung", `the guest did not come to rest within ${this.timeoutMs / 1000} s`);
  }

  async pass(ms: number): Promise<void> {
    this.board.wake();
    const end = this.device.nowMs + ms;
    const hasPassed = () => {
      this.skip(end - this.device.nowMs);
      return this.device.nowMs >= end;
    };
    await this.until(hasPassed, this.timeoutMs + ms);
  }

  /** Puts both clocks forward, by `ms` at most, where driver and device have nothing to do. */
  private skip(ms: number): void {
    const { idle, interruptPending } = this.device;
    const skippedMs = Math.min(SKIP_MS, ms);
    if (this.ended || skippedMs <= 0 || !idle || interruptPending) return;
    if (this.board.skip(skippedMs)) this.device.advance(skippedMs);
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
    if (this.ended || !this.board.isHalted) return;
    this.device.advance(passedMs);
  }

  private async act(act: (...given: never[]) => Promise<unknown>, given: never[]) {
    try {
      return await act(...given);
    } catch (error) {
      if (!(error instanceof VmmError)) throw error;
      throw new GuestLost(error.code === "timeout" ? "hung" : "crashed", error.message);
    }
  }

  private lastWords(): string {
    return this.vmm.log.tail().slice(-2).join("; ") || "the guest ended without a word";
  }
}
