/**
 * A rig in the hands of a command sequence, and what must be true of it at any time.
 *
 * After every command all of `judge` holds: no rule is broken, the ledger adds up, every frame is
 * on both sides of the device where it may be, and the driver is up unless the sequence gave it a
 * reason not to be.
 */
import {
  BallonetError,
  cooperative,
  type DeflateMode,
  FRAME_BYTES,
  type FrameCounts,
  type FrameRun,
  follow,
  frameCounts,
  gentle,
} from "../../../runtime/index.ts";
import { hasFailed, IncomingStreamError, type Machine } from "../../../src/device/index.ts";
import { addFigures } from "../../support/add-figures.ts";
import { messageBits, verdictLines } from "../../support/vm.ts";
import { agreeOnFrames, atMost, equal } from "./agreement.ts";
import type { Command } from "./commands.ts";
import { makeRig, type OtherHost, type Rig } from "./rig.ts";
import { answers, leastGiven, mayHaveToTell, type Setup } from "./setups.ts";

/** The embed API asks so often before an allocation fails. */
const SHORTAGE_ROUNDS = 4;
/** More turns of driver and device than any sequence here needs to come to rest. */
const ROUNDS_MAX = 6000;
/** Looks at the device, without anything happening, that are called rest. */
const QUIET_ROUNDS = 4;
/** The driver gives a device up that asks for more resets; no sequence goes there. */
const NEEDS_RESETS_MAX = 8;

interface Look {
  readonly counts: FrameCounts;
  readonly postedPages: number;
  readonly targetPages: number;
  readonly actualPages: number;
}

const AT_REST: readonly string[] = ["stopped", "suspended"];

export class World {
  readonly rig: Rig;
  private readonly setup: Setup;
  private seed = 0;
  private reservePages: number;
  /** After an out-of-memory deflate an unchanged target waits; `gentle` may wait for ever. */
  private heldOff = false;
  private gentle = false;
  private needsResets = 0;
  private slowResets = 0;
  private liesTold = 0;
  private liesArmed = 0;
  private traced = 0;

  constructor(setup: Setup) {
    this.setup = setup;
    this.reservePages = setup.reservePages;
    this.rig = makeRig(setup, {
      allocate: (most) => this.allocate(most),
      release: (run) => {
        this.rig.frames.release(run);
        this.rig.driver.memoryFreed();
      },
    });
    this.start();
    this.judge();
  }

  perform(command: Command): void {
    this.act(command);
    this.judge();
  }

  private act(command: Command): void {
    const { machine, guest } = this.rig;
    switch (command.do) {
      case "target":
        machine.setTarget(command.pages);
        break;
      case "target-again":
        machine.setTarget(machine.target);
        break;
      case "interrupt":
      case "step":
        this.step(command.do === "interrupt");
        break;
      case "spurious":
        machine.spuriousInterrupt();
        break;
      case "device":
        this.answerInTime();
        machine.run();
        break;
      case "time":
        this.answerInTime();
        machine.advance(command.ms);
        break;
      case "rest":
        this.rest();
        break;
      case "grow":
        this.seed += 1;
        guest.grow(command.frames, this.seed);
        break;
      case "shrink":
        equal("wrong words in what the guest gives back", guest.shrink(command.frames), 0);
        break;
      case "verify":
        this.verify();
        break;
      case "stats":
        machine.requestStats();
        break;
      default:
        this.administer(command);
    }
  }

  /** What an administrator does, and what goes wrong. */
  private administer(command: Command): void {
    const { machine, driver } = this.rig;
    switch (command.do) {
      case "follow":
        this.gentle = false;
        driver.setPolicy(follow());
        break;
      case "cooperative":
        this.gentle = false;
        driver.setPolicy(cooperative());
        break;
      case "gentle":
        this.gentle = true;
        driver.setPolicy(gentle({ pagesPerSecond: command.pagesPerSecond, hysteresisPages: 16 }));
        break;
      case "reserve":
        this.reservePages = command.pages;
        driver.setReserve(command.pages);
        break;
      case "mode":
        this.setMode(command.mode);
        break;
      case "stop":
        this.stop();
        break;
      case "start":
        this.start();
        break;
      case "suspend":
        this.halt("suspended");
        break;
      case "resume":
        driver.resume();
        this.comeUp();
        break;
      case "slow-reset":
        this.slowResets += command.times;
        machine.inject({ name: "reset-slow", times: command.times });
        break;
      case "needs-reset":
        this.needReset();
        break;
      case "migrate":
        this.migrate(command.host);
        break;
      case "lie":
        if (this.liesArmed > this.liesTold) return;
        this.liesArmed += 1;
        machine.inject({ name: command.lie, queue: command.queue, after: command.after });
    }
  }

  /**
   * A guest that is asleep for seconds is late with its statistics; that is not the driver's fault.
   */
  private answerInTime(): void {
    if (this.rig.machine.stats.waiting) this.step(true);
  }

  private setMode(mode: DeflateMode): void {
    const { driver } = this.rig;
    if (mode.startsWith("tell-") || !mayHaveToTell(this.setup)) {
      driver.setDeflateMode(mode);
      return;
    }
    if (driver.stateName !== "running" || !this.tells) return;
    try {
      driver.setDeflateMode(mode);
    } catch (error) {
      if (error instanceof BallonetError && error.code === "config") return;
      throw error;
    }
    throw new Error(`mode ${mode} is accepted under MUST_TELL_HOST`);
  }

  /** Whether MUST_TELL_HOST, bit 0, is negotiated. */
  private get tells(): boolean {
    return (this.rig.machine.negotiated & 1n) !== 0n;
  }

  /** To a host that takes the guest exactly when it has all that was accepted. */
  migrate(host: OtherHost): void {
    const { rig, setup } = this;
    const { offered, negotiated } = rig.machine;
    // A mode that MUST_TELL_HOST forbids would be an error of the settings after a reset.
    const mustTellHost = setup.offer.mustTellHost && (host.offer?.mustTellHost ?? false);
    const offer = { ...setup.offer, ...host.offer, mustTellHost };
    try {
      rig.migrate({ ...host, offer });
    } catch (error) {
      if (!(error instanceof IncomingStreamError) || error.missing.length === 0) throw error;
      if (host.adoptOffer) throw error;
      equal("the offer of a host that did not take the guest", rig.machine.offered, offered);
      return;
    }
    const missing = negotiated & ~rig.machine.offered;
    if (setup.way.transport === "modern") equal("features that are missing", missing, 0n);
    if (host.adoptOffer) equal("the offer that was taken over", rig.machine.offered, offered);
    addFigures({ migrations: 1 });
    // The armed lies were the other host's.
    this.liesArmed = this.liesTold;
    this.traced = 0;
  }

  private needReset(): void {
    const { driver, machine } = this.rig;
    if (driver.stateName !== "running" || this.needsResets === NEEDS_RESETS_MAX) return;
    this.needsResets += 1;
    machine.inject({ name: "needs-reset" });
  }

  private stop(): void {
    this.halt("stopped");
  }

  private halt(end: "stopped" | "suspended"): void {
    const { driver } = this.rig;
    if (driver.stateName === "stopped" || driver.stateName === end) return;
    if (end === "stopped") driver.stop();
    else driver.suspend();
    for (let round = 0; driver.stateName === "stopping"; round++) {
      if (round > ROUNDS_MAX) throw new Error("the driver does not stop");
      driver.step();
    }
    equal("state at rest", driver.stateName, end);
    const { held, inflating, deflating } = frameCounts(this.rig.core);
    equal("pages away at rest", held + inflating + deflating, 0);
  }

  private start(): void {
    const { driver } = this.rig;
    driver.resume();
    driver.start();
    this.comeUp();
  }

  private comeUp(): void {
    const { driver } = this.rig;
    this.step(false);
    for (let round = 0; driver.stateName === "starting"; round++) {
      if (round > ROUNDS_MAX) throw new Error("the driver does not start");
      this.rig.machine.advance(1);
      this.step(false);
    }
  }

  /** What the embed API does, and a judgement of every step. */
  private allocate(most: number): FrameRun | undefined {
    const { frames, driver } = this.rig;
    for (let round = 0; round < SHORTAGE_ROUNDS; round++) {
      const run = frames.allocate(most);
      if (run !== undefined) return run;
      if (!driver.shortage(most)) return undefined;
      this.heldOff = true;
      this.step(false);
    }
    return undefined;
  }

  private look(): Look {
    const { frames: counts, totals, targetPages, actualPages } = this.rig.driver.status();
    const postedPages = totals.inflated + counts.inflating;
    return { counts, postedPages, targetPages, actualPages };
  }

  private step(interrupt: boolean): void {
    const { driver, machine } = this.rig;
    const before = this.look();
    if (interrupt) driver.interrupt(messageBits(machine));
    const next = driver.step();
    const after = this.look();
    if (after.targetPages !== before.targetPages) this.heldOff = false;
    this.noteLies();
    if (driver.stateName !== "running") return;
    if (next === undefined) throw new Error("a running driver never wants to be called again");
    if (interrupt) equal("target after an interrupt", after.targetPages, machine.target);
    // A busy device may have more for it than one step takes; then it asks to be called at once.
    if (next > machine.nowMs) {
      if (this.setup.silent) atMost("actual after a step", after.actualPages, machine.heldPages);
      else equal("actual after a step", after.actualPages, machine.heldPages);
      this.judgeShownActual(after.actualPages);
    }
    if (after.postedPages <= before.postedPages) return;
    atMost("reserve after inflating", this.reservePages, after.counts.free);
    const bound = after.counts.held + after.counts.inflating;
    // Who looks after each answer may look when it has given already.
    const looksLate = this.setup.persona !== "ballonet";
    const wanted = looksLate ? before.targetPages : 0;
    atMost("pages given after inflating", bound, Math.max(wanted, after.targetPages));
  }

  private judgeShownActual(written: number): void {
    const { machine } = this.rig;
    // A persona that writes nothing at the start leaves what an earlier guest left.
    if (written === 0 && this.setup.persona !== "ballonet") return;
    if (machine.profile.balloon.actualOwner === "driver") equal("actual", machine.actual, written);
  }

  private noteLies(): void {
    if (this.liesArmed === this.liesTold) return;
    const { trace } = this.rig.machine;
    for (let n = Math.max(this.traced, trace.lost) + 1; n <= trace.last; n++) {
      const entry = trace.at(n);
      if (entry?.kind === "fault" && /^(inflate|deflate|stats)q\b/.test(entry.what)) {
        this.liesTold += 1;
      }
    }
    this.traced = trace.last;
  }

  /**
   * Lets driver and device work until neither has anything left to do, and judges where they are.
   */
  rest(): void {
    const { machine, driver } = this.rig;
    let quiet = 0;
    for (let round = 0; quiet < QUIET_ROUNDS; round++) {
      if (round > ROUNDS_MAX) throw new Error(`no rest: ${JSON.stringify(driver.status())}`);
      const interrupted = machine.interruptPending;
      this.step(interrupted);
      if (AT_REST.includes(driver.stateName) || driver.stateName === "failed") return;
      const worked = machine.run() > 0 || interrupted || machine.interruptPending;
      if (!worked) machine.advance(this.setup.pollMs);
      quiet = worked || !this.arrived ? 0 : quiet + 1;
    }
    this.judgeFrames();
    this.noVerdicts(machine.check({ memoryShort: machine.heldPages < machine.target }));
  }

  /** Nothing is on its way, and the target is reached or out of reach. */
  private get arrived(): boolean {
    if (this.rig.driver.stateName !== "running") return false;
    if (!answers(this.setup)) return true;
    const { counts, actualPages, targetPages } = this.look();
    const { target } = this.rig.machine;
    if (counts.inflating + counts.deflating > 0 || targetPages !== target) return false;
    if (actualPages === target) return true;
    const waits = this.heldOff && this.gentle;
    const least = leastGiven(this.setup, target - actualPages);
    return actualPages < target && (waits || counts.free - this.reservePages < least);
  }

  private verify(): void {
    const { guest } = this.rig;
    equal("wrong words in the guest's frames", guest.verify(), 0);
    addFigures({ bytesVerified: guest.frames_held() * FRAME_BYTES });
    this.judgeFrames();
  }

  /** What must be true at any time. */
  private judge(): void {
    const { machine, driver, guest, ramFrames, endFrame } = this.rig;
    this.noVerdicts(machine.verdicts);
    const status = driver.status();
    const { frames: counts, actualPages, inFlight } = status;
    const sum = Object.values(counts).reduce((total, frames) => total + frames, 0);
    equal("frames in the ledger", sum, endFrame);
    equal("reserved frames", counts.reserved, endFrame - ramFrames);
    equal("frames in use", counts.used, guest.frames_held());
    this.judgeState();
    if (driver.stateName === "failed") return;
    const unheard = inFlight.deflatePages;
    atMost("actual, but for deflates unheard of", actualPages - unheard, machine.heldPages);
    this.judgeFrames(status);
  }

  private judgeState(): void {
    const { machine, driver } = this.rig;
    const { stateName, error } = driver;
    if (stateName === "running" || AT_REST.includes(stateName)) return;
    if (stateName === "starting" && this.slowResets > 0) return;
    if (stateName !== "failed") throw new Error(`the driver is ${stateName}`);
    equal("why the driver failed", error?.code ?? "nothing", "device-lied");
    if (this.liesTold === 0) throw new Error(`the driver failed, nobody lied: ${error?.message}`);
    if (!hasFailed(machine)) throw new Error("the driver failed and did not say so");
  }

  private judgeFrames(status = this.rig.driver.status()): void {
    const { silent } = this.setup;
    agreeOnFrames(this.rig, { silent, tells: this.tells, status });
  }

  private noVerdicts(verdicts: Machine["verdicts"]): void {
    if (verdicts.length === 0) return;
    throw new Error(`rules broken:\n${verdictLines(this.rig.machine).join("\n")}`);
  }

  /**
   * The end of every sequence: whatever happened, the balloon reaches a target within reach, gives
   * everything back at target 0, and the guest has lost nothing.
   */
  finish(): void {
    const { driver, guest } = this.rig;
    driver.setPolicy(follow());
    driver.setReserve(0);
    this.reservePages = 0;
    this.gentle = false;
    this.settleHonestly();
    if (answers(this.setup)) this.finishAtTargets();
    else this.finishDeaf();
    equal("the guest's frames at the end", guest.frames_held(), 0);
    const { inflated, deflated } = driver.status().totals;
    addFigures({ pagesMoved: inflated + deflated, simulatedMs: this.rig.machine.nowMs });
  }

  private finishAtTargets(): void {
    const { machine, driver, core } = this.rig;
    const { free, held } = frameCounts(core);
    const last = Math.round(this.setup.lastTarget * (free + held));
    machine.setTarget(last);
    this.settleHonestly();
    equal("actual at the last target", driver.status().actualPages, last);
    if (!this.setup.silent) equal("the host's pages at the last target", machine.heldPages, last);
    this.verify();
    machine.setTarget(0);
    this.settleHonestly();
    if (this.setup.silent) this.stop();
    equal("the host's pages at the end", machine.heldPages, 0);
    this.finishGuest();
  }

  /** Rest, although a lie that was armed earlier may still bring the driver down. */
  private settleHonestly(): void {
    const { driver } = this.rig;
    for (let round = 0; ; round++) {
      if (driver.stateName === "failed") this.stop();
      this.start();
      this.rest();
      this.judge();
      if (driver.stateName === "running") return;
      if (round > this.liesArmed) throw new Error("the driver fails without end");
    }
  }

  /** A device that returns nothing keeps what it has until it is reset. */
  private finishDeaf(): void {
    this.rig.machine.setTarget(0);
    this.settleHonestly();
    this.stop();
    this.finishGuest();
  }

  private finishGuest(): void {
    const { guest, core, ramFrames } = this.rig;
    this.verify();
    equal("wrong words at the end", guest.shrink(guest.frames_held()), 0);
    equal("free frames at the end", frameCounts(core).free, ramFrames);
    this.judge();
  }
}
