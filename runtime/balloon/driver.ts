/**
 * The balloon driver's state machine.
 *
 *                 +-------------- DEVICE_NEEDS_RESET (bounded) ------------+
 *                 v                                                        |
 *   idle -start-> starting -- bring-up done --> running -- the device lies -> failed
 *                 |                             |                            ^
 *                 +------ bring-up failed ------|----------------------------+
 *                                               +- stop -> stopping -- reset done --> stopped
 *
 * It is driven by `step` and `interrupt`; it never blocks, and every wait has a bound. It must not
 * know a bus, a ring's layout or who runs it. A turn of the running driver answers statistics
 * first: an inflate that hangs must not keep anything else from working.
 *
 * Invariant: what is done follows the features negotiated at bring-up, and `actual` is written only
 * from pages that the host has acknowledged.
 */
import {
  type CoreExports,
  DEFLATEQ,
  describeFault,
  frameCounts,
  framesIn,
  INFLATEQ,
  STATSQ,
} from "../core.ts";
import { BallonetError } from "../errors.ts";
import type { Hal } from "../hal.ts";
import { type Policy, type PolicyDecision, type PolicyView, pagesBound } from "../policy/policy.ts";
import { BringUp, type BringUpStep, type Negotiation } from "../virtio/bring-up.ts";
import { BALLOON_CONFIG, BALLOON_FEATURE, STATUS, STATUS_GONE } from "../virtio/constants.ts";
import { formatFeatures, hasFeature } from "../virtio/features.ts";
import type { Transport } from "../virtio/transport.ts";
import { checkDeflateMode, type DeflateMode } from "./deflate.ts";
import { type OpenQueues, openQueues, wantedFeatures } from "./queues.ts";
import type { DriverSettings } from "./settings.ts";
import { ledgerStatistics, postStatistics, type Statistics } from "./statistics.ts";
import type { DriverStatus } from "./status.ts";

export interface DriverOptions {
  readonly hal: Hal;
  /** Its arena is open and RAM has been added to its ledger. */
  readonly core: CoreExports;
  readonly transport: Transport;
  readonly settings: DriverSettings;
  readonly policy: Policy;
  /** What to report; the ledger's own figures by default. */
  statistics?(): Statistics;
  /** Called with each step of bring-up before it is done. */
  onStep?(step: BringUpStep): void;
}

type DriverState =
  | { readonly name: "idle" }
  | { readonly name: "starting"; readonly bringUp: BringUp }
  | { readonly name: "running"; readonly negotiation: Negotiation; readonly queues: OpenQueues }
  | { readonly name: "stopping"; readonly polls: number }
  | { readonly name: "stopped" }
  | { readonly name: "failed"; readonly error: BallonetError };

export type DriverStateName = DriverState["name"];

/** Turns in one step before the caller gets its thread back, however busy the device is. */
const TURNS_MAX = 64;
/** How often a device may ask for a reset before the driver gives it up. */
const RESTARTS_MAX = 8;
/** How long to let a device reset before looking again, and how often. */
const RESET_WAIT_MS = 1;
const STOP_POLLS_MAX = 1000;
/** An OOM deflate gives back at least this much: one buffer, 1 MiB. */
const OOM_PAGES_MIN = 256;

export class BalloonDriver {
  private readonly options: DriverOptions;
  private readonly core: CoreExports;
  private readonly transport: Transport;
  private state: DriverState = { name: "idle" };
  private policy: Policy;
  private deflateMode: DeflateMode;
  private reservePages: number;
  private random: number;

  private openedQueues: OpenQueues | undefined;
  private configDue = true;
  private pollAtMs = 0;
  private targetPages = 0;
  private targetChangedMs = 0;
  private actualWritten: number | undefined;
  private shortages = 0;
  private lastShortageMs = 0;
  private lastInflateMs: number | undefined;
  private lastOomMs: number | undefined;
  /** Pages that the guest wants back at once, still to be posted. */
  private owedPages = 0;
  private lastProgressMs = 0;
  private restarts = 0;
  private lastError: BallonetError | undefined;
  private readonly totals = {
    inflated: 0,
    deflated: 0,
    notifications: 0,
    actualWrites: 0,
    stats: 0,
  };

  constructor(options: DriverOptions) {
    this.options = options;
    this.core = options.core;
    this.transport = options.transport;
    this.policy = options.policy;
    this.deflateMode = options.settings.deflateMode;
    this.reservePages = options.settings.reservePages;
    this.random = options.settings.seed >>> 0 || 1;
  }

  get stateName(): DriverStateName {
    return this.state.name;
  }

  /** Why the driver failed, or the last trouble that it survived. */
  get error(): BallonetError | undefined {
    return this.lastError;
  }

  /** Starts bring-up; `step` carries it on. */
  start(): void {
    if (this.state.name !== "idle" && this.state.name !== "stopped") return;
    this.beginBringUp();
  }

  /**
   * Resets the device and takes every page back at once, untold: after a reset the host has no claim
   * on them, and draining a large balloon page by page would take minutes. `step` carries it on.
   */
  stop(): void {
    if (this.state.name === "stopping" || this.state.name === "stopped") return;
    if (this.state.name === "idle") this.state = { name: "stopped" };
    else {
      this.transport.tearDown();
      this.state = { name: "stopping", polls: 0 };
    }
  }

  /** Answers whether the device interrupted, and notes why. Call `step` afterwards. */
  interrupt(): boolean {
    const cause = this.transport.acknowledgeInterrupt();
    if (cause.config) this.configDue = true;
    return cause.config || cause.queue;
  }

  /**
   * Does all that can be done now.
   * @returns when to call again though no interrupt came, in the Hal's milliseconds; undefined: never.
   */
  step(): number | undefined {
    switch (this.state.name) {
      case "starting":
        return this.stepBringUp(this.state.bringUp);
      case "running":
        return this.stepRunning(this.state);
      case "stopping":
        return this.stepStopping(this.state.polls);
      case "idle":
      case "stopped":
      case "failed":
        return undefined;
    }
  }

  /**
   * The guest lacks `pages`. With DEFLATE_ON_OOM negotiated, the next steps take them back before
   * anything else, and the target is left alone for a while.
   * @returns false when the balloon cannot help.
   */
  shortage(pages: number): boolean {
    if (this.state.name !== "running") return false;
    const negotiated = this.state.negotiation.negotiated;
    if (!hasFeature(negotiated, BALLOON_FEATURE.DEFLATE_ON_OOM)) return false;
    if (framesIn(this.core, "held") + this.core.queue_pages_in_flight(DEFLATEQ) === 0) return false;
    this.lastOomMs = this.options.hal.now();
    this.owedPages = Math.max(this.owedPages, pages, OOM_PAGES_MIN);
    return true;
  }

  /** The guest freed memory: a target that was out of reach may be tried again. Then call `step`. */
  memoryFreed(): void {
    this.shortages = 0;
  }

  setPolicy(policy: Policy): void {
    this.policy = policy;
    this.shortages = 0;
  }

  /** @throws BallonetError `config` when the negotiated features forbid the mode. */
  setDeflateMode(mode: DeflateMode): void {
    checkDeflateMode(mode, this.mustTellHost());
    this.deflateMode = mode;
  }

  setReserve(pages: number): void {
    this.reservePages = pages;
    this.shortages = 0;
  }

  private mustTellHost(): boolean {
    const { state } = this;
    const negotiated = state.name === "running" ? state.negotiation.negotiated : 0n;
    return hasFeature(negotiated, BALLOON_FEATURE.MUST_TELL_HOST);
  }

  private log(level: "info" | "warn" | "error", line: string): void {
    this.options.hal.log(level, line);
  }

  private fail(error: BallonetError): void {
    this.lastError = error;
    this.state = { name: "failed", error };
    this.log("error", error.message);
  }

  // Bring-up.

  private beginBringUp(): void {
    const { core, transport, options } = this;
    const { settings } = options;
    const bringUp = new BringUp({
      transport,
      decide: (offered, refusals) => wantedFeatures(settings, offered, refusals),
      queues: (negotiation) => {
        const { negotiated } = negotiation;
        checkDeflateMode(this.deflateMode, hasFeature(negotiated, BALLOON_FEATURE.MUST_TELL_HOST));
        // The device was reset, so nothing that it had is its own any more.
        core.ledger_reclaim();
        const queues = openQueues({ core, transport, settings, negotiation });
        this.openedQueues = queues;
        return queues.setups;
      },
      beforeDriverOk: () => {
        if (this.openedQueues?.indices[STATSQ] !== undefined) this.postStatistics();
      },
      afterDriverOk: () => {
        this.publish(STATSQ);
        if (settings.actualAtStart) this.writeActual(0);
      },
      ...(options.onStep && { onStep: options.onStep }),
    });
    this.openedQueues = undefined;
    this.configDue = true;
    this.actualWritten = undefined;
    this.owedPages = 0;
    this.state = { name: "starting", bringUp };
  }

  private stepBringUp(bringUp: BringUp): number | undefined {
    let step = bringUp.advance();
    while (step !== "wait" && step !== "running" && step !== "failed") step = bringUp.advance();
    const reached = bringUp.state;
    const now = this.options.hal.now();
    if (reached.name === "failed") {
      this.fail(reached.error);
      return undefined;
    }
    if (reached.name !== "running" || this.openedQueues === undefined) return now + RESET_WAIT_MS;
    const { negotiation } = reached;
    if (negotiation.refusals > 0) {
      this.log("warn", `the device refused ${negotiation.refusals} feature sets before this one`);
    }
    this.log("info", `ready: ${formatFeatures(negotiation.negotiated)}, ${this.transport.name}`);
    this.lastProgressMs = now;
    this.state = { name: "running", negotiation, queues: this.openedQueues };
    return this.step();
  }

  private stepStopping(polls: number): number | undefined {
    if (this.transport.status() === 0) {
      this.core.ledger_reclaim();
      this.state = { name: "stopped" };
      return undefined;
    }
    if (polls + 1 < STOP_POLLS_MAX) {
      this.state = { name: "stopping", polls: polls + 1 };
      return this.options.hal.now() + RESET_WAIT_MS;
    }
    this.fail(
      new BallonetError({
        code: "reset-timeout",
        what: `reset of ${this.transport.name} to stop the driver`,
        seen: `status not 0 after ${STOP_POLLS_MAX} polls`,
        todo: "treat the balloon's pages as lost: the device may still use them",
      }),
    );
    return undefined;
  }

  // Running.

  private stepRunning(running: DriverState & { name: "running" }): number | undefined {
    const now = this.options.hal.now();
    if (now >= this.pollAtMs) {
      this.configDue = true;
      this.pollAtMs = now + this.options.settings.pollMs;
    }
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const lookAgainMs = this.turn(now, running.negotiation);
      if (this.state !== running) return this.step();
      if (!this.arm(running.queues)) {
        return lookAgainMs === undefined ? this.pollAtMs : Math.min(lookAgainMs, this.pollAtMs);
      }
    }
    return now;
  }

  /** One turn: answer, settle, look, decide, act, tell. Answers when the policy wants to look again. */
  private turn(now: number, negotiation: Negotiation): number | undefined {
    this.answerStatistics();
    this.settle(INFLATEQ, now);
    this.settle(DEFLATEQ, now);
    if (this.state.name !== "running") return undefined;
    if (this.configDue) this.readTarget(now);
    if (this.state.name !== "running") return undefined;
    const view = this.view(now, negotiation);
    const decision = this.policy.decide(view);
    this.act(view, decision);
    const actual = framesIn(this.core, "held") + this.core.queue_pages_in_flight(DEFLATEQ);
    if (actual !== (this.actualWritten ?? 0)) this.writeActual(actual);
    this.publish(DEFLATEQ);
    this.publish(INFLATEQ);
    return decision.lookAgainMs;
  }

  private answerStatistics(): void {
    if (this.openedQueues?.indices[STATSQ] === undefined) return;
    const answer = this.core.stats_take();
    if (answer < 0) this.quarantine(STATSQ, answer);
    if (answer <= 0) return;
    this.postStatistics();
    this.publish(STATSQ);
    this.totals.stats += 1;
  }

  private postStatistics(): void {
    postStatistics(this.core, this.options.statistics?.() ?? ledgerStatistics(this.core));
  }

  private settle(queue: typeof INFLATEQ | typeof DEFLATEQ, now: number): void {
    const pages = this.core.balloon_settle(queue);
    if (pages < 0) this.quarantine(queue, pages);
    if (pages <= 0) return;
    this.lastProgressMs = now;
    if (queue === INFLATEQ) this.totals.inflated += pages;
    else this.totals.deflated += pages;
  }

  /** A device that breaks the rules gets nothing more; what it holds is never used again. */
  private quarantine(queue: number, fault: number): void {
    if (this.state.name !== "running") return;
    this.transport.addStatus(STATUS.FAILED);
    this.fail(
      new BallonetError({
        code: "device-lied",
        what: `used ring of the ${["inflateq", "deflateq", "statsq"][queue]}`,
        seen: describeFault(fault),
        todo: "report it to the device's makers; the guest goes on without the balloon",
      }),
    );
  }

  private readTarget(now: number): void {
    this.configDue = false;
    const status = this.transport.status();
    if (status === STATUS_GONE) {
      const seen = "a status of all ones";
      const todo = "nothing if it was unplugged; its pages stay with the host";
      this.fail(new BallonetError({ code: "device-gone", what: this.transport.name, seen, todo }));
      return;
    }
    if ((status & STATUS.DEVICE_NEEDS_RESET) !== 0) {
      this.restart();
      return;
    }
    const targetPages = this.transport.readConfig(BALLOON_CONFIG.numPages);
    if (targetPages === this.targetPages) return;
    this.targetPages = targetPages;
    this.targetChangedMs = now;
    this.shortages = 0;
  }

  private restart(): void {
    this.restarts += 1;
    const error = new BallonetError({
      code: "device-failed",
      what: this.transport.name,
      seen: `DEVICE_NEEDS_RESET, restart ${this.restarts} of at most ${RESTARTS_MAX}`,
      todo: "look into the host's log for what the device did not like",
    });
    if (this.restarts > RESTARTS_MAX) {
      this.transport.addStatus(STATUS.FAILED);
      this.fail(error);
      return;
    }
    this.lastError = error;
    this.log("warn", error.message);
    this.beginBringUp();
  }

  private view(now: number, negotiation: Negotiation): PolicyView {
    const counts = frameCounts(this.core);
    return {
      nowMs: now,
      targetPages: this.targetPages,
      targetChangedMs: this.targetChangedMs,
      heldPages: counts.held,
      inflatingPages: counts.inflating,
      deflatingPages: this.core.queue_pages_in_flight(DEFLATEQ),
      freePages: counts.free,
      totalPages: this.core.ledger_frames() - counts.reserved,
      reservePages: this.reservePages,
      lastInflateMs: this.lastInflateMs,
      shortages: this.shortages,
      lastShortageMs: this.lastShortageMs,
      lastOomMs: this.lastOomMs,
      random: this.nextRandom(),
      deflateMode: this.deflateMode,
      deflateOnOom: hasFeature(negotiation.negotiated, BALLOON_FEATURE.DEFLATE_ON_OOM),
    };
  }

  private act(view: PolicyView, decision: PolicyDecision): void {
    const bound = pagesBound(view);
    if (decision.short) {
      this.shortages += 1;
      this.lastShortageMs = view.nowMs;
    } else if (decision.short === false) this.shortages = 0;
    if (this.owedPages > 0) {
      // Priority over any inflate: the guest is waiting for these.
      const posted = this.deflate(Math.min(this.owedPages, view.heldPages), decision.deflateMode);
      this.owedPages = view.heldPages === posted ? 0 : this.owedPages - posted;
      return;
    }
    // Below the target, pages are the host's (virtio 1.3, 5.5.6.1).
    const goal = Math.max(decision.goalPages, Math.min(view.targetPages, bound));
    if (goal < bound) {
      this.deflate(
        Math.min(bound - goal, view.heldPages, decision.atMostPages),
        decision.deflateMode,
      );
    } else if (goal > bound && !this.untoldInFlight()) {
      const posted = this.core.balloon_inflate(Math.min(goal - bound, decision.atMostPages));
      if (posted > 0) this.lastInflateMs = view.nowMs;
    }
  }

  /**
   * Pages that are in use again while their deflate is on its way must not be offered to the host a
   * second time: it would see the two messages in either order.
   */
  private untoldInFlight(): boolean {
    return this.core.queue_pages_in_flight(DEFLATEQ) !== framesIn(this.core, "deflating");
  }

  private deflate(pages: number, mode: DeflateMode): number {
    if (pages <= 0) return 0;
    checkDeflateMode(mode, this.mustTellHost());
    switch (mode) {
      case "tell-first":
        return this.core.balloon_deflate(pages);
      case "use-first":
        return this.core.balloon_deflate_untold(pages);
      case "silent":
        return this.core.balloon_deflate_silently(pages);
    }
  }

  private writeActual(pages: number): void {
    this.transport.writeConfig(BALLOON_CONFIG.actual, pages);
    this.actualWritten = pages;
    this.totals.actualWrites += 1;
  }

  private publish(queue: number): void {
    const index = this.openedQueues?.indices[queue];
    if (index === undefined || this.core.queue_publish(queue) === 0) return;
    this.totals.notifications += 1;
    this.transport.notify(index);
  }

  /**
   * Asks for one interrupt per burst: when the last buffer in flight is back. True when something
   * came back meanwhile, so that no interrupt will tell of it.
   */
  private arm(queues: OpenQueues): boolean {
    let pending = false;
    for (const queue of [INFLATEQ, DEFLATEQ, STATSQ]) {
      if (queues.indices[queue] === undefined) continue;
      const after = Math.max(0, this.core.queue_buffers_in_flight(queue) - 1);
      if (this.core.queue_arm(queue, after) !== 0) pending = true;
    }
    return pending;
  }

  private nextRandom(): number {
    // Xorshift: jitter needs spread, not secrecy.
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x >>> 0;
    return this.random / 0x1_0000_0000;
  }

  /** What there is to know, for people and programs. A snapshot; plain values. */
  status(): DriverStatus {
    const { core, state, openedQueues } = this;
    const negotiation = state.name === "running" ? state.negotiation : undefined;
    const inFlight =
      openedQueues === undefined
        ? { inflatePages: 0, deflatePages: 0 }
        : {
            inflatePages: core.queue_pages_in_flight(INFLATEQ),
            deflatePages: core.queue_pages_in_flight(DEFLATEQ),
          };
    const waiting = inFlight.inflatePages + inFlight.deflatePages > 0;
    return {
      state: state.name,
      transport: this.transport.name,
      persona: this.options.settings.persona,
      offered: formatFeatures(negotiation?.offered ?? 0n),
      negotiated: formatFeatures(negotiation?.negotiated ?? 0n),
      queues: openedQueues?.described ?? [],
      frames: frameCounts(core),
      targetPages: this.targetPages,
      actualPages: this.actualWritten ?? 0,
      inFlight,
      waitingMs: waiting ? this.options.hal.now() - this.lastProgressMs : 0,
      policy: this.policy.name,
      deflateMode: this.deflateMode,
      reservePages: this.reservePages,
      outOfReach: this.shortages > 0,
      restarts: this.restarts,
      totals: { ...this.totals },
      ...(this.lastError && {
        lastError: { code: this.lastError.code, message: this.lastError.message },
      }),
    };
  }
}
