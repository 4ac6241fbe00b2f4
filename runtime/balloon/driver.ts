/**
 * The balloon driver: it owns the device and the life cycle that lifecycle.ts draws.
 *
 * `step` and `interrupt` drive it; it never blocks, and every wait has a bound. It knows no bus and
 * no ring's layout.
 *
 * It leaves a device by a reset and never by a drain. After a reset the host has no claim on any
 * page (virtio 1.3, 2.4). To tell it of each page first, as Linux does before it sleeps, takes
 * minutes for a large balloon, and for ever when the host does not answer.
 */
import { type CoreExports, frameCounts, framesIn } from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import type { Hal, LogLevel } from "../hal.ts";
import { checkedPolicy } from "../policy/checked.ts";
import { follow } from "../policy/follow.ts";
import type { Policy } from "../policy/policy.ts";
import { ABSENT_TRANSPORT } from "../virtio/absent-transport.ts";
import type { BringUp } from "../virtio/bring-up.ts";
import { STATUS_GONE } from "../virtio/constants.ts";
import { hasFeature } from "../virtio/features.ts";
import { giveUp, goneError, type Transport } from "../virtio/transport.ts";
import { Allowance } from "./allowance.ts";
import { planBringUp } from "./bring-up-plan.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import { checkDeflateAllowed, checkDeflateMode, type DeflateMode } from "./deflate-order.ts";
import { pagesInFlight, type Session } from "./device-queues.ts";
import type { DriverParts, MemoryGiver } from "./driver-parts.ts";
import { formatFeatures } from "./features.ts";
import { FreePageReporting } from "./free-page-reporting.ts";
import {
  type DriverEvent,
  type DriverState,
  type DriverStateName,
  nextState,
} from "./lifecycle.ts";
import { PolicyInputs } from "./policy-inputs.ts";
import type { DriverSettings } from "./settings.ts";
import { coarse, ledgerStatistics, type Statistics, statisticsEntries } from "./statistics.ts";
import { type DriverStatus, NO_TOTALS } from "./status.ts";
import { Turn } from "./turn.ts";

/** What a driver is made of. */
export interface DriverOptions {
  readonly hal: Hal;
  /** Its arena is open and RAM has been added to its ledger. */
  readonly core: CoreExports;
  /** The way to the device. Absent: there is none yet, and the driver is `gone` until `attach`. */
  readonly transport?: Transport;
  /** From `makeSettings`. */
  readonly settings: DriverSettings;
  readonly policy: Policy;
  /** Returns what to report to the host. Default: `ledgerStatistics`. */
  statistics?(): Statistics;
  /** What in this guest can give memory when a policy asks. Default: nothing. */
  readonly giver?: MemoryGiver;
}

/** How often in a row a device may ask for a reset before the driver gives it up. */
const RESTARTS_MAX = 8;
/** A device that has worked for so long begins a new row: one reset a week is no broken device. */
const RESTART_FORGIVEN_MS = 60_000;
/** How long to let a device reset before looking again, and how often. */
const RESET_WAIT_MS = 1;
const STOP_POLLS_MAX = 1000;

/**
 * Drives one balloon. Call `start` once, `interrupt` and then `step` when the machine was
 * interrupted, and `step` again at the time that it returns. `step` never waits.
 */
export class BalloonDriver {
  private readonly options: DriverOptions;
  private readonly core: CoreExports;
  private readonly parts: DriverParts;
  private readonly inputs: PolicyInputs;
  private readonly reporting: FreePageReporting;
  private readonly allowedTurns: Allowance;
  private readonly allowedMoves: Allowance;
  /** The way to the device that there is; ABSENT_TRANSPORT where there is none. */
  private transport: Transport;
  private state: DriverState;
  /** What was last agreed on with this device; undefined before. */
  private session: Session | undefined;
  /** The life of the device: from its queues' set-up to the end of its next reset. */
  private turn: Turn | undefined;
  private restarts = 0;
  private restartsInRow = 0;
  private lastError: BallonetError | undefined;

  constructor(options: DriverOptions) {
    const { core, settings, policy, transport = ABSENT_TRANSPORT } = options;
    const { deflateMode, reservePages } = settings;
    this.options = options;
    this.core = core;
    this.parts = {
      ...options,
      tunables: { policy: this.checked(policy), deflateMode, reservePages },
      totals: { ...NO_TOTALS },
      sample: () => {
        const said = options.statistics?.() ?? ledgerStatistics(core);
        const isCoarse = settings.statisticsDetail === "coarse";
        return statisticsEntries(isCoarse ? coarse(core, said) : said, settings);
      },
    };
    this.inputs = new PolicyInputs(this.parts);
    this.reporting = new FreePageReporting(settings.reportPagesPerSecond);
    this.allowedTurns = new Allowance(settings.turnsPerSecond);
    this.allowedMoves = new Allowance(settings.movePagesPerSecond);
    this.transport = transport;
    this.state = { name: transport === ABSENT_TRANSPORT ? "gone" : "idle" };
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
    this.beginBringUp("start");
  }

  /** Resets the device and takes every page back at once, untold. `step` carries it on. */
  stop(): void {
    this.halt("stop");
  }

  /** The same for a while: settings and policy stay, and `resume` goes back to the target. */
  suspend(): void {
    this.halt("suspend");
  }

  /** Brings a suspended device up again, by a negotiation of its own. `step` carries it on. */
  resume(): void {
    this.beginBringUp("resume");
  }

  /**
   * The device was taken out, or is about to be and was suspended: nothing is written to it any
   * more, and every page is the guest's. Nobody is left who could acknowledge a deflate or finish a
   * reset, and no host has a claim on memory for a device that does not exist.
   */
  detach(): void {
    this.leave("info");
  }

  private leave(level: LogLevel): void {
    if (this.state.name === "gone") return;
    this.options.hal.log(level, `${this.transport.name} is gone; all pages are the guest's`);
    this.core.ledger_reclaim();
    this.transport = ABSENT_TRANSPORT;
    this.session = undefined;
    this.turn = undefined;
    this.change({ name: "leave" });
  }

  /** Another device was put in: brings it up. Does nothing while there is one. */
  attach(transport: Transport): void {
    if (this.state.name !== "gone") return;
    this.transport = transport;
    this.restarts = 0;
    this.restartsInRow = 0;
    this.beginBringUp("attach");
  }

  /**
   * Returns whether the device interrupted, and notes why. Call `step` afterwards.
   * @param messages which of the messages of mode `msix` came, a bit each, if that is known.
   */
  interrupt(messages?: number): boolean {
    // At rest it cannot have been this device, which may even have been powered off.
    if (this.state.name === "stopped" || this.state.name === "suspended") return false;
    const cause = this.transport.acknowledgeInterrupt(messages);
    const ours = cause.config || cause.queue;
    if (ours) this.turn?.wake(cause.config);
    return ours;
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
        return this.stepRunning(this.state.sinceMs);
      case "stopping":
        return this.stepStopping(this.state.polls);
      case "idle":
      case "stopped":
      case "suspended":
      case "failed":
      case "gone":
        return undefined;
    }
  }

  /**
   * The guest lacks `pages`. With DEFLATE_ON_OOM negotiated, the next steps take them back before
   * anything else, and the target is left alone for a while.
   * @returns false when the balloon cannot help.
   */
  shortage(pages: number): boolean {
    const { turn } = this;
    if (this.state.name !== "running" || !turn || turn.queues.actualPages === 0) return false;
    if (!this.agreedOn(BALLOON_FEATURE.DEFLATE_ON_OOM) && !this.options.settings.oomUnasked) {
      return false;
    }
    turn.owe(pages);
    return true;
  }

  /**
   * The guest freed memory: a target that was out of reach may be tried again. Then call `step`.
   */
  memoryFreed(): void {
    this.inputs.forgetShortages();
  }

  /** Follows another policy from the next step on. */
  setPolicy(policy: Policy): void {
    this.parts.tunables.policy = this.checked(policy);
    this.inputs.forgetShortages();
  }

  private checked(policy: Policy): Policy {
    const { hal, settings } = this.options;
    return checkedPolicy(policy, {
      instead: follow(settings.follow),
      onRefused: (error) => {
        this.lastError = error;
        hal.log("error", error.message);
      },
    });
  }

  /**
   * Takes pages back in another order from the next step on.
   * @throws BallonetError `config` when the negotiated features forbid the mode.
   */
  setDeflateMode(mode: DeflateMode): void {
    checkDeflateMode(mode);
    if (this.state.name === "running" && this.session) {
      const { negotiated } = this.session.negotiation;
      checkDeflateAllowed(mode, negotiated, this.options.settings.dialect);
    }
    this.parts.tunables.deflateMode = mode;
  }

  /** Free pages that inflating leaves to the guest. */
  setReserve(pages: number): void {
    this.parts.tunables.reservePages = pages;
    this.inputs.forgetShortages();
  }

  private agreedOn(feature: number): boolean {
    return hasFeature(this.session?.negotiation.negotiated ?? 0n, feature);
  }

  /** Returns whether that led to another state. */
  private change(event: DriverEvent): boolean {
    const before = this.state;
    this.state = nextState(before, event);
    return this.state.name !== before.name;
  }

  private fail(error: BallonetError): undefined {
    this.lastError = error;
    if (error.code === "device-gone") {
      this.leave("warn");
    } else {
      this.change({ name: "fail", error });
      this.options.hal.log("error", error.message);
    }
  }

  private beginBringUp(name: "start" | "resume" | "attach" | "needs-reset"): void {
    if (!this.change({ name, bringUp: this.planBringUp() })) return;
    this.turn = undefined;
    this.inputs.forgetShortages();
  }

  private planBringUp(): BringUp {
    const { parts, inputs, reporting, allowedTurns, allowedMoves, transport } = this;
    return planBringUp({
      ...parts,
      transport,
      onReset: () => reporting.reset(),
      onSession: (session) => {
        this.session = session;
        this.turn = new Turn({ ...parts, session, inputs, reporting, allowedTurns, allowedMoves });
        return this.turn;
      },
    });
  }

  private halt(name: "stop" | "suspend"): void {
    if (this.change({ name }) && this.state.name === "stopping") this.transport.tearDown();
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
    this.change({ name: "ready", nowMs: hal.now() });
    return this.step();
  }

  private stepStopping(polls: number): number | undefined {
    const status = this.transport.status();
    if (status === STATUS_GONE) return this.fail(goneError(this.transport));
    if (status === 0) {
      this.core.ledger_reclaim();
      this.turn = undefined;
      this.change({ name: "reset" });
      return undefined;
    }
    if (polls + 1 < STOP_POLLS_MAX) {
      this.change({ name: "not-reset" });
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

  private stepRunning(sinceMs: number): number | undefined {
    try {
      const next = this.turn?.take();
      return next === "reset" ? this.restart(sinceMs) : next;
    } catch (error) {
      // Quarantine: a device that breaks the rules gets nothing more, and what it holds stays
      // there.
      if (!(error instanceof BallonetError)) throw error;
      return this.fail(giveUp(this.transport) ?? error);
    }
  }

  private restart(sinceMs: number): number | undefined {
    const ranMs = this.options.hal.now() - sinceMs;
    this.restartsInRow = ranMs < RESTART_FORGIVEN_MS ? this.restartsInRow + 1 : 1;
    this.restarts += 1;
    const error = new BallonetError({
      code: "device-failed",
      what: this.transport.name,
      seen:
        `DEVICE_NEEDS_RESET, a reset by others, or a queue that will not reset, ` +
        `for the ${this.restartsInRow}. time in a row of at most ${RESTARTS_MAX}`,
      todo: "look into the host's log for what the device did not like",
    });
    if (this.restartsInRow > RESTARTS_MAX) throw error;
    this.lastError = error;
    this.options.hal.log("warn", error.message);
    this.beginBringUp("needs-reset");
    return this.step();
  }

  /** Returns what there is to know, for people and programs: a snapshot of plain values. */
  status(): DriverStatus {
    const { core, inputs, session, turn, lastError } = this;
    const { tunables, totals } = this.parts;
    const hintRun = turn?.hinting?.run;
    const inflatePages = framesIn(core, "inflating");
    return {
      state: this.state.name,
      transport: this.transport.name,
      persona: this.options.settings.persona,
      offered: session?.features.offered ?? "none",
      negotiated: session?.features.negotiated ?? "none",
      queues: turn ? (session?.queues.described ?? []) : [],
      interrupts: this.transport.interruptMode.kind,
      ...(hintRun !== undefined && { hintRun }),
      frames: frameCounts(core),
      targetPages: inputs.targetPages,
      actualPages: turn?.config.actualWritten ?? 0,
      inFlight: { inflatePages, deflatePages: pagesInFlight(core) - inflatePages },
      waitingMs: turn?.waitingMs ?? 0,
      policy: tunables.policy.name,
      deflateMode: tunables.deflateMode,
      reservePages: tunables.reservePages,
      outOfReach: inputs.outOfReach,
      restarts: this.restarts,
      totals: { ...totals },
      ...(lastError && { lastError: { code: lastError.code, message: lastError.message } }),
    };
  }
}
