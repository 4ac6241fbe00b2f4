/**
 * The driver while its device lives, one turn after the other from DRIVER_OK to the next reset:
 * settle, read the configuration, decide, act, write `actual`, arm.
 *
 * Statistics come first: an inflate that hangs must not keep them from being answered. What is done
 * follows the features negotiated at bring-up, never those that a host offers later.
 */
import { DEFLATEQ, HINTQ, INFLATEQ } from "../core/exports.ts";
import { type PolicyDecision, type PolicyView, pagesBound } from "../policy/policy.ts";
import { hasFeature } from "../virtio/features.ts";
import type { Allowance } from "./allowance.ts";
import { DeviceConfig } from "./config.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import { deflateOrder } from "./deflate-order.ts";
import { DeviceQueues, type DeviceQueuesOptions } from "./device-queues.ts";
import { FreePageHinting } from "./free-page-hinting.ts";
import type { FreePageReporting } from "./free-page-reporting.ts";
import type { PolicyInputs } from "./policy-inputs.ts";
import { attainable } from "./settings.ts";

export interface TurnOptions extends DeviceQueuesOptions {
  /** What outlives the device. */
  readonly inputs: PolicyInputs;
  readonly reporting: FreePageReporting;
  /** Turns that the device may cause, and pages that the host's wishes may move. */
  readonly allowedTurns: Allowance;
  readonly allowedMoves: Allowance;
}

/** Turns in one step before the caller gets its thread back, however busy the device is. */
const TURNS_MAX = 64;
const NEVER_MS = Number.POSITIVE_INFINITY;
/** An inflate that the host no longer wants, and has not answered for so long, is taken back. */
const INFLATEQ_RESET_MS = 2000;
/** How often to look whether the reset of that queue is over. */
const QUEUE_RESET_WAIT_MS = 10;
/** An OOM deflate gives back at least this much: one buffer, 1 MiB. */
const OOM_PAGES_MIN = 256;

export class Turn {
  readonly queues: DeviceQueues;
  readonly config: DeviceConfig;
  readonly hinting: FreePageHinting | undefined;
  private readonly options: TurnOptions;
  private readonly negotiated: bigint;
  /** The device configuration is to be read. */
  private configDue = true;
  private pollAtMs = 0;
  private lastProgressMs: number;
  /** Pages that the guest wants back at once, still to be posted. */
  private owedPages = 0;
  /** An interrupt came, or DRIVER_OK was set, and `actual` was not repeated since. */
  private isWoken = true;
  /** Pages of each inflate that was not taken back, where they are taken back as they went. */
  private readonly inflated: number[] = [];

  constructor(options: TurnOptions) {
    const { core, session, settings, totals } = options;
    this.options = options;
    this.negotiated = session.negotiation.negotiated;
    this.queues = new DeviceQueues(options);
    this.config = new DeviceConfig(session.transport, settings, totals);
    if (this.queues.has(HINTQ)) this.hinting = new FreePageHinting(core, this.queues);
    this.lastProgressMs = options.hal.now();
  }

  /** The device interrupted, to say that its configuration changed or for another reason. */
  wake(configChanged: boolean): void {
    this.isWoken = true;
    if (configChanged) this.hinting?.configChanged(this.options.hal.now());
    if (configChanged || this.options.settings.targetReads === "each-wake") this.configDue = true;
  }

  /** The guest lacks `pages`: the next turns take them back before anything else. */
  owe(pages: number): void {
    const { settings, inputs, hal } = this.options;
    inputs.noteOom(hal.now());
    const want = Math.min(settings.oomPagesMost, Math.max(pages, OOM_PAGES_MIN));
    this.owedPages = Math.max(this.owedPages, attainable(want, settings));
  }

  /** How long pages have been in flight without any coming back; 0 when none are. */
  get waitingMs(): number {
    return this.queues.pagesInFlight > 0 ? this.options.hal.now() - this.lastProgressMs : 0;
  }

  /**
   * Takes turns until nothing more can be done now. Returns when to be called again, or that the
   * device must be reset first.
   * @throws BallonetError `device-lied`, `device-gone`, `config`.
   */
  take(): number | "reset" {
    const now = this.options.hal.now();
    const { allowedTurns } = this.options;
    if (now >= this.pollAtMs) {
      this.configDue = true;
      this.pollAtMs = now + this.options.settings.pollMs;
    }
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (allowedTurns.grant(1, now) === 0) return allowedTurns.lookAgainMs;
      allowedTurns.spend(1);
      const lookAgainMs = this.takeOne(now);
      if (lookAgainMs !== "again") return lookAgainMs;
    }
    return now;
  }

  /** The six steps. Returns when to look again; "again" when the device was faster. */
  private takeOne(now: number): number | "again" | "reset" {
    const { inputs, reporting, giver } = this.options;
    this.settle(now);
    if (!this.readConfig(now)) return "reset";
    const view = this.view(now);
    const decision = this.options.tunables.policy.decide(view);
    inputs.noteDecision(decision, now);
    if (decision.ask !== undefined) giver?.ask(decision.ask.from, decision.ask.pages);
    if (!this.act(view, decision)) return "reset";
    this.writeActual();
    if (this.arm()) return "again";
    return Math.min(
      decision.lookAgainMs ?? NEVER_MS,
      this.hinting?.lookAgainMs(now) ?? NEVER_MS,
      reporting.lookAgainMs,
      this.options.allowedMoves.lookAgainMs,
      this.queues.canInflate ? NEVER_MS : now + QUEUE_RESET_WAIT_MS,
      this.pollAtMs,
    );
  }

  /**
   * Reports, too, before the decision: an inflate that waits for them must see that they are back
   * in the turn in which they are taken.
   */
  private settle(now: number): void {
    const { reporting, sample, settings, inputs } = this.options;
    this.queues.answerStatistics(sample);
    reporting.settle(this.queues);
    this.hinting?.settle();
    if (this.queues.settlePages() === 0) return;
    this.lastProgressMs = now;
    inputs.noteAnswer(now);
    if (settings.targetReads === "each-step") this.configDue = true;
  }

  /** Returns false when the device must be reset. */
  private readConfig(now: number): boolean {
    const { hinting } = this;
    if (!this.configDue && !hinting?.isCommandDue(now)) return true;
    this.configDue = false;
    const seen = this.config.read(hinting?.heedsCommand ?? false);
    if (seen === "reset") return false;
    hinting?.configSeen(seen, now);
    this.options.inputs.noteTarget(attainable(seen.target, this.options.settings), now);
    return true;
  }

  private view(now: number): PolicyView {
    return this.options.inputs.view(
      now,
      hasFeature(this.negotiated, BALLOON_FEATURE.DEFLATE_ON_OOM),
    );
  }

  /** Posts pages, hints and reports. Returns false when the device must be reset. */
  private act(view: PolicyView, decision: PolicyDecision): boolean {
    const { reporting } = this.options;
    if (this.queues.pagesInFlight === 0) this.lastProgressMs = view.nowMs;
    if (!this.queues.awaitInflateqReset(view.nowMs, INFLATEQ_RESET_MS)) return false;
    if (this.owedPages > 0) this.payOwed(view);
    else this.approach(view, decision);
    this.postHints(view);
    reporting.post(this.queues, view.nowMs);
    return true;
  }

  /** Within the host's share, of which hinted pages have theirs, too. */
  private postHints(view: PolicyView): void {
    const { tunables, inputs, allowedMoves } = this.options;
    this.hinting?.post({
      reservePages: tunables.reservePages,
      mostPages: Math.max(0, inputs.sharePages - pagesBound(view)),
      allowed: allowedMoves,
      now: view.nowMs,
    });
  }

  /** With priority over any inflate: the guest is waiting for these pages. */
  private payOwed({ heldPages }: PolicyView): void {
    const posted = this.deflate(Math.min(this.owedPages, heldPages));
    this.owedPages = heldPages === posted ? 0 : this.owedPages - posted;
  }

  /** Takes the balloon towards the policy's goal. */
  private approach(view: PolicyView, { goalPages, atMostPages }: PolicyDecision): void {
    const { queues } = this;
    const { settings, inputs, reporting, allowedMoves } = this.options;
    const bound = pagesBound(view);
    // Up to the target, pages are the host's, whatever a policy says (virtio 1.3, 5.5.6.1).
    const goal = Math.max(goalPages, Math.min(view.targetPages, bound));
    if (goal < bound) {
      // Pages on their way in are not in the balloon yet: to give others back for them would leave
      // the host below its target until they are acknowledged.
      const want = Math.min(view.heldPages - goal, atMostPages);
      allowedMoves.spend(this.deflate(allowedMoves.grant(want, view.nowMs)));
      const waitedMs = view.nowMs - this.lastProgressMs;
      if (view.inflatingPages > 0 && waitedMs >= INFLATEQ_RESET_MS)
        queues.resetInflateq(view.nowMs);
    } else if (goal > bound && queues.canInflate && !queues.hasUntold) {
      const want = allowedMoves.grant(Math.min(goal - bound, atMostPages), view.nowMs);
      if (settings.reportFirst && reporting.postAhead(queues, want, view.nowMs)) return;
      const posted = queues.inflate(want);
      if (posted === 0) return;
      allowedMoves.spend(posted);
      inputs.noteInflate(view.nowMs);
      if (settings.deflateBuffers === "as-inflated") this.inflated.push(posted);
    }
  }

  private deflate(want: number): number {
    if (want <= 0) return 0;
    const { tunables, settings } = this.options;
    const order = deflateOrder(tunables.deflateMode, this.negotiated, settings.dialect);
    if (settings.deflateBuffers === "exact") return this.queues.deflate(want, order);
    const posted = this.queues.deflate(this.inflated.at(-1) ?? want, order);
    if (posted > 0) this.inflated.pop();
    return posted;
  }

  /** Persona `each-wake` rewrites `actual` once per wake-up, when nothing is in flight any more. */
  private writeActual(): void {
    const { config, queues } = this;
    config.updateActual(queues.actualPages);
    if (this.options.settings.actualWrites !== "each-wake") return;
    if (!this.isWoken || queues.pagesInFlight > 0) return;
    this.isWoken = false;
    config.writeActual(config.actualWritten);
  }

  /** Shows the device what was posted. Returns true when something came back meanwhile. */
  private arm(): boolean {
    this.queues.publish(DEFLATEQ);
    this.queues.publish(INFLATEQ);
    return this.queues.arm();
  }
}
