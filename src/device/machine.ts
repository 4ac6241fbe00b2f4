/**
 * The reference machine: a PCI host bridge, a balloon device, a clock and a judge, in one process.
 *
 * It must not know any driver. Invariant: equal options and equal accesses give equal traces.
 */

import { Balloon, QUEUE_NAMES } from "./balloon.ts";
import { Clock } from "./clock.ts";
import type { Completion } from "./completion.ts";
import type { Context } from "./context.ts";
import { DeviceQueue } from "./device-queue.ts";
import { FaultBox, type FaultSpec } from "./faults.ts";
import { GuestMemory, type GuestMemorySource } from "./guest-memory.ts";
import { HostPages } from "./host-pages.ts";
import { Judge, type Verdict } from "./judge.ts";
import { neighbours } from "./neighbours.ts";
import { FEATURE, PAGE_BYTES, QUEUE, STATUS } from "./numbers.ts";
import { type Offer, offeredBits, queueSpecs } from "./offer.ts";
import { PciBus } from "./pci-bus.ts";
import type { PciLook, Profile } from "./profile.ts";
import { type ProfileName, profiles } from "./profiles.ts";
import { Random } from "./random.ts";
import type { RuleId } from "./rules.ts";
import { StatsQueue } from "./stats.ts";
import { Trace, type TraceEntry } from "./trace.ts";
import { VirtioDevice } from "./virtio.ts";
import { VirtioPci } from "./virtio-pci.ts";

/** Width of one access, in bytes. */
export type AccessWidth = 1 | 2 | 4;

/** What a driver may ask of the machine. */
export interface MachineHal {
  portRead(port: number, width: AccessWidth): number;
  portWrite(port: number, width: AccessWidth, value: number): void;
  mmioRead(address: number, width: AccessWidth): number;
  mmioWrite(address: number, width: AccessWidth, value: number): void;
  now(): number;
  log(level: "debug" | "info" | "warn" | "error", line: string): void;
}

/** One schedule for all queues, or one for each of the two that move pages. */
export type CompletionOption =
  | Completion
  | { readonly inflate?: Completion; readonly deflate?: Completion };

export interface MachineOptions {
  /** The device to be: a name, or values of one's own. Default `strict`. */
  readonly profile?: ProfileName | Profile;
  /** The guest's memory, from physical address 0. Fetched anew at every access: it may grow. */
  readonly memory: GuestMemorySource;
  /** Frames of 4 KiB that the guest has. Default: as many as the memory holds now. */
  readonly frames?: number;
  /** Entries offered for each queue, a power of two from 2 to 1024. Default: the profile's. */
  readonly ringSize?: number;
  readonly offer?: Offer;
  readonly completion?: CompletionOption;
  /** Whether the device asks for no notifications while it has buffers to return. Default no. */
  readonly quietWhileBusy?: boolean;
  /** What a device says in `used.len`. Default: the profile's. */
  readonly usedLength?: "zero" | "total" | "pfns";
  /** Whether held pages are overwritten, so that a guest that touches them is found. Default yes. */
  readonly garbage?: boolean;
  readonly seed?: number;
  readonly faults?: readonly FaultSpec[];
  /** Rules not to judge: a driver's known and intended departures. */
  readonly waive?: readonly RuleId[];
  /** Where and how the device sits on PCI, where it differs from the profile. */
  readonly pci?: Partial<PciLook>;
  /** What `actual` shows before any driver came, as left over by an earlier guest. Default 0. */
  readonly staleActual?: number;
  /** Virtual milliseconds that one access costs, so that waiting loops end. Default 0.001. */
  readonly accessMs?: number;
}

export interface CheckOptions {
  /** The guest has no more pages to give: D4 is not judged. Default false. */
  readonly memoryShort?: boolean;
}

/** Smallest and largest queue that the machine offers. */
const RING_SIZE_MIN = 2;
const RING_SIZE_MAX = 1024;

const DEFAULT_ACCESS_MS = 0.001;

/** A wrong option. */
export class MachineOptionError extends Error {
  readonly code = "machine-option";
}

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
  private logged = 0;

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
    this.statsQueue = new StatsQueue(context, profile.balloon.statsServed);
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
    readonly notifications: number;
    readonly interrupts: number;
    readonly logLines: number;
  } {
    const { notifications, interrupts } = this.virtio;
    return { notifications, interrupts, logLines: this.logged };
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
        halted: () => virtio.halted,
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
    return {
      portRead: (port, width) => {
        clock.tick(accessMs);
        return bus.portRead(port, width);
      },
      portWrite: (port, width, value) => {
        clock.tick(accessMs);
        bus.portWrite(port, width, value);
      },
      mmioRead: (address, width) => {
        clock.tick(accessMs);
        return bus.mmioRead(address, width);
      },
      mmioWrite: (address, width, value) => {
        clock.tick(accessMs);
        bus.mmioWrite(address, width, value);
      },
      now: () => {
        clock.tick(accessMs);
        return clock.nowMs;
      },
      log: (level, line) => {
        this.logged += 1;
        trace.add("log", `${level}: ${line}`);
      },
    };
  }
}

/** Whether the driver has given the device up. */
export function hasFailed(machine: Machine): boolean {
  return (machine.status & STATUS.failed) !== 0;
}

export type { TraceEntry };

function scheduleOf(index: number, option: CompletionOption): Completion {
  if ("kind" in option) return option;
  const schedule = index === QUEUE.inflate ? option.inflate : option.deflate;
  return schedule ?? { kind: "immediate" };
}

function withOptions(options: MachineOptions): Profile {
  const { profile: wanted = "strict", ringSize, usedLength, pci } = options;
  const profile = typeof wanted === "string" ? profiles[wanted] : wanted;
  if (profile === undefined) throw new MachineOptionError(`profile: ${String(wanted)} is unknown`);
  if (ringSize !== undefined && !soundRingSize(ringSize)) {
    throw new MachineOptionError(`ringSize: ${ringSize} is no power of two from 2 to 1024`);
  }
  return {
    ...profile,
    queues: profile.queues.map((queue) => ({ ...queue, size: ringSize ?? queue.size })),
    pci: { ...profile.pci, ...pci },
    balloon: { ...profile.balloon, ...(usedLength === undefined ? {} : { usedLength }) },
  };
}

function soundRingSize(size: number): boolean {
  return size >= RING_SIZE_MIN && size <= RING_SIZE_MAX && (size & (size - 1)) === 0;
}
