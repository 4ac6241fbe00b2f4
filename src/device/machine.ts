/**
 * The reference machine: a PCI host bridge, a balloon device, a clock and a judge, in one process.
 *
 * It must not know any driver. Invariant: equal options and equal accesses give equal traces.
 */

import { Balloon, QUEUE_NAMES } from "./balloon.ts";
import { Clock } from "./clock.ts";
import type { Context } from "./context.ts";
import { DeviceQueue } from "./device-queue.ts";
import { FaultBox, type FaultSpec } from "./faults.ts";
import { GuestMemory } from "./guest-memory.ts";
import { HostPages } from "./host-pages.ts";
import { Judge, type Verdict } from "./judge.ts";
import {
  type CheckOptions,
  DEFAULT_ACCESS_MS,
  type MachineHal,
  MachineOptionError,
  type MachineOptions,
  scheduleOf,
  withOptions,
} from "./machine-options.ts";
import { neighbours } from "./neighbours.ts";
import { FEATURE, PAGE_BYTES, QUEUE, STATUS } from "./numbers.ts";
import { offeredBits, queueSpecs } from "./offer.ts";
import { PciBus } from "./pci-bus.ts";
import type { Profile } from "./profile.ts";
import { Random } from "./random.ts";
import type { RuleId } from "./rules.ts";
import { StatsQueue } from "./stats.ts";
import { Trace } from "./trace.ts";
import { VirtioDevice } from "./virtio.ts";
import { VirtioPci } from "./virtio-pci.ts";

/** Makes a machine. Throws `MachineOptionError` when an option makes no sense. */
export function createMachine(options: MachineOptions): Machine {
  return new Machine(options);
}

export class Machine {
  readonly profile: Profile;
  readonly hal: MachineHal;
  readonly trace: Trace;
  /** What was broken so far, in order. */
  readonly verdicts: readonly Verdict[];
  private readonly judge: Judge;
  private readonly clock = new Clock();
  private readonly faultBox = new FaultBox();
  private readonly virtio: VirtioDevice;
  private readonly balloon: Balloon;
  private readonly statsQueue: StatsQueue;
  private readonly bus: PciBus;
  private readonly accessMs: number;
  private accesses = 0;
  private logLines = 0;

  constructor(options: MachineOptions) {
    const profile = withOptions(options);
    const seed = options.seed ?? 1;
    this.profile = profile;
    this.accessMs = options.accessMs ?? DEFAULT_ACCESS_MS;
    this.trace = new Trace(() => this.clock.nowMs);
    this.judge = new Judge(this.trace, () => this.clock.nowMs, options.waive ?? []);
    this.verdicts = this.judge.verdicts;
    const context: Context = {
      memory: new GuestMemory(options.memory),
      clock: this.clock,
      random: new Random(seed),
      trace: this.trace,
      judge: this.judge,
    };
    const bits = offeredBits(profile, options.offer);
    this.virtio = new VirtioDevice(context, { ...bits, ...profile }, this.faultBox);
    this.statsQueue = new StatsQueue(context, profile.balloon);
    this.makeQueues(context, options, bits.offered);
    this.balloon = new Balloon(context, {
      habits: profile.balloon,
      pages: new HostPages(context, options.garbage ?? true, seed),
      frames: options.frames ?? Math.floor(context.memory.bytes / PAGE_BYTES),
      offered: bits.offered,
      queues: this.virtio.queues,
      onReset: () => this.statsQueue.reset(),
    });
    this.balloon.actual = options.staleActual ?? 0;
    this.wire();
    this.bus = new PciBus(context);
    this.bus.functions.push(...neighbours(profile.pci));
    this.bus.functions.push(new VirtioPci(context, profile, this.virtio).pciFunction);
    this.hal = this.makeHal();
    for (const fault of options.faults ?? []) this.inject(fault);
  }

  /** Called when the interrupt line goes up, from inside the access or `run` that raised it. */
  set onInterrupt(listener: (() => void) | undefined) {
    this.virtio.onInterrupt = listener;
  }

  /** Whether the interrupt line is up; reading the ISR status lowers it. */
  get interruptPending(): boolean {
    return this.virtio.interruptPending;
  }

  /** device_status as it is now. */
  get status(): number {
    return this.virtio.currentStatus;
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
    return this.balloon.numPages;
  }

  /** `actual` as the device shows it; who owns the value depends on the profile. */
  get actual(): number {
    return this.balloon.actual;
  }

  /** Pages that the host has: acknowledged inflates less acknowledged deflates. */
  get heldPages(): number {
    return this.balloon.pages.inBalloon;
  }

  /** Pages whose inflate the device has taken and not returned. */
  get inflatingPages(): number {
    return this.balloon.pages.count("inflating");
  }

  /** Pages whose deflate the device has taken and not returned. */
  get deflatingPages(): number {
    return this.balloon.pages.count("deflating");
  }

  /** Whose a page is. */
  pageState(pfn: number): "guest" | "inflating" | "held" | "deflating" {
    return this.balloon.pages.state(pfn);
  }

  /** The last statistics by tag, and how many buffers were read and asked for. */
  get stats(): {
    readonly sample: ReadonlyMap<number, bigint>;
    readonly samples: number;
    readonly requests: number;
    readonly waiting: boolean;
  } {
    const { sample, samples, requests, waiting } = this.statsQueue;
    return { sample, samples, requests, waiting };
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
    const { notifications, idleNotifications, interrupts } = this.virtio;
    const { accesses, logLines } = this;
    return { accesses, notifications, idleNotifications, interrupts, logLines };
  }

  /** Whether the device has nothing planned. */
  get idle(): boolean {
    return this.clock.pending === 0;
  }

  /** How often a rule was broken, also beyond the verdicts that are kept. */
  broken(rule: RuleId): number {
    return this.judge.count(rule);
  }

  /** The host changes its target, in pages. */
  setTarget(pages: number): void {
    if (!Number.isInteger(pages) || pages < 0 || pages > 0xffff_ffff) {
      throw new MachineOptionError(`setTarget: ${pages} is not a number of pages (0 to 2^32 - 1)`);
    }
    this.trace.add("host", "target", { pages });
    this.balloon.numPages = pages;
    this.virtio.configChanged();
  }

  /** The host asks for statistics. Returns whether a buffer was there to ask with. */
  requestStats(): boolean {
    const queue = this.virtio.queues[QUEUE.stats];
    if (queue === undefined || !this.virtio.live || !this.virtio.has(FEATURE.statsVq)) return false;
    return this.statsQueue.request(queue);
  }

  /** Moves the clock by `ms` and lets the device do what falls due. */
  advance(ms: number): void {
    if (ms > 0) this.judgeKicks();
    this.clock.advance(ms);
  }

  /** Lets the device do everything that it has planned, however late. Returns how much that was. */
  run(): number {
    this.judgeKicks();
    return this.clock.run();
  }

  /** Arms a fault, or for `needs-reset` lets it happen at once. */
  inject(fault: FaultSpec): void {
    this.trace.add("fault", `armed ${fault.name}`);
    if (fault.name === "needs-reset") this.virtio.needReset();
    else this.faultBox.arm(fault);
  }

  /** Raises the interrupt without a cause, as devices that share a line do. */
  spuriousInterrupt(): void {
    this.virtio.raiseSpurious();
  }

  /** Looks at every page of the host's now; those that the guest changed become verdicts. */
  audit(): void {
    this.balloon.audit();
    this.statsQueue.audit();
    if (!this.virtio.live) return;
    for (const { ring } of this.virtio.queues) ring?.audit();
  }

  /**
   * Judges what only shows at rest: call it when the driver has nothing left to do. Returns all
   * verdicts. A driver that is not up, has failed or has a device that needs a reset is judged by
   * its pages alone.
   */
  check(options: CheckOptions = {}): readonly Verdict[] {
    this.audit();
    if (this.virtio.live) {
      this.judgeKicks();
      this.balloon.check({ memoryShort: options.memoryShort ?? false });
      this.judgeStats();
      if (this.virtio.interruptPending && this.virtio.onInterrupt !== undefined) {
        this.judge.breach("Q-ISR-UNREAD", "the interrupt is still asserted");
      }
    }
    return this.verdicts;
  }

  private judgeKicks(): void {
    if (!this.virtio.live) return;
    for (const queue of this.virtio.queues) {
      const { ring } = queue;
      if (ring === undefined || ring.broken !== undefined || !ring.kickOwed) continue;
      const seen = `${queue.options.name}: ${ring.waiting} buffers wait, no notification came`;
      this.judge.breach("R-KICK-MISSING", seen);
    }
  }

  private judgeStats(): void {
    if (!this.virtio.has(FEATURE.statsVq) || !this.statsQueue.owed) return;
    this.judge.breach("D19", "the device has no statistics buffer");
  }

  private makeQueues(context: Context, options: MachineOptions, offered: bigint): void {
    const { virtio, profile } = this;
    for (const [index, spec] of queueSpecs(profile, offered).entries()) {
      const exits = {
        interrupt: () => virtio.usedBuffers(),
        broken: () => virtio.needReset(),
        halted: () => virtio.halted || !virtio.reachesMemory(),
      };
      const queueOptions = {
        index,
        name: QUEUE_NAMES[index] ?? `queue ${index}`,
        maxSize: spec.size,
        notifyOff: spec.notifyOff,
        completion: scheduleOf(index, options.completion ?? profile.completion),
        quietWhileBusy: options.quietWhileBusy ?? false,
      };
      virtio.queues.push(new DeviceQueue(context, queueOptions, exits, this.faultBox));
    }
  }

  private wire(): void {
    const { virtio, balloon, statsQueue } = this;
    virtio.type = balloon;
    const [inflate, deflate, stats] = virtio.queues;
    if (inflate !== undefined) inflate.servant = balloon.servant("inflate");
    if (deflate !== undefined) deflate.servant = balloon.servant("deflate");
    if (stats === undefined) return;
    stats.servant = statsQueue;
    statsQueue.overflow = (older) => stats.finish([older]);
  }

  private makeHal(): MachineHal {
    const { bus, clock, trace, accessMs } = this;
    const spend = () => {
      this.accesses += 1;
      clock.tick(accessMs);
    };
    return {
      portRead: (port, width) => {
        spend();
        return bus.portRead(port, width);
      },
      portWrite: (port, width, value) => {
        spend();
        bus.portWrite(port, width, value);
      },
      mmioRead: (address, width) => {
        spend();
        return bus.mmioRead(address, width);
      },
      mmioWrite: (address, width, value) => {
        spend();
        bus.mmioWrite(address, width, value);
      },
      now: () => {
        clock.tick(accessMs);
        return clock.nowMs;
      },
      log: (level, line) => {
        this.logLines += 1;
        trace.add("log", `${level}: ${line}`);
      },
    };
  }
}

/** Whether the driver has given the device up. */
export function hasFailed(machine: Machine): boolean {
  return (machine.status & STATUS.failed) !== 0;
}
