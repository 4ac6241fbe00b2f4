/**
 * Free page hinting: telling a host what it need not copy or keep (virtio 1.3, 5.5.6.5).
 *
 *   idle -- command id --> starting -- start-posted --> hinting -- all-posted --+
 *    ^                        |                           |                     v
 *    |<-- command STOP -------+                           +-- command STOP --> ending
 *    |    (ended, where pages of an earlier run are kept)                       |
 *    +-- released ---- ended <-- stop-posted -----------------------------------+
 *    |                   |
 *    +-- command DONE -- overdue (given back without a word)
 *
 *   any state -- command of another id --> starting
 *   ended, overdue -- the same id anew --> starting
 *   hinting -- command DONE --> ending           any other state -- command DONE --> idle
 *
 * Hinted pages are kept until the host is done: to use one earlier is a race that loses data, for
 * the host may look at the hint at any time before. Each run has exactly one start and at most one
 * stop, and DONE forgets its id, because some hosts use the same one for every run.
 *
 * A host may use an id again before the guest has read DONE, and another one may never say DONE.
 * Once every buffer of a run is back, STOP among them, a change of the configuration that left the
 * target alone may announce a new run of the same id. Where DONE does not follow soon, it does. A
 * wait that no word ends is bounded: by then the host has returned all hints, so it looks at none
 * of them any more.
 *
 * A host that is stopped between a notification and its work on it, as for a migration, has
 * forgotten it when it goes on (QEMU 7.2 to 11). So the driver notifies again while nothing comes
 * back, seldom and more and more seldom.
 *
 * The queue is quiet: some hosts work on it in a thread of its own and break when they have to
 * interrupt from there. So the driver looks at it while there is something to come.
 *
 * While hints are posted, the host's command is looked at only when the host says that something
 * changed since the run began. Some hosts show 0 from a run's first buffer on and have paused
 * nothing: to a guest that looks for another reason, a run would end that has only begun.
 */
import { type CoreExports, framesIn, HINTQ } from "../core/exports.ts";
import type { Allowance } from "./allowance.ts";
import type { ConfigSeen } from "./config.ts";
import type { DeviceQueues } from "./device-queues.ts";

/** What free_page_hint_cmd_id means when it is no run's id. */
const COMMAND_STOP = 0;
const COMMAND_DONE = 1;
/** How often to look at the queue: soon in the beginning, seldom where the host is slow. */
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 1000;
/** After how long a wait the device is notified again; then after twice as long, and so on. */
const NOTIFY_AGAIN_MS = 1000;
/**
 * For so long after the guest has found a run, a configuration change may be the one that announces
 * this run, or the end of the last: the guest may have looked by itself, and the host have sent two
 * interrupts in a row.
 */
const ANNOUNCEMENT_MS = 250;
/** How long a run whose id is announced again may still end with DONE before it is a new run. */
const SAME_ID_WAIT_MS = 5000;
/** How long DONE is waited for, once the host has returned everything of the run. */
const DONE_WAIT_MS = 60_000;

type HintingState =
  | { readonly name: "idle" }
  | {
      readonly name: "starting" | "hinting" | "ending" | "ended" | "overdue";
      readonly run: number;
    };

type HintingEvent =
  | { readonly name: "command"; readonly command: number; readonly keepsPages: boolean }
  | { readonly name: "start-posted" | "all-posted" | "stop-posted" | "released" }
  | { readonly name: "same-id" | "done-overdue" };

/** Returns the state after `event`: `state` itself where it has no such arrow. */
function nextState(state: HintingState, event: HintingEvent): HintingState {
  switch (event.name) {
    case "command":
      return afterCommand(state, event);
    case "start-posted":
      return state.name === "starting" ? { name: "hinting", run: state.run } : state;
    case "all-posted":
      return state.name === "hinting" ? { name: "ending", run: state.run } : state;
    case "stop-posted":
      return state.name === "ending" ? { name: "ended", run: state.run } : state;
    case "released":
      return state.name === "ended" ? { name: "idle" } : state;
    case "same-id":
      if (state.name !== "ended" && state.name !== "overdue") return state;
      return { name: "starting", run: state.run };
    case "done-overdue":
      return state.name === "ended" ? { name: "overdue", run: state.run } : state;
  }
}

function afterCommand(
  state: HintingState,
  { command, keepsPages }: HintingEvent & { name: "command" },
): HintingState {
  const isOver = command === COMMAND_STOP || command === COMMAND_DONE;
  if (isOver && state.name === "hinting") return { name: "ending", run: state.run };
  if (command === COMMAND_DONE) return { name: "idle" };
  if (command === COMMAND_STOP) {
    if (state.name !== "starting") return state;
    return keepsPages ? { name: "ended", run: state.run } : { name: "idle" };
  }
  const isNew = state.name === "idle" || state.run !== command;
  return isNew ? { name: "starting", run: command } : state;
}

/** How much may be hinted now. */
export interface HintBounds {
  /** Free pages that are left to the guest. */
  readonly reservePages: number;
  /** Pages that may be hinted at once. */
  readonly mostPages: number;
  readonly allowed: Allowance;
  readonly now: number;
}

/** Free page hinting to one device, from its reset to the next. */
export class FreePageHinting {
  private readonly core: CoreExports;
  private readonly queues: DeviceQueues;
  private state: HintingState = { name: "idle" };
  /** DONE came while buffers were still with the device: the pages wait for them. */
  private releaseDue = false;
  private waitingSinceMs: number | undefined;
  private notifyAgainMs = 0;
  /** When the run was found. */
  private foundMs = 0;
  /** When the configuration changed, if nobody has looked at the command since. */
  private changedMs: number | undefined;
  /** When every buffer of the run was seen to be back, with STOP. */
  private backSinceMs: number | undefined;
  /** Whether the change that announced this run has come. */
  private isAnnounced = false;
  /** When the run's id was announced again, after the run's end. */
  private sameIdMs: number | undefined;
  private lastTarget: number | undefined;

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

  /** Whether to read the command now: the configuration changed, or the same id is to be judged. */
  isCommandDue(now: number): boolean {
    const { sameIdMs = Number.POSITIVE_INFINITY } = this;
    if (now >= sameIdMs + SAME_ID_WAIT_MS) return true;
    return this.changedMs !== undefined && this.heedsCommand;
  }

  /** The device configuration was read: it has `command`, where that was asked for. */
  configSeen({ command, target }: ConfigSeen, now: number): void {
    const { changedMs, lastTarget, state: before } = this;
    this.lastTarget = target;
    if (command === undefined) return;
    this.changedMs = undefined;
    if (command === COMMAND_DONE && before.name !== "idle") this.releaseDue = true;
    const keepsPages = framesIn(this.core, "hinted") > 0;
    this.change({ name: "command", command, keepsPages });
    if (this.run !== command) this.sameIdMs = undefined;
    else if (changedMs !== undefined && target === lastTarget) this.noteSameId(changedMs);
    this.judgeSameId(now);
    if (this.state === before || this.state.name !== "starting") return;
    this.foundMs = now;
    this.isAnnounced = changedMs !== undefined || this.sameIdMs !== undefined;
    this.backSinceMs = undefined;
    this.sameIdMs = undefined;
  }

  /** The configuration changed when the host had STOP, and it shows the run's id. */
  private noteSameId(changedMs: number): void {
    if (this.backSinceMs === undefined || changedMs < this.backSinceMs) return;
    // The first change after a run that the guest has found by itself announces that run.
    if (this.isAnnounced) this.sameIdMs ??= changedMs;
    this.isAnnounced = true;
  }

  /** DONE was said, and a run of the same id begun, before the guest looked. */
  private judgeSameId(now: number): void {
    if (this.sameIdMs === undefined || now < this.sameIdMs + SAME_ID_WAIT_MS) return;
    this.releaseDue = true;
    this.change({ name: "same-id" });
  }

  /** Takes in what the host has looked at. @throws BallonetError `device-lied`. */
  settle(): void {
    if (this.queues.settleHints() > 0) this.waitingSinceMs = undefined;
  }

  /** Posts what can be posted. */
  post(bounds: HintBounds): void {
    this.endWait(bounds.now);
    this.release();
    // The next run begins without the pages of the last.
    if (!this.releaseDue || this.state.name !== "starting") this.advance(bounds);
    this.queues.publish(HINTQ);
    this.notifyAgain(bounds.now);
  }

  private advance({ reservePages, mostPages, allowed, now }: HintBounds): void {
    const { core, queues } = this;
    if (this.state.name === "starting" && queues.postHintCommand(this.state.run)) {
      this.change({ name: "start-posted" });
    }
    if (this.state.name === "hinting") {
      const room = Math.max(0, mostPages - framesIn(core, "hinted"));
      const all = Math.min(room, Math.max(0, framesIn(core, "free") - reservePages));
      const want = allowed.grant(all, now);
      const posted = queues.postHints(want);
      allowed.spend(posted);
      const isFull = posted < want && queues.buffersInFlight(HINTQ) > 0;
      if (!isFull && want === all) this.change({ name: "all-posted" });
    }
    if (this.state.name === "ending" && queues.postHintCommand(COMMAND_STOP)) {
      this.change({ name: "stop-posted" });
    }
  }

  private notifyAgain(now: number): void {
    if (this.waitingSinceMs === undefined || now < this.notifyAgainMs) return;
    this.notifyAgainMs = 2 * now - this.waitingSinceMs;
    this.queues.notify(HINTQ);
  }

  /** Gives the pages of a run that is done to the guest, once the device has nothing of it left. */
  private release(): void {
    if (!this.releaseDue || this.state.name === "ending") return;
    if (this.queues.buffersInFlight(HINTQ) !== 0) return;
    this.queues.releaseHints();
    this.releaseDue = false;
    this.change({ name: "released" });
  }

  /** Bounds the wait for DONE. */
  private endWait(now: number): void {
    if (this.state.name !== "ended" || this.queues.buffersInFlight(HINTQ) !== 0) return;
    this.backSinceMs ??= now;
    if (now - this.backSinceMs < DONE_WAIT_MS) return;
    this.releaseDue = true;
    this.change({ name: "done-overdue" });
  }

  private change(event: HintingEvent): void {
    this.state = nextState(this.state, event);
  }

  /** Returns when to look at the queue again: after as long as it was waited for so far. */
  lookAgainMs(now: number): number {
    if (this.isCommandDue(now)) return now;
    if (this.queues.buffersInFlight(HINTQ) === 0) {
      this.waitingSinceMs = undefined;
      return this.waitEndsMs(now);
    }
    if (this.waitingSinceMs === undefined) this.notifyAgainMs = now + NOTIFY_AGAIN_MS;
    this.waitingSinceMs ??= now;
    const waitedMs = now - this.waitingSinceMs;
    return now + Math.min(Math.max(waitedMs, LOOK_MS_MIN), LOOK_MS_MAX);
  }

  /** Returns when the wait for the host's next word ends. */
  private waitEndsMs(now: number): number {
    const { sameIdMs = Number.POSITIVE_INFINITY, backSinceMs = now } = this;
    const isWaiting = this.state.name === "ended";
    const overdueMs = isWaiting ? backSinceMs + DONE_WAIT_MS : Number.POSITIVE_INFINITY;
    return Math.min(sameIdMs + SAME_ID_WAIT_MS, overdueMs);
  }
}
