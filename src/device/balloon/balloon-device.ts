/**
 * The balloon device, put together: the virtio part, the balloon, and a handler for each queue.
 *
 * It must not know the transport. Invariant: a queue's handler is the one of its role, however the
 * queues are numbered.
 */

import { PoisonCheck } from "../checks/poison-check.ts";
import { hostDesigns } from "../host/host-design.ts";
import { offerOf } from "../host/host-version.ts";
import { configBytes, offeredBits } from "../host/offer.ts";
import type { Profile } from "../host/profile.ts";
import { FEATURE_OF, NAME_OF, planQueues, type QueuePlan } from "../host/queue-plan.ts";
import { scheduleOf } from "../host/schedule.ts";
import type { Context } from "../judge/context.ts";
import { CanaryFill } from "../memory/canary-fill.ts";
import { PageOwnership } from "../memory/page-ownership.ts";
import { QueuePages } from "../queue/queue-pages.ts";
import type { Chains, Taken } from "../queue/ring.ts";
import { type QueueHandler, type QueueOptions, Virtqueue } from "../queue/virtqueue.ts";
import type { FaultInjector } from "../sim/faults.ts";
import { type Plain, saveParts } from "../snapshot/part.ts";
import { EXPERIMENT_BITS } from "../spec/experiment.ts";
import { FEATURE, PAGE_BYTES } from "../spec/numbers.ts";
import type { QueueRole } from "../spec/roles.ts";
import { VirtioDevice } from "../virtio/virtio-device.ts";
import type { CheckOptions, DeviceOptions } from "./device-options.ts";
import { Lending } from "./free-page-ranges.ts";
import { Hinting } from "./hinting.ts";
import { Balloon } from "./inflate-deflate.ts";
import { HostMemory } from "./locked-memory.ts";
import { Reporting } from "./reporting.ts";
import { StatsQueue } from "./statistics.ts";

/** A part of the device, whose state may refer to chains in flight. */
interface DevicePart {
  save(): Plain;
  load(state: Plain, chains: Chains): void;
}

export class BalloonDevice {
  readonly virtio: VirtioDevice;
  readonly balloon: Balloon;
  readonly stats: StatsQueue;
  readonly hinting: Hinting;
  readonly reporting: Reporting;
  readonly poison: PoisonCheck;
  readonly lending: Lending;
  readonly memory: HostMemory;
  private readonly context: Context;
  private readonly profile: Profile;
  private readonly options: DeviceOptions;
  private readonly offered: bigint;
  private readonly reachBytes: number;
  private readonly parts: Readonly<Record<string, DevicePart>>;
  private readonly handlers: Readonly<Record<QueueRole, QueueHandler>>;

  /** `adopted` is what to offer in place of one's own, with a guest that comes from elsewhere. */
  constructor(
    context: Context,
    profile: Profile,
    options: DeviceOptions,
    faults: FaultInjector,
    adopted?: bigint,
  ) {
    this.context = context;
    this.profile = profile;
    this.options = options;
    const { offer = {}, hostVersion } = options;
    const own = offeredBits(profile, hostVersion ? offerOf(offer, hostVersion) : offer);
    const { described } = own;
    const offered = adopted ?? own.offered;
    const design = hostDesigns[options.hostDesign ?? "plain"];
    const frames = options.frames ?? Math.floor(context.memory.bytes / PAGE_BYTES);
    const canary = new CanaryFill(context.memory, options.canary ?? true, options.seed ?? 1);
    const pages = new PageOwnership(canary);
    const { balloon: quirks } = profile;
    this.offered = offered;
    this.reachBytes = frames * PAGE_BYTES;
    const known = described | (offered & EXPERIMENT_BITS);
    this.virtio = new VirtioDevice(context, { ...profile, offered, described: known }, faults);
    this.memory = new HostMemory(context, design, pages, frames);
    if (design.refuses) faults.arm({ name: "refuse-without-must-tell-host" });
    const reach = new QueuePages(context, this.virtio.queues);
    const poison = new PoisonCheck(context, canary);
    const lending = new Lending(context, { pages, own: reach, poison, frames });
    this.poison = poison;
    this.lending = lending;
    this.stats = new StatsQueue(context, quirks);
    const configChanged = () => this.virtio.configChanged();
    this.hinting = new Hinting(context, {
      quirks: quirks.hints,
      lending,
      canary,
      faults,
      configChanged,
    });
    const { reportUsedLength: usedLength } = quirks;
    this.reporting = new Reporting(context, { lending, canary, poison, usedLength });
    this.balloon = new Balloon(context, {
      quirks,
      configBytes: configBytes(profile, offered),
      pages,
      memory: this.memory,
      frames,
      offered,
      own: reach,
      lending,
      hinting: this.hinting,
      poison,
      deflatesWait: () => (this.queueOf("deflate")?.ring?.waiting ?? 0) > 0,
      onNegotiated: (features) => this.assign(features),
      onReset: () => this.reset(),
    });
    this.handlers = {
      inflate: this.balloon.handler("inflate"),
      deflate: this.balloon.handler("deflate"),
      stats: this.stats,
      freePage: this.hinting,
      reporting: this.reporting,
    };
    this.makeQueues(faults);
    this.stats.overflow = (older) => this.queueOf("stats")?.finish([older]);
    this.virtio.type = this.balloon;
    const { balloon, stats, hinting, reporting } = this;
    this.parts = { pages, canary, balloon, stats, hinting, reporting, lending, poison };
  }

  save() {
    const { virtio, parts } = this;
    const queues = virtio.queues.map((queue) => queue.save());
    return { virtio: virtio.save(), queues, parts: saveParts(parts) };
  }

  /** Queues come first, because the parts refer to the chains that are in them. */
  load({ virtio, queues, parts }: ReturnType<BalloonDevice["save"]>): void {
    const chains = new Map<string, Taken>();
    for (const queue of this.virtio.queues) {
      const state = queues[queue.index];
      if (state === undefined) continue;
      for (const [id, taken] of queue.load(state)) chains.set(id, taken);
    }
    this.virtio.load(virtio);
    for (const [name, part] of Object.entries(this.parts)) part.load(parts[name], chains);
  }

  /** The queue that has this role now, if it is there. */
  queueOf(role: QueueRole): Virtqueue | undefined {
    return this.virtio.queues.find(({ options }) => options.role === role && options.maxSize > 0);
  }

  /** Whether a feature was accepted by a driver that is up. */
  uses(feature: number): boolean {
    return this.virtio.live && this.virtio.has(feature);
  }

  /** Looks at everything that the driver has to leave alone. */
  audit(): void {
    this.balloon.audit();
    this.stats.audit();
    this.hinting.audit();
    this.reporting.audit();
    if (!this.virtio.live) return;
    for (const { ring } of this.virtio.queues) ring?.audit();
  }

  /** Judges what only shows at rest. The driver is up. */
  check(options: CheckOptions): void {
    this.judgeKicks();
    this.balloon.check({ memoryShort: options.memoryShort ?? false });
    if (this.uses(FEATURE.statsVq) && this.stats.owed) {
      this.context.judge.breach("D19", "the device has no statistics buffer");
    }
    if (this.uses(FEATURE.freePageHint)) this.hinting.check();
    this.poison.check();
    this.virtio.wiring.check();
    if (this.virtio.interruptPending && this.virtio.onInterrupt !== undefined) {
      this.context.judge.breach(this.virtio.wiring.lineRule, "the interrupt is still asserted");
    }
  }

  /** Time passes: buffers that wait must have been announced. */
  judgeKicks(): void {
    if (!this.virtio.live) return;
    for (const { ring, options } of this.virtio.queues) {
      if (ring === undefined || ring.broken !== undefined || !ring.kickOwed) continue;
      const seen = `${options.name}: ${ring.waiting} buffers wait, no notification came`;
      this.context.judge.breach("R-KICK-MISSING", seen);
    }
  }

  private reset(): void {
    this.stats.reset();
    this.reporting.reset();
    this.assign(this.offered);
  }

  private makeQueues(faults: FaultInjector): void {
    const { virtio } = this;
    const exits = {
      interrupt: (queue: Virtqueue) => virtio.usedBuffers(queue),
      broken: () => virtio.needReset(),
      halted: () => virtio.halted || !virtio.wiring.reachesMemory(),
    };
    for (const [index, plan] of this.plan(this.offered).entries()) {
      const queue = new Virtqueue(this.context, this.queueOptions(index, plan), exits, faults);
      queue.handler = plan.role === undefined ? undefined : this.handlers[plan.role];
      virtio.queues.push(queue);
    }
  }

  /** Gives every queue the role that it has with these features accepted. */
  private assign(features: bigint): void {
    for (const [index, plan] of this.plan(features).entries()) {
      const queue = this.virtio.queues[index];
      if (queue === undefined || queue.options.role === plan.role) continue;
      const handler = plan.role === undefined ? undefined : this.handlers[plan.role];
      queue.become(this.queueOptions(index, plan), handler);
    }
  }

  private plan(negotiated: bigint): readonly QueuePlan[] {
    const { profile, offered, options } = this;
    return planQueues(profile, { offered, negotiated, strange: options.strangeQueues ?? 0 });
  }

  private queueOptions(index: number, { role, size, notifyOff }: QueuePlan): QueueOptions {
    const { options, profile, reachBytes } = this;
    return {
      index,
      role,
      feature: role === undefined ? undefined : FEATURE_OF[role],
      name: role === undefined ? `queue ${index}` : NAME_OF[role],
      maxSize: size,
      notifyOff,
      completion: scheduleOf(role, options.completion ?? profile.completion),
      quietWhileBusy: options.quietWhileBusy ?? false,
      reachBytes,
      batches: options.inOrderBatches ?? true,
    };
  }
}
