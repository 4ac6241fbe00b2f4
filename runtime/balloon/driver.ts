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
import { type CoreExports, DEFLATEQ, frameCounts, framesIn, INFLATEQ } from "../core.ts";
import { BallonetError } from "../errors.ts";
import type { Hal } from "../hal.ts";
import { Outlook } from "../policy/outlook.ts";
import { type Policy, type PolicyDecision, type PolicyView, pagesBound } from "../policy/policy.ts";
import type { BringUp, BringUpStep, Negotiation } from "../virtio/bring-up.ts";
import { BALLOON_FEATURE } from "../virtio/constants.ts";
import { formatFeatures, hasFeature } from "../virtio/features.ts";
import type { Transport } from "../virtio/transport.ts";
import { checkDeflateMode, type DeflateMode } from "./deflate.ts";
import { Link } from "./link.ts";
import type { DriverSettings } from "./settings.ts";
import type { Statistics } from "./statistics.ts";
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
  | { readonly name: "running"; readonly negotiation: Negotiation }
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
const NEVER_MS = Number.POSITIVE_INFINITY;
/** An inflate that the host no longer wants, and has not answered for so long, is taken back. */
const INFLATEQ_RESET_MS = 2000;
/** How often to look whether the reset of that queue is over. */
const QUEUE_RESET_WAIT_MS = 10;
/** An OOM deflate gives back at least this much: one buffer, 1 MiB. */
const OOM_PAGES_MIN = 256;

export class BalloonDriver {
  private readonly options: DriverOptions;
  private readonly core: CoreExports;
  private readonly transport: Transport;
  private readonly link: Link;
  private readonly outlook: Outlook;
  private state: DriverState = { name: "idle" };
  private policy: Policy;
  private deflateMode: DeflateMode;

  private configDue = true;
  private pollAtMs = 0;
  private lastProgressMs = 0;
  /** Pages that the guest wants back at once, still to be posted. */
  private owedPages = 0;
  private restarts = 0;
  private lastError: BallonetError | undefined;

  constructor(options: DriverOptions) {
    const { core, settings } = options;
    this.options = options;
    this.core = core;
    this.transport = options.transport;
    this.link = new Link(options);
    const { reservePages, seed } = settings;
    this.outlook = new Outlook({ core, reservePages, seed });
    this.policy = options.policy;
    this.deflateMode = settings.deflateMode;
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
    if (this.state.name === "idle" || this.state.name === "stopped") this.beginBringUp();
  }

  /**
   * Resets the device and takes every page back at once, untold: after a reset the host has no
   * claim on them, and draining a large balloon page by page would take minutes. `step` carries it
   * on.
   */
  stop(): void {
    if (this.state.name === "stopping" || this.state.name === "stopped") return;
    if (this.state.name !== "idle") this.transport.tearDown();
    this.state = this.state.name === "idle" ? { name: "stopped" } : { name: "stopping", polls: 0 };
  }

  /** Answers whether the device interrupted, and notes why. Call `step` afterwards. */
  interrupt(): boolean {
    const cause = this.transport.acknowledgeInterrupt();
    if (cause.config) this.configDue = true;
    return cause.config || cause.queue;
  }

  /**
   * Does all that can be done now.
   * @returns when to call again though no interrupt came, in the Hal's milliseconds; undefined:
   * never.
   */
  step(): number | undefined {
    switch (this.state.name) {
      case "starting":
        return this.stepBringUp(this.state.bringUp);
      case "running":
        return this.stepRunning(this.state.negotiation);
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
    if (!this.negotiated(BALLOON_FEATURE.DEFLATE_ON_OOM) || this.link.actualPages === 0)
      return false;
    this.outlook.noteOom(this.options.hal.now());
    this.owedPages = Math.max(this.owedPages, pages, OOM_PAGES_MIN);
    return true;
  }

  /**
   * The guest freed memory: a target that was out of reach may be tried again. Then call `step`.
   */
  memoryFreed(): void {
    this.outlook.forgetShortages();
  }

  setPolicy(policy: Policy): void {
    this.policy = policy;
    this.outlook.forgetShortages();
  }

  /** @throws BallonetError `config` when the negotiated features forbid the mode. */
  setDeflateMode(mode: DeflateMode): void {
    checkDeflateMode(mode, this.negotiated(BALLOON_FEATURE.MUST_TELL_HOST));
    this.deflateMode = mode;
  }

  /** Free pages that inflating leaves to the guest. */
  setReserve(pages: number): void {
    this.outlook.reservePages = pages;
    this.outlook.forgetShortages();
  }

  private negotiated(feature: number): boolean {
    const { state } = this;
    return state.name === "running" && hasFeature(state.negotiation.negotiated, feature);
  }

  private fail(error: BallonetError): undefined {
    this.lastError = error;
    this.state = { name: "failed", error };
    this.options.hal.log("error", error.message);
  }

  private beginBringUp(): void {
    this.configDue = true;
    this.owedPages = 0;
    // The reset gives every page back, so what was short before is not now.
    this.outlook.forgetShortages();
    this.state = { name: "starting", bringUp: this.link.bringUp(this.deflateMode) };
  }

  private stepBringUp(bringUp: BringUp): number | undefined {
    const { hal } = this.options;
    let step = bringUp.advance();
    while (step !== "wait" && step !== "running" && step !== "failed") step = bringUp.advance();
    const reached = bringUp.state;
    if (reached.name === "failed") return this.fail(reached.error);
    if (reached.name !== "running") return hal.now() + RESET_WAIT_MS;
    const { negotiation } = reached;
    if (negotiation.refusals > 0) {
      hal.log("warn", `feature sets that the device refused: ${negotiation.refusals}`);
    }
    hal.log("info", `ready: ${formatFeatures(negotiation.negotiated)}, ${this.transport.name}`);
    this.lastProgressMs = hal.now();
    this.state = { name: "running", negotiation };
    return this.step();
  }

  private stepStopping(polls: number): number | undefined {
    if (this.transport.status() === 0) {
      this.core.ledger_reclaim();
      this.link.close();
      this.state = { name: "stopped" };
      return undefined;
    }
    if (polls + 1 < STOP_POLLS_MAX) {
      this.state = { name: "stopping", polls: polls + 1 };
      return this.options.hal.now() + RESET_WAIT_MS;
    }
    return this.fail(
      new BallonetError({
        code: "reset-timeout",
        what: `reset of ${this.transport.name} to stop the driver`,
        seen: `status not 0 after ${STOP_POLLS_MAX} polls`,
        todo: "treat the balloon's pages as lost: the device may still use them",
      }),
    );
  }

  private stepRunning(negotiation: Negotiation): number | undefined {
    const now = this.options.hal.now();
    if (now >= this.pollAtMs) {
      this.configDue = true;
      this.pollAtMs = now + this.options.settings.pollMs;
    }
    try {
      for (let turn = 0; turn < TURNS_MAX; turn++) {
        const lookAgainMs = this.turn(now, negotiation);
        if (lookAgainMs === "restart") return this.restart();
        if (!this.link.arm()) return Math.min(lookAgainMs, this.pollAtMs);
      }
      return now;
    } catch (error) {
      // Quarantine: a device that breaks the rules gets nothing more, and what it holds stays
      // there.
      if (!(error instanceof BallonetError)) throw error;
      this.link.markFailed();
      return this.fail(error);
    }
  }

  /**
   * One turn: answer, settle, look, decide, act, tell. Answers when the policy wants to look again.
   */
  private turn(now: number, negotiation: Negotiation): number | "restart" {
    this.link.answerStatistics();
    if (this.link.settle() > 0) this.lastProgressMs = now;
    if (this.configDue) {
      this.configDue = false;
      const target = this.link.readTarget();
      if (target === "reset") return "restart";
      this.outlook.noteTarget(target, now);
    }
    const deflateOnOom = hasFeature(negotiation.negotiated, BALLOON_FEATURE.DEFLATE_ON_OOM);
    const view = this.outlook.view(now, this.deflateMode, deflateOnOom);
    const decision = this.policy.decide(view);
    this.outlook.noteDecision(decision, now);
    if (this.link.pagesInFlight === 0) this.lastProgressMs = now;
    if (!this.link.awaitInflateqReset(now, INFLATEQ_RESET_MS)) return "restart";
    this.act(view, decision);
    const reportAgainMs = this.link.turnRanges(now, this.outlook.reservePages);
    this.link.updateActual();
    this.link.publish(DEFLATEQ);
    this.link.publish(INFLATEQ);
    const resetAgainMs = this.link.canInflate ? NEVER_MS : now + QUEUE_RESET_WAIT_MS;
    return Math.min(decision.lookAgainMs ?? NEVER_MS, reportAgainMs ?? NEVER_MS, resetAgainMs);
  }

  private restart(): number | undefined {
    this.restarts += 1;
    const error = new BallonetError({
      code: "device-failed",
      what: this.transport.name,
      seen:
        `DEVICE_NEEDS_RESET, or a queue that will not reset, ` +
        `for the ${this.restarts}. time of at most ${RESTARTS_MAX}`,
      todo: "look into the host's log for what the device did not like",
    });
    if (this.restarts > RESTARTS_MAX) throw error;
    this.lastError = error;
    this.options.hal.log("warn", error.message);
    this.beginBringUp();
    return this.step();
  }

  private act(view: PolicyView, decision: PolicyDecision): void {
    const { deflateMode, atMostPages } = decision;
    if (this.owedPages > 0) {
      // Priority over any inflate: the guest is waiting for these.
      const posted = this.deflate(Math.min(this.owedPages, view.heldPages), deflateMode);
      this.owedPages = view.heldPages === posted ? 0 : this.owedPages - posted;
      return;
    }
    const bound = pagesBound(view);
    // Up to the target, pages are the host's, whatever a policy says (virtio 1.3, 5.5.6.1).
    const goal = Math.max(decision.goalPages, Math.min(view.targetPages, bound));
    if (goal < bound) {
      // Pages on their way in are not in the balloon yet: to give others back for them would leave
      // the host below its target until they are acknowledged.
      this.deflate(Math.min(view.heldPages - goal, atMostPages), deflateMode);
      const waitedMs = view.nowMs - this.lastProgressMs;
      if (view.inflatingPages > 0 && waitedMs >= INFLATEQ_RESET_MS)
        this.link.resetInflateq(view.nowMs);
    } else if (goal > bound && this.link.canInflate && !this.link.hasUntold) {
      const want = Math.min(goal - bound, atMostPages);
      if (this.options.settings.reportFirst && this.link.reportsAhead(want, view.nowMs)) return;
      const posted = this.core.balloon_inflate(want);
      if (posted > 0) this.outlook.noteInflate(view.nowMs);
    }
  }

  private deflate(pages: number, mode: DeflateMode): number {
    if (pages <= 0) return 0;
    checkDeflateMode(mode, this.negotiated(BALLOON_FEATURE.MUST_TELL_HOST));
    switch (mode) {
      case "tell-first":
        return this.core.balloon_deflate(pages);
      case "use-first":
        return this.core.balloon_deflate_untold(pages);
      case "silent":
        return this.core.balloon_deflate_silently(pages);
    }
  }

  /** What there is to know, for people and programs. A snapshot; plain values. */
  status(): DriverStatus {
    const { core, link, outlook, lastError } = this;
    const { pagesInFlight, negotiation } = link;
    return {
      state: this.state.name,
      transport: this.transport.name,
      persona: this.options.settings.persona,
      offered: formatFeatures(negotiation?.offered ?? 0n),
      negotiated: formatFeatures(negotiation?.negotiated ?? 0n),
      queues: link.described,
      interrupts: this.transport.interruptMode.kind,
      ...(link.hinting.run !== undefined && { hintRun: link.hinting.run }),
      frames: frameCounts(core),
      targetPages: outlook.targetPages,
      actualPages: link.actualWritten,
      inFlight: {
        inflatePages: framesIn(core, "inflating"),
        deflatePages: pagesInFlight - framesIn(core, "inflating"),
      },
      waitingMs: pagesInFlight > 0 ? this.options.hal.now() - this.lastProgressMs : 0,
      policy: this.policy.name,
      deflateMode: this.deflateMode,
      reservePages: outlook.reservePages,
      outOfReach: outlook.outOfReach,
      restarts: this.restarts,
      totals: {
        ...link.totals,
        hinted: link.hinting.hintedFrames,
        reported: link.reporting.reportedFrames,
      },
      ...(lastError && { lastError: { code: lastError.code, message: lastError.message } }),
    };
  }
}
