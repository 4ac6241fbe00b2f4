/**
 * Free page hinting: telling a host what it need not copy or keep (virtio 1.3, 5.5.6.5).
 *
 *   idle -- the host names a run --> starting -- its id posted --> hinting -- no more pages --+
 *    ^                                                              |                         v
 *    |                                             the host pauses  +--------------------> ending
 *    |                                                                                        |
 *    +--- the host is done: pages back, run forgotten --- ended <---- STOP posted ------------+
 *
 * Hinted pages are kept until the host is done: to use one earlier is a race that loses data, for
 * the host may look at the hint at any time before. The queue is quiet: some hosts work on
 * it in a thread of its own and break when they have to interrupt from there, so it is looked at
 * while there is something to come. It must not know why the host wants hints.
 *
 * While hints are posted, the host's command is looked at only when the host says that something
 * changed since the run began. Some hosts show 0 from a run's first buffer on and have paused
 * nothing: to a guest that looks for another reason, a run would end that has only begun.
 *
 * Invariant: each run has exactly one start and at most one stop, and DONE forgets its id, because
 * some hosts use the same one for every run.
 */
import { type CoreExports, framesIn, HINTQ } from "../core/exports.ts";

/** What free_page_hint_cmd_id means when it is no run's id. */
const COMMAND_STOP = 0;
const COMMAND_DONE = 1;
/** How often to look at the queue: soon in the beginning, seldom where the host is slow. */
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 1000;
/**
 * How long after the guest has found a run the word may come that it is on, or that the last one is
 * over: the guest may have looked by itself, and the host have sent two words in a row.
 */
const ANNOUNCEMENT_MS = 250;

type HintingState =
  | { readonly name: "idle" }
  | { readonly name: "starting"; readonly run: number }
  | { readonly name: "hinting"; readonly run: number }
  | { readonly name: "ending"; readonly run: number }
  | { readonly name: "ended"; readonly run: number };

export class Hinting {
  private readonly core: CoreExports;
  private state: HintingState = { name: "idle" };
  /** DONE came while buffers were still with the device: the pages wait for them. */
  private releaseDue = false;
  private waitingSinceMs: number | undefined;
  /** When the run was found, and when the host has said last that something changed. */
  private foundMs = 0;
  private toldMs: number | undefined;
  hintedFrames = 0;

  constructor(core: CoreExports) {
    this.core = core;
  }

  /** The run that is under way or was not declared done yet. */
  get run(): number | undefined {
    return this.state.name === "idle" ? undefined : this.state.run;
  }

  /** After a device reset: its runs are over, and the ledger has the pages back. */
  reset(): void {
    this.state = { name: "idle" };
    this.releaseDue = false;
    this.waitingSinceMs = undefined;
    this.toldMs = undefined;
  }

  /** The host says that something changed in its configuration. */
  tell(now: number): void {
    this.toldMs = now;
  }

  /** Whether what the host's command says can be taken at its word. */
  get listens(): boolean {
    const { toldMs = Number.NEGATIVE_INFINITY } = this;
    return this.state.name !== "hinting" || toldMs - this.foundMs >= ANNOUNCEMENT_MS;
  }

  /** Whether to look at it now: the host said something, and nobody has looked since. */
  get isDue(): boolean {
    return this.toldMs !== undefined && this.listens;
  }

  /** What the device configuration says now. */
  command(command: number, now: number): void {
    this.toldMs = undefined;
    const { state } = this;
    if (command === COMMAND_DONE) {
      this.releaseDue = state.name !== "idle" || this.releaseDue;
      this.state = state.name === "hinting" ? { name: "ending", run: state.run } : { name: "idle" };
    } else if (command === COMMAND_STOP) {
      if (state.name === "hinting") this.state = { name: "ending", run: state.run };
      else if (state.name === "starting") this.state = { name: "idle" };
    } else if (state.name === "idle" || state.run !== command) {
      this.state = { name: "starting", run: command };
      this.foundMs = now;
    }
  }

  /** Posts what can be posted, leaving `reserve` free pages to the guest. */
  turn(reservePages: number): void {
    const { core } = this;
    // Before the next run begins, whose pages must not go with these.
    this.release();
    if (this.releaseDue && this.state.name === "starting") return;
    if (this.state.name === "starting" && core.hint_command(this.state.run) !== 0) {
      this.state = { name: "hinting", run: this.state.run };
    }
    if (this.state.name === "hinting") {
      const want = Math.max(0, framesIn(core, "free") - reservePages);
      const posted = core.hint_post(want);
      this.hintedFrames += posted;
      const isFull = posted < want && core.queue_buffers_in_flight(HINTQ) > 0;
      if (!isFull) this.state = { name: "ending", run: this.state.run };
    }
    if (this.state.name === "ending" && core.hint_command(COMMAND_STOP) !== 0) {
      this.state = { name: "ended", run: this.state.run };
    }
  }

  /** Gives the pages of a run that is done to the guest, once the device has nothing of it left. */
  private release(): void {
    const { core } = this;
    if (!this.releaseDue || this.state.name === "ending") return;
    if (core.queue_buffers_in_flight(HINTQ) !== 0) return;
    core.hint_release();
    this.releaseDue = false;
    if (this.state.name === "ended") this.state = { name: "idle" };
  }

  /**
   * When to look at the queue again, now that it is known whether anything `moved`. The time to
   * wait is the time waited so far.
   */
  lookAgainMs(now: number, moved: boolean): number {
    if (this.core.queue_buffers_in_flight(HINTQ) === 0) {
      this.waitingSinceMs = undefined;
      return Number.POSITIVE_INFINITY;
    }
    if (moved || this.waitingSinceMs === undefined) this.waitingSinceMs = now;
    const waitedMs = now - this.waitingSinceMs;
    return now + Math.min(Math.max(waitedMs, LOOK_MS_MIN), LOOK_MS_MAX);
  }
}
