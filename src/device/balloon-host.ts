/**
 * The host's side of a balloon device: targets, statistics, hints, faults, time and verdicts. It is
 * the same for a machine and for a device alone.
 *
 * Equal options and equal accesses give equal traces.
 */

import { BalloonDevice } from "./balloon/balloon-device.ts";
import type { CheckOptions } from "./balloon/balloon-options.ts";
import type { MemoryView } from "./balloon/locked-memory.ts";
import { MachineOptionError } from "./errors.ts";
import type { Profile } from "./host/profile.ts";
import { DEFAULT_ACCESS_MS, type HostOptions } from "./host-options.ts";
import type { Context } from "./judge/context.ts";
import { Judge } from "./judge/judge.ts";
import type { Outcome } from "./judge/outcome.ts";
import type { FoldedVerdict } from "./judge/tally.ts";
import type { Verdict } from "./judge/verdict.ts";
import { judgeFault } from "./known-options.ts";
import { GuestMemory } from "./memory/guest-memory.ts";
import { Clock } from "./sim/clock.ts";
import { FaultInjector, type FaultName, type FaultSpec } from "./sim/faults.ts";
import { Random } from "./sim/random.ts";
import { Trace } from "./sim/trace.ts";
import type { Parts } from "./snapshot/part.ts";
import { FEATURE } from "./spec/numbers.ts";
import type { RuleId } from "./spec/rules.ts";
import {
  type Incoming,
  loadStream,
  type Movable,
  offeredIn,
  readStream,
  saveStream,
} from "./stream.ts";
import { type AbsentMemory, isMmio, type TransportKind } from "./virtio/bus.ts";
import { DriverSignal } from "./virtio/driver-signal.ts";
import type { VirtioDevice } from "./virtio/virtio-device.ts";

/** Options of `advance` and `run`. */
export interface PassOptions {
  /**
   * Whether the driver has had its turn and waits, so that a notification it owes is missing. A
   * system that runs by itself may be between two steps. Default: yes, for the subject `system` no.
   */
  readonly atRest?: boolean;
}

/** What a host can do with a balloon, and see of it, wherever its device sits. */
export abstract class BalloonHost {
  readonly profile: Profile;
  readonly trace: Trace;
  /** What was broken so far, in order. */
  readonly verdicts: readonly Verdict[];
  protected readonly clock = new Clock();
  protected readonly faults = new FaultInjector();
  protected readonly signal = new DriverSignal(this.clock);
  protected readonly device: BalloonDevice;
  protected readonly context: Context;
  protected readonly transport: TransportKind;
  private readonly judge: Judge;
  /** A guest from another host that has not been taken yet. */
  private incoming: Incoming | undefined;
  private readonly accessMs: number;
  private accesses = 0;
  protected logLines = 0;

  protected constructor(options: HostOptions, profile: Profile) {
    this.profile = profile;
    this.accessMs = options.accessMs ?? DEFAULT_ACCESS_MS;
    this.transport = options.transport ?? "modern";
    const { judging = true, subject = "driver", postedWrites = false } = options;
    this.trace = new Trace(() => this.clock.nowMs, options.traceLimit ?? (judging ? undefined : 0));
    this.judge = new Judge(this.trace, () => this.clock.nowMs, {
      waived: options.waive ?? [],
      judging,
    });
    this.verdicts = this.judge.verdicts;
    this.context = {
      memory: new GuestMemory(options.memory),
      clock: this.clock,
      random: new Random(options.seed ?? 1),
      trace: this.trace,
      judge: this.judge,
      subject,
      postedWrites,
    };
    const own = judging ? options : { ...options, canary: false };
    this.incoming = options.incoming && readStream(options.incoming);
    const { incoming } = this;
    const adopted = incoming && options.adoptOffer ? offeredIn(incoming) : undefined;
    const made = { faults: this.faults, signal: this.signal };
    this.device = new BalloonDevice(this.context, profile, own, made, adopted);
    const { transport, virtio } = this;
    this.judge.usedBy = () => {
      const pci = virtio.legacy ? "legacy" : "modern";
      return { by: isMmio(transport) ? transport : pci, packed: virtio.has(FEATURE.ringPacked) };
    };
  }

  /** Whether the interrupt line is up, which reading the ISR status lowers. */
  get interruptPending(): boolean {
    return this.virtio.interruptPending;
  }

  /** device_status as it is now. */
  get status(): number {
    return this.virtio.currentStatus;
  }

  /** Features that the device offers. */
  get offered(): bigint {
    return this.virtio.options.offered;
  }

  /** Features that the driver has accepted. */
  get negotiated(): bigint {
    return this.virtio.driverFeatures;
  }

  /** Virtual milliseconds since the machine was made. */
  get nowMs(): number {
    return this.clock.nowMs;
  }

  /** `num_pages`: what the host wants, in pages. */
  get target(): number {
    return this.device.balloon.numPages;
  }

  /** `actual` as the device shows it; who owns the value depends on the profile. */
  get actual(): number {
    return this.device.balloon.actual;
  }

  /** Pages that the host has: acknowledged inflates less acknowledged deflates. */
  get heldPages(): number {
    return this.device.balloon.pages.inBalloon;
  }

  /** Pages whose inflate the device has taken and not returned. */
  get inflatingPages(): number {
    return this.device.balloon.pages.count("inflating");
  }

  /** Pages whose deflate the device has taken and not returned. */
  get deflatingPages(): number {
    return this.device.balloon.pages.count("deflating");
  }

  /** The memory behind the balloon: locks, touches by the guest, and what was lost. */
  get memory(): MemoryView {
    return this.device.memory;
  }

  /** Who has a page: the guest, the host, or the host with a request in flight. */
  pageState(pfn: number): "guest" | "inflating" | "held" | "deflating" {
    return this.device.balloon.pages.state(pfn);
  }

  /** The last statistics by tag, and how many buffers were read and asked for. */
  get stats(): {
    readonly sample: ReadonlyMap<number, bigint>;
    readonly samples: number;
    readonly requests: number;
    readonly waiting: boolean;
  } {
    const { sample, samples, requests, waiting } = this.device.stats;
    return { sample, samples, requests, waiting };
  }

  /** Pages that are hinted now: not given back by DONE, nor found in use again. */
  get hintedPages(): number {
    return this.device.freePages.hinted.size;
  }

  /**
   * Free page hinting: `id` is what free_page_hint_cmd_id shows; the rest was counted since the
   * machine was made: pages and ranges taken, buffers with an id and with STOP.
   */
  get hinting(): {
    readonly id: number;
    readonly pages: number;
    readonly ranges: number;
    readonly starts: number;
    readonly stops: number;
  } {
    const { commandId: id, counted } = this.device.hinting;
    return { id, ...counted };
  }

  /** Free page reporting, counted since the machine was made. */
  get reportedPages(): {
    readonly pages: number;
    readonly ranges: number;
    readonly buffers: number;
    /** Pages of reports that the device has taken and not returned. */
    readonly inFlight: number;
  } {
    const inFlight = this.device.freePages.reporting.size;
    return { ...this.device.reporting.counted, inFlight };
  }

  /** `poison_val`, as the driver wrote it. */
  get poisonValue(): number {
    return this.device.poison.value;
  }

  /** What was counted since the machine was made. */
  get counters(): {
    /** Port and memory accesses. */
    readonly accesses: number;
    readonly notifications: number;
    /** Notifications that found nothing new. */
    readonly idleNotifications: number;
    readonly interrupts: number;
    readonly logLines: number;
  } {
    const { notifications, interrupts, kicks } = this.virtio;
    const { accesses, logLines } = this;
    return { accesses, notifications, idleNotifications: kicks.idle, interrupts, logLines };
  }

  /** The armed faults that have struck. */
  get faultsStruck(): ReadonlySet<FaultName> {
    return this.faults.struck;
  }

  /** Whether the device has nothing planned. */
  get idle(): boolean {
    return this.clock.pending === 0;
  }

  /** How the driver ended: ask when it has nothing left to do. */
  get outcome(): Outcome {
    const outcome = this.virtio.life.outcome(this.status);
    if (outcome.end !== "never came") return outcome;
    const bus = isMmio(this.transport) ? "MMIO" : "PCI";
    return { ...outcome, why: `${outcome.why}; the device is on ${bus} (${this.transport})` };
  }

  /** All breaches, those of a rule folded into one, in the order in which rules broke first. */
  summary(): readonly FoldedVerdict[] {
    return this.judge.summary();
  }

  /** How often a rule was broken, also beyond the verdicts that are kept. */
  broken(rule: RuleId): number {
    return this.judge.count(rule);
  }

  /** The host changes its target, in pages. */
  setTarget(pages: number): void {
    if (!Number.isInteger(pages) || pages < 0 || pages > 0xffff_ffff) {
      throw new MachineOptionError(
        "setTarget",
        `${pages} pages`,
        "give a number from 0 to 2^32 - 1",
      );
    }
    this.trace.add("host", "target", { pages });
    this.device.balloon.numPages = pages;
    this.virtio.configChanged();
  }

  /** The host asks for statistics. Returns false when the driver has given no buffer. */
  requestStats(): boolean {
    const queue = this.device.queueOf("stats");
    if (queue === undefined || queue.hangs || !this.device.uses(FEATURE.statsVq)) return false;
    return this.device.stats.request(queue);
  }

  /**
   * The host starts a run of free page hinting. Returns the run's id; `undefined` when the driver
   * is not up, has not accepted FREE_PAGE_HINT, or the profile never starts one.
   */
  startHinting(): number | undefined {
    const { hints } = this.profile.balloon;
    if (!this.device.uses(FEATURE.freePageHint) || !hints.served) return undefined;
    return this.device.hinting.start();
  }

  /** The host pauses hinting: STOP (0). The driver keeps the pages that it has hinted. */
  stopHinting(): void {
    this.device.hinting.pause();
  }

  /** The host is done with all hinted pages: DONE (1). */
  finishHinting(): void {
    this.device.hinting.finish();
  }

  /**
   * Moves the clock by `ms` milliseconds and lets the device do what is due by then.
   *
   * @throws MachineOptionError when `ms` is no number of 0 or more.
   */
  advance(ms: number, options: PassOptions = {}): void {
    if (!Number.isFinite(ms) || ms < 0) {
      throw new MachineOptionError("advance", `${ms} ms`, "give a number of 0 or more");
    }
    if (ms > 0) this.passTime(options);
    this.clock.advance(ms);
  }

  /** Runs all work that the device has planned. Returns how many pieces of work ran. */
  run(options: PassOptions = {}): number {
    this.passTime(options);
    return this.clock.run();
  }

  /** How many pieces of work the device has planned. */
  get planned(): number {
    return this.clock.pending;
  }

  /**
   * Lets the device do one piece of the work that it has planned, the n-th from 0 on, without time
   * passing: a search can try every order. Returns false when there is no such piece.
   */
  runEarly(n: number, options: PassOptions = {}): boolean {
    this.passTime(options);
    return this.clock.runEarly(n);
  }

  /**
   * Arms a fault, or for `needs-reset` lets it happen at once.
   *
   * @throws MachineOptionError when there is no such fault.
   */
  inject(fault: FaultSpec): void {
    judgeFault(fault);
    this.trace.add("fault", `armed ${fault.name}`);
    if (fault.name === "needs-reset") {
      this.faults.struck.add(fault.name);
      this.virtio.needReset();
    } else this.faults.arm(fault);
  }

  /** Takes the device out: nobody answers in its place, and all its pages are the guest's. */
  unplug(absentMemory: AbsentMemory = "ones"): void {
    this.trace.add("host", "unplugged");
    this.virtio.reset();
    this.virtio.life.takenOut();
    this.leaveBus(absentMemory);
  }

  /** Puts a new device in where the last one was; the host's target is as it was. */
  plug(): void {
    this.trace.add("host", "plugged in");
    this.device.balloon.actual = 0;
    this.virtio.life.begin();
    this.joinBus();
  }

  /**
   * Resets the whole platform, as a reboot or a suspend to RAM does: the device is as it was at
   * power-on, with its BARs unplaced, and a driver has to bring it up from the start.
   */
  reset(): void {
    this.trace.add("host", "platform reset");
    this.virtio.powerOff();
    this.joinBus();
  }

  /**
   * Returns the guest and the device's state, for another machine's option `incoming`. This machine
   * does not change. With `memory: false` the guest's memory is left out: the other machine has to
   * be made with it.
   */
  save({ memory = true }: { readonly memory?: boolean } = {}): Uint8Array {
    return saveStream(this.movable, { memory });
  }

  /** Raises the interrupt without a cause, as devices that share a line do. */
  spuriousInterrupt(): void {
    this.virtio.raiseSpurious();
  }

  /** Compares every page of the host's now. Those that the guest changed become verdicts. */
  audit(): void {
    this.device.audit();
  }

  /** The host is short of memory and takes every unlocked page away. Returns how many it took. */
  reclaim(): number {
    this.audit();
    return this.device.memory.reclaim();
  }

  /**
   * Judges what only shows at rest: call it when the driver has nothing left to do. Returns all
   * verdicts. A driver that is not up, has failed or has a device that needs a reset is judged by
   * its pages alone.
   */
  check(options: CheckOptions = {}): readonly Verdict[] {
    this.audit();
    if (this.virtio.live) this.device.check(options);
    else this.virtio.checkHalted();
    return this.verdicts;
  }

  /** The parts with state between the device and the driver. */
  protected abstract get busParts(): Parts;

  /** Puts the device on its bus, as it is at power-on. */
  protected abstract joinBus(): void;

  /** Takes the device from its bus. */
  protected abstract leaveBus(absentMemory: AbsentMemory): void;

  /** The last step of making: takes the guest in `incoming`, and arms the faults. */
  protected complete({ faults }: HostOptions): void {
    if (this.incoming !== undefined) loadStream(this.movable, this.incoming);
    this.incoming = undefined;
    for (const fault of faults ?? []) this.inject(fault);
  }

  /** The driver makes an access: time passes, and faults may strike. */
  protected access(): void {
    this.accesses += 1;
    this.clock.tick(this.accessMs);
    if (this.faults.strikes("gone")) this.unplug();
    if (this.faults.strikes("gone-zeros")) this.unplug("zeros");
  }

  /** The driver reads the clock. */
  protected readClock(): number {
    this.clock.tick(this.accessMs);
    return this.clock.nowMs;
  }

  protected get virtio(): VirtioDevice {
    return this.device.virtio;
  }

  /** A driver that is at rest has notified of all that it wants served. */
  private passTime({ atRest = this.context.subject === "driver" }: PassOptions): void {
    if (atRest) this.device.judgeKicks();
  }

  private get movable(): Movable {
    const { device, context, transport, profile } = this;
    const parts = { device, ...this.busParts };
    return { context, device, parts, transport, deviceId: profile.pci.deviceId };
  }
}
