/**
 * Free page hinting: telling a host what it need not copy or keep (virtio 1.3, 5.5.6.5).
 *
 *   idle -- command id --> starting -- start-posted --> hinting -- all-posted --+
 *    ^                        |                           |                     v
 *    |<-- command STOP -------+                           +-- command STOP --> ending
 *    |                                                                          |
 *    +-- released ---- ended <-- stop-posted -----------------------------------+
 *
 *   any state -- command of another id --> starting
 *   hinting -- command DONE --> ending           any other state -- command DONE --> idle
 *
 * Hinted pages are kept until the host is done: to use one earlier is a race that loses data, for
 * the host may look at the hint at any time before. Each run has exactly one start and at most one
 * stop, and DONE forgets its id, because some hosts use the same one for every run.
 *
 * The queue is quiet: some hosts work on it in a thread of its own and break when they have to
 * interrupt from there. So the driver looks at it while there is something to come.
 *
 * While hints are posted, the host's command is looked at only when the host says that something
 * changed since the run began. Some hosts show 0 from a run's first buffer on and have paused
 * nothing: to a guest that looks for another reason, a run would end that has only begun.
 */
import { type CoreExports, framesIn, HINTQ } from "../core/exports.ts";
import type { DeviceQueues } from "./device-queues.ts";

/** What free_page_hint_cmd_id means when it is no run's id. */
const COMMAND_STOP = 0;
const COMMAND_DONE = 1;
/** How often to look at the queue: soon in the beginning, seldom where the host is slow. */
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 1000;
/**
 * For so long after the guest has found a run, a configuration change may be the one that announces
 * this run, or the end of the last: the guest may have looked by itself, and the host have sent two
 * interrupts in a row.
 */
const ANNOUNCEMENT_MS = 250;

type HintingState =
  | { readonly name: "idle" }
  | { readonly name: "starting" | "hinting" | "ending" | "ended"; readonly run: number };

type HintingEvent =
  | { readonly name: "command"; readonly command: number }
  | { readonly name: "start-posted" | "all-posted" | "stop-posted" | "released" };

/** Returns the state after `event`: `state` itself where it has no such arrow. */
function nextState(state: HintingState, event: HintingEvent): HintingState {
  switch (event.name) {
    case "command":
      return afterCommand(state, event.command);
    case "start-posted":
      return state.name === "starting" ? { name: "hinting", run: state.run } : state;
    case "all-posted":
      return state.name === "hinting" ? { name: "ending", run: state.run } : state;
    case "stop-posted":
      return state.name === "ending" ? { name: "ended", run: state.run } : state;
    case "released":
      return state.name === "ended" ? { name: "idle" } : state;
  }
}

function afterCommand(state: HintingState, command: number): HintingState {
  const isOver = command === COMMAND_STOP || command === COMMAND_DONE;
  if (isOver && state.name === "hinting") return { name: "ending", run: state.run };
  if (command === COMMAND_DONE) return { name: "idle" };
  if (command === COMMAND_STOP) return state.name === "starting" ? { name: "idle" } : state;
  const isNew = state.name === "idle" || state.run !== command;
  return isNew ? { name: "starting", run: command } : state;
}

/** Free page hinting to one device, from its reset to the next. */
export class FreePageHinting {
  private readonly core: CoreExports;
  private readonly queues: DeviceQueues;
  private state: HintingState = { name: "idle" };
  /** DONE came while buffers were still with the device: the pages wait for them. */
  private releaseDue = false;
  private waitingSinceMs: number | undefined;
  /** When the run was found. */
  private foundMs = 0;
  /** When the configuration changed, if nobody has looked at the command since. */
  private changedMs: number | undefined;

  constructor(core: CoreExports, queues: DeviceQueues) {
    this.core = core;
    this.queues = queues;
  }

  /** The run that is under way or was not declared done yet. */
  get run(): number | undefined {
    return this.state.name === "idle" ? undefined : this.state.run;
  }

  /** The host says that its configuration changed. */
  configChanged(now: number): void {
    this.changedMs = now;
  }

  /**
   * Whether free_page_hint_cmd_id may start or end a run now: some hosts show 0 during a run.
   */
  get heedsCommand(): boolean {
    const { changedMs = Number.NEGATIVE_INFINITY } = this;
    return this.state.name !== "hinting" || changedMs - this.foundMs >= ANNOUNCEMENT_MS;
  }

  /** Whether to read the command now: the configuration changed, and nobody has looked since. */
  get isCommandDue(): boolean {
    return this.changedMs !== undefined && this.heedsCommand;
  }

  /** The device configuration has `command` in free_page_hint_cmd_id. */
  commandSeen(command: number, now: number): void {
    this.changedMs = undefined;
    if (command === COMMAND_DONE && this.state.name !== "idle") this.releaseDue = true;
    const before = this.state;
    this.change({ name: "command", command });
    if (this.state !== before && this.state.name === "starting") this.foundMs = now;
  }

  /** Takes in what the host has looked at. @throws BallonetError `device-lied`. */
  settle(): void {
    if (this.queues.settleHints() > 0) this.waitingSinceMs = undefined;
  }

  /** Posts what can be posted, leaving `reservePages` free pages to the guest. */
  post(reservePages: number): void {
    const { core, queues } = this;
    // Before the next run begins, whose pages must not go with these.
    this.release();
    if (this.releaseDue && this.state.name === "starting") return;
    if (this.state.name === "starting" && queues.postHintCommand(this.state.run)) {
      this.change({ name: "start-posted" });
    }
    if (this.state.name === "hinting") {
      const want = Math.max(0, framesIn(core, "free") - reservePages);
      const isFull = queues.postHints(want) < want && queues.buffersInFlight(HINTQ) > 0;
      if (!isFull) this.change({ name: "all-posted" });
    }
    if (this.state.name === "ending" && queues.postHintCommand(COMMAND_STOP)) {
      this.change({ name: "stop-posted" });
    }
    queues.publish(HINTQ);
  }

  /** Gives the pages of a run that is done to the guest, once the device has nothing of it left. */
  private release(): void {
    if (!this.releaseDue || this.state.name === "ending") return;
    if (this.queues.buffersInFlight(HINTQ) !== 0) return;
    this.queues.releaseHints();
    this.releaseDue = false;
    this.change({ name: "released" });
  }

  private change(event: HintingEvent): void {
    this.state = nextState(this.state, event);
  }

  /** Returns when to look at the queue again: after as long as it was waited for so far. */
  lookAgainMs(now: number): number {
    if (this.isCommandDue) return now;
    if (this.queues.buffersInFlight(HINTQ) === 0) {
      this.waitingSinceMs = undefined;
      return Number.POSITIVE_INFINITY;
    }
    this.waitingSinceMs ??= now;
    const waitedMs = now - this.waitingSinceMs;
    return now + Math.min(Math.max(waitedMs, LOOK_MS_MIN), LOOK_MS_MAX);
  }
}
