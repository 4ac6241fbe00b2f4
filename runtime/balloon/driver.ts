/**
 * The balloon driver's state machine: how its device comes up and goes away.
 *
 *   idle --------- start ---+      +------ the device wants a reset (bounded) -----+
 *   stopped ------ start ---+      v                                               |
 *   suspended ---- resume --+-> starting -- bring-up done --> running -------------+
 *   gone --------- attach --+      |                             |
 *                                  +--- stop, suspend -----------+--> stopping -- reset done
 *                                  |                             |       ^   --> stopped, suspended
 *                                  |                             |       +--- stop, suspend ---+
 *                                  +--- does not come up; lies --+--> failed ------------------+
 *
 *   any state -- the device is no more --> gone
 *
 * It is driven by `step` and `interrupt`; it never blocks, and every wait has a bound. It must not
 * know a bus, a ring's layout or who runs it. What a running driver does is in steady.ts.
 *
 * Leaving is always a reset and never a drain. After it the host has no claim on any page (virtio
 * 1.3, 2.4), and telling it of each one first, as Linux does before it sleeps, takes minutes for a
 * large balloon and hangs for ever when the host does not answer.
 *
 * Invariant: in `gone` nothing reaches the device that was there, and every page is the guest's.
 */
import { type CoreExports, frameCounts, framesIn } from "../core/exports.ts";
import { BallonetError } from "../errors.ts";
import type { Hal, LogLevel } from "../hal.ts";
import type { Policy } from "../policy/policy.ts";
import { ABSENT_TRANSPORT } from "../virtio/absent-transport.ts";
import type { BringUp, BringUpStep, Negotiation } from "../virtio/bring-up.ts";
import { STATUS_GONE } from "../virtio/constants.ts";
import { hasFeature } from "../virtio/features.ts";
import { giveUp, goneError, type Transport } from "../virtio/transport.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import { checkDeflateMode, type DeflateMode, deflateOrder } from "./deflate-order.ts";
import { Link } from "./device-queues.ts";
import { formatFeatures } from "./features.ts";
import type { DriverSettings } from "./settings.ts";
import type { Statistics } from "./statistics.ts";
import type { DriverStatus } from "./status.ts";
import { Steady } from "./turn.ts";

export interface DriverOptions {
  readonly hal: Hal;
  /** Its arena is open and RAM has been added to its ledger. */
  readonly core: CoreExports;
  /** The way to the device. Absent: there is none yet, and the driver is `gone` until `attach`. */
  readonly transport?: Transport;
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
  | { readonly name: "running"; readonly negotiation: Negotiation; readonly sinceMs: number }
  | { readonly name: "stopping"; readonly end: "stopped" | "suspended"; readonly polls: number }
  | { readonly name: "stopped" }
  | { readonly name: "suspended" }
  | { readonly name: "failed"; readonly error: BallonetError }
  | { readonly name: "gone" };

export type DriverStateName = DriverState["name"];

/** How often in a row a device may ask for a reset before the driver gives it up. */
const RESTARTS_MAX = 8;
/** A device that has worked for so long begins a new row: one reset a week is no broken device. */
const RESTART_FORGIVEN_MS = 60_000;
/** How long to let a device reset before looking again, and how often. */
const RESET_WAIT_MS = 1;
const STOP_POLLS_MAX = 1000;

export class BalloonDriver {
  private readonly options: DriverOptions;
  private readonly core: CoreExports;
  private readonly link: Link;
  private readonly steady: Steady;
  private state: DriverState;
  private restarts = 0;
  private restartsInRow = 0;
  private lastError: BallonetError | undefined;

  constructor(options: DriverOptions) {
    const { core, transport = ABSENT_TRANSPORT } = options;
    this.options = options;
    this.core = core;
    this.link = new Link({ ...options, transport });
    this.steady = new Steady({ ...options, link: this.link });
    this.state = { name: transport === ABSENT_TRANSPORT ? "gone" : "idle" };
  }

  get stateName(): DriverStateName {
    return this.state.name;
  }

  /** Why the driver failed, or the last trouble that it survived. */
  get error(): BallonetError | undefined {
    return this.lastError;
  }

  private get transport(): Transport {
    return this.link.transport;
  }

  /** Starts bring-up; `step` carries it on. */
  start(): void {
    if (this.state.name === "idle" || this.state.name === "stopped") this.beginBringUp();
  }

  /** Resets the device and takes every page back at once, untold. `step` carries it on. */
  stop(): void {
    if (this.state.name === "suspended") this.state = { name: "stopped" };
    else this.halt("stopped");
  }

  /** The same for a while: settings and policy stay, and `resume` goes back to the target. */
  suspend(): void {
    this.halt("suspended");
  }

  /** Brings a suspended device up again, by a negotiation of its own. `step` carries it on. */
  resume(): void {
    const { state } = this;
    const halting = state.name === "stopping" && state.end === "suspended";
    if (state.name === "suspended" || halting) this.beginBringUp();
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
    this.link.detach();
    this.state = { name: "gone" };
  }

  /** Another device was put in: brings it up. Does nothing while there is one. */
  attach(transport: Transport): void {
    if (this.state.name !== "gone") return;
    this.link.transport = transport;
    this.restarts = 0;
    this.restartsInRow = 0;
    this.beginBringUp();
  }

  /**
   * Answers whether the device interrupted, and notes why. Call `step` afterwards.
   * @param messages which of the messages of mode `msix` came, a bit each, if that is known.
   */
  interrupt(messages?: number): boolean {
    // At rest it cannot have been this device, which may even have been powered off.
    if (this.state.name === "stopped" || this.state.name === "suspended") return false;
    const cause = this.transport.acknowledgeInterrupt(messages);
    const ours = cause.config || cause.queue;
    if (ours) this.steady.wake(cause.config);
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
        return this.stepRunning(this.state.negotiation, this.state.sinceMs);
      case "stopping":
        return this.stepStopping(this.state.end, this.state.polls);
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
    const { state } = this;
    if (state.name !== "running" || this.link.actualPages === 0) return false;
    const isAgreed = hasFeature(state.negotiation.negotiated, BALLOON_FEATURE.DEFLATE_ON_OOM);
    if (!isAgreed && !this.options.settings.oomUnasked) return false;
    this.steady.owe(pages);
    return true;
  }

  /**
   * The guest freed memory: a target that was out of reach may be tried again. Then call `step`.
   */
  memoryFreed(): void {
    this.steady.outlook.forgetShortages();
  }

  setPolicy(policy: Policy): void {
    this.steady.policy = policy;
    this.steady.outlook.forgetShortages();
  }

  /** @throws BallonetError `config` when the negotiated features forbid the mode. */
  setDeflateMode(mode: DeflateMode): void {
    const { state } = this;
    checkDeflateMode(mode);
    if (state.name === "running") {
      deflateOrder(mode, state.negotiation.negotiated, this.options.settings.dialect);
    }
    this.steady.deflateMode = mode;
  }

  /** Free pages that inflating leaves to the guest. */
  setReserve(pages: number): void {
    this.steady.outlook.reservePages = pages;
    this.steady.outlook.forgetShortages();
  }

  private fail(error: BallonetError): undefined {
    this.lastError = error;
    if (error.code === "device-gone") {
      this.leave("warn");
    } else {
      this.state = { name: "failed", error };
      this.options.hal.log("error", error.message);
    }
  }

  private beginBringUp(): void {
    this.steady.reset();
    this.state = { name: "starting", bringUp: this.link.bringUp(() => this.steady.deflateMode) };
  }

  private halt(end: "stopped" | "suspended"): void {
    switch (this.state.name) {
      case "idle":
        this.state = { name: end };
        return;
      case "stopping":
        if (end === "stopped") this.state = { ...this.state, end };
        return;
      case "starting":
      case "running":
      case "failed":
        this.transport.tearDown();
        this.state = { name: "stopping", end, polls: 0 };
        return;
      case "stopped":
      case "suspended":
      case "gone":
    }
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
    this.steady.begin();
    this.state = { name: "running", negotiation, sinceMs: hal.now() };
    return this.step();
  }

  private stepStopping(end: "stopped" | "suspended", polls: number): number | undefined {
    const status = this.transport.status();
    if (status === STATUS_GONE) return this.fail(goneError(this.transport));
    if (status === 0) {
      this.core.ledger_reclaim();
      this.link.close();
      this.state = { name: end };
      return undefined;
    }
    if (polls + 1 < STOP_POLLS_MAX) {
      this.state = { name: "stopping", end, polls: polls + 1 };
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

  private stepRunning({ negotiated }: Negotiation, sinceMs: number): number | undefined {
    try {
      const next = this.steady.work(negotiated);
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
    this.beginBringUp();
    return this.step();
  }

  /** What there is to know, for people and programs. A snapshot; plain values. */
  status(): DriverStatus {
    const { core, link, steady, lastError } = this;
    const { outlook } = steady;
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
      waitingMs: steady.waitingMs,
      policy: steady.policy.name,
      deflateMode: steady.deflateMode,
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
