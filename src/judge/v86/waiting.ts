/** How a guest in v86 waits: for what the host does next, or for what never comes. */
import type { Device } from "../../device/index.ts";
import type { Board } from "../../vmm/v86/board.ts";
import { Stillness } from "../effects.ts";

/** What a machine has to show of its waiting. */
type WaitingBoard = Pick<Board, "isHalted" | "skip">;

/** What the clocks of a guest that waits are put forward by at first: a driver's shortest delay. */
const SKIP_MS = 10;

/** What they are put forward by at most, where the driver let its device be. */
const SKIP_MS_MAX = 80;

/** Accesses without an effect that no driver makes which gets on. */
const VAIN_ACCESSES = 200;

/** Time in which no such driver lets its processor wait without an effect, in ms. */
const VAIN_WAIT_MS = 1500;

/** What counts at most between two looks at a guest, in ms: a stall of the host is no waiting. */
const STALL_MS = 10;

/**
 * Puts the clocks of a guest and of its device forward while both have nothing to do, so that
 * nobody waits with them. Steps grow until the driver turns to its device.
 */
export class ClockSteps {
  private readonly board: WaitingBoard;
  private stepMs = SKIP_MS;
  private accesses = -1;

  constructor(board: WaitingBoard) {
    this.board = board;
  }

  /**
   * Takes one step, of `mostMs` at most. Returns its length in ms; 0 where something is to be done,
   * or where the guest has not run since the last step.
   */
  take(device: Device, mostMs: number): number {
    const { counters, idle, interruptPending } = device;
    if (counters.accesses !== this.accesses) this.stepMs = SKIP_MS;
    this.accesses = counters.accesses;
    const ms = Math.min(this.stepMs, mostMs);
    if (ms <= 0 || !idle || interruptPending || !this.board.skip(ms)) return 0;
    device.advance(ms);
    this.stepMs = Math.min(2 * this.stepMs, SKIP_MS_MAX);
    return ms;
  }
}

/** What looks at a guest show of its waiting, from the first one on. */
export class Waiting {
  /** Milliseconds of the guest's time in which it has let its device be, and waited. */
  quietMs = 0;
  /** Whether the driver tries again and again what cannot be done. */
  isInVain = false;
  private readonly board: WaitingBoard;
  private readonly steps: ClockSteps;
  private readonly stillness = new Stillness();
  private lookedMs = performance.now();
  private waitedMs = 0;
  /** The last step of the clocks, which counts when the guest has waited on after it. */
  private steppedMs = 0;

  constructor(board: WaitingBoard) {
    this.board = board;
    this.steps = new ClockSteps(board);
  }

  look(device: Device): void {
    const { counters, idle, interruptPending } = device;
    const { isHalted } = this.board;
    const seen = this.stillness.look(device, counters.accesses);
    const passedMs = Math.min(performance.now() - this.lookedMs, STALL_MS);
    this.lookedMs = performance.now();
    this.waitedMs = seen.vainMs === 0 ? 0 : this.waitedMs + (isHalted ? passedMs : 0);
    // On a busy machine a guest that gets on makes few accesses in a long time, but works.
    const hasWaited = this.waitedMs > VAIN_WAIT_MS || seen.vainAccesses > VAIN_ACCESSES;
    this.isInVain = seen.isInVain && hasWaited && idle && !interruptPending;
    if (seen.quietMs === 0 || !isHalted || !idle || interruptPending) {
      this.quietMs = 0;
      this.steppedMs = 0;
    } else {
      this.quietMs += passedMs;
    }
  }

  /** Puts the guest's clock forward, where it waits. */
  hasten(device: Device, mostMs: number): void {
    const ms = this.steps.take(device, mostMs);
    if (ms === 0) return;
    this.quietMs += this.steppedMs;
    this.steppedMs = ms;
  }
}
