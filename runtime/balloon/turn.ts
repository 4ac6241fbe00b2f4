/**
 * The driver while it runs: one turn after the other, from DRIVER_OK on.
 *
 * A turn answers statistics first: an inflate that hangs must not keep anything else from working.
 * It must not know how a device comes up or goes away. Invariant: what is done follows the features
 * negotiated at bring-up, and `actual` is written only from pages that the host has acknowledged.
 */
import { type CoreExports, DEFLATEQ, INFLATEQ } from "../core/exports.ts";
import type { Hal } from "../hal.ts";
import { type Policy, type PolicyDecision, type PolicyView, pagesBound } from "../policy/policy.ts";
import { type FeatureSet, hasFeature } from "../virtio/features.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import { type DeflateMode, type DeflateOrder, deflateOrder } from "./deflate-order.ts";
import type { Link } from "./device-queues.ts";
import { Outlook } from "./policy-inputs.ts";
import { attainable, type DriverSettings } from "./settings.ts";

export interface SteadyOptions {
  readonly hal: Hal;
  readonly core: CoreExports;
  readonly settings: DriverSettings;
  readonly policy: Policy;
  readonly link: Link;
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

export class Steady {
  readonly outlook: Outlook;
  policy: Policy;
  deflateMode: DeflateMode;
  /** The device configuration is to be read. */
  configDue = true;
  private readonly options: SteadyOptions;
  private readonly core: CoreExports;
  private readonly link: Link;
  private pollAtMs = 0;
  private lastProgressMs = 0;
  /** Pages that the guest wants back at once, still to be posted. */
  private owedPages = 0;
  /** An interrupt came, or DRIVER_OK was set, and `actual` was not repeated since. */
  private woken = true;
  /** Pages of each inflate that was not taken back, where they are taken back as they went. */
  private inflated: number[] = [];

  constructor(options: SteadyOptions) {
    const { core, settings } = options;
    this.options = options;
    this.core = core;
    this.link = options.link;
    this.outlook = new Outlook({ core, ...settings });
    this.policy = options.policy;
    this.deflateMode = settings.deflateMode;
  }

  /** The device is about to be reset, which gives every page back: what was short is not now. */
  reset(): void {
    this.configDue = true;
    this.woken = true;
    this.owedPages = 0;
    this.inflated = [];
    this.outlook.forgetShortages();
  }

  /** DRIVER_OK is set. */
  begin(): void {
    this.lastProgressMs = this.options.hal.now();
  }

  /** The device interrupted, to say that its configuration changed or for another reason. */
  wake(configChanged: boolean): void {
    this.woken = true;
    if (configChanged) this.link.configChanged(this.options.hal.now());
    if (configChanged || this.options.settings.targetReads === "each-wake") this.configDue = true;
  }

  /** The guest lacks `pages`: the next turns take them back before anything else. */
  owe(pages: number): void {
    const { settings, hal } = this.options;
    this.outlook.noteOom(hal.now());
    const want = Math.min(settings.oomPagesMost, Math.max(pages, OOM_PAGES_MIN));
    this.owedPages = Math.max(this.owedPages, attainable(want, settings));
  }

  /** How long pages have been in flight without any coming back; 0 when none are. */
  get waitingMs(): number {
    return this.link.pagesInFlight > 0 ? this.options.hal.now() - this.lastProgressMs : 0;
  }

  /**
   * Does all that can be done now. Answers when to be called again, or that the device must be
   * reset first.
   * @throws BallonetError `device-lied`, `device-gone`, `config`.
   */
  work(negotiated: FeatureSet): number | "reset" {
    const now = this.options.hal.now();
    if (now >= this.pollAtMs) {
      this.configDue = true;
      this.pollAtMs = now + this.options.settings.pollMs;
    }
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const lookAgainMs = this.turn(now, negotiated);
      if (lookAgainMs === "reset") return "reset";
      if (!this.link.arm()) return Math.min(lookAgainMs, this.pollAtMs);
    }
    return now;
  }

  /**
   * One turn: answer, settle, look, decide, act, tell. Answers when the policy wants to look again.
   */
  private turn(now: number, negotiated: FeatureSet): number | "reset" {
    const { settings } = this.options;
    this.link.answerStatistics();
    if (this.link.settle() > 0) {
      this.lastProgressMs = now;
      if (settings.targetReads === "each-step") this.configDue = true;
    }
    if (this.configDue || this.link.hinting.isDue) {
      this.configDue = false;
      const target = this.link.readTarget(now);
      if (target === "reset") return "reset";
      this.outlook.noteTarget(attainable(target, settings), now);
    }
    const deflateOnOom = hasFeature(negotiated, BALLOON_FEATURE.DEFLATE_ON_OOM);
    const view = this.outlook.view(now, this.deflateMode, deflateOnOom);
    const decision = this.policy.decide(view);
    this.outlook.noteDecision(decision, now);
    if (this.link.pagesInFlight === 0) this.lastProgressMs = now;
    if (!this.link.awaitInflateqReset(now, INFLATEQ_RESET_MS)) return "reset";
    this.act(view, decision, negotiated);
    const rangesAgainMs = this.link.turnRanges(now, this.outlook.reservePages);
    this.link.updateActual();
    if (settings.actualWrites === "each-wake") this.repeatActual();
    this.link.publish(DEFLATEQ);
    this.link.publish(INFLATEQ);
    const resetAgainMs = this.link.canInflate ? NEVER_MS : now + QUEUE_RESET_WAIT_MS;
    return Math.min(decision.lookAgainMs ?? NEVER_MS, rangesAgainMs, resetAgainMs);
  }

  private act(view: PolicyView, decision: PolicyDecision, negotiated: FeatureSet): void {
    const { deflateMode, atMostPages } = decision;
    if (this.owedPages > 0) {
      // Priority over any inflate: the guest is waiting for these.
      const posted = this.deflate(
        Math.min(this.owedPages, view.heldPages),
        deflateMode,
        negotiated,
      );
      this.owedPages = view.heldPages === posted ? 0 : this.owedPages - posted;
      return;
    }
    const bound = pagesBound(view);
    // Up to the target, pages are the host's, whatever a policy says (virtio 1.3, 5.5.6.1).
    const goal = Math.max(decision.goalPages, Math.min(view.targetPages, bound));
    if (goal < bound) {
      // Pages on their way in are not in the balloon yet: to give others back for them would leave
      // the host below its target until they are acknowledged.
      this.deflate(Math.min(view.heldPages - goal, atMostPages), deflateMode, negotiated);
      const waitedMs = view.nowMs - this.lastProgressMs;
      if (view.inflatingPages > 0 && waitedMs >= INFLATEQ_RESET_MS)
        this.link.resetInflateq(view.nowMs);
    } else if (goal > bound && this.link.canInflate && !this.link.hasUntold) {
      const want = Math.min(goal - bound, atMostPages);
      if (this.options.settings.reportFirst && this.link.reportsAhead(want, view.nowMs)) return;
      const posted = this.core.balloon_inflate(want);
      if (posted === 0) return;
      this.outlook.noteInflate(view.nowMs);
      if (this.options.settings.deflateBuffers === "as-inflated") this.inflated.push(posted);
    }
  }

  /** Whoever says its size each time that it wakes says it when it has done what there was. */
  private repeatActual(): void {
    if (!this.woken || this.link.pagesInFlight > 0) return;
    this.woken = false;
    this.link.repeatActual();
  }

  private deflate(want: number, mode: DeflateMode, negotiated: FeatureSet): number {
    if (want <= 0) return 0;
    const { dialect, deflateBuffers } = this.options.settings;
    const order = deflateOrder(mode, negotiated, dialect);
    if (deflateBuffers === "exact") return this.takeBack(want, order);
    const posted = this.takeBack(this.inflated.at(-1) ?? want, order);
    if (posted > 0) this.inflated.pop();
    return posted;
  }

  private takeBack(pages: number, order: DeflateOrder): number {
    switch (order) {
      case "tell-first":
        return this.core.balloon_deflate(pages);
      case "use-first":
        return this.core.balloon_deflate_untold(pages);
      case "silent":
        return this.core.balloon_deflate_silently(pages);
    }
  }
}
