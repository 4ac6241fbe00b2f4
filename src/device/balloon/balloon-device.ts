/** The balloon device: its parts, its queues and its configuration (virtio 1.3, 5.5). */

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
import type { Taken } from "../queue/ring.ts";
import { type QueueHandler, type QueueOptions, Virtqueue } from "../queue/virtqueue.ts";
import type { FaultInjector } from "../sim/faults.ts";
import { saveParts } from "../snapshot/part.ts";
import { hasBit } from "../spec/bits.ts";
import { EXPERIMENT_BITS } from "../spec/experiment.ts";
import { CONFIG, FEATURE, PAGE_BYTES } from "../spec/numbers.ts";
import type { QueueRole } from "../spec/roles.ts";
import type { DriverSignal } from "../virtio/driver-signal.ts";
import { type DeviceType, VirtioDevice } from "../virtio/virtio-device.ts";
import type { BalloonOptions, CheckOptions } from "./balloon-options.ts";
import type { DevicePart } from "./device-part.ts";
import { FreePageRanges } from "./free-page-ranges.ts";
import { Hinting } from "./hinting.ts";
import { InflateDeflate } from "./inflate-deflate.ts";
import { LockedMemory } from "./locked-memory.ts";
import { Reporting } from "./reporting.ts";
import { Statistics } from "./statistics.ts";

export class BalloonDevice implements DeviceType {
  readonly virtio: VirtioDevice;
  readonly configBytes: number;
  readonly balloon: InflateDeflate;
  readonly stats: Statistics;
  readonly hinting: Hinting;
  readonly reporting: Reporting;
  readonly poison: PoisonCheck;
  readonly freePages: FreePageRanges;
  readonly memory: LockedMemory;
  private readonly context: Context;
  private readonly profile: Profile;
  private readonly options: BalloonOptions;
  private readonly offered: bigint;
  private readonly reachBytes: number;
  /** Every part, in the order in which each is told of an event. */
  private readonly parts: Readonly<Record<string, DevicePart>>;
  private readonly handlers: Readonly<Record<QueueRole, QueueHandler>>;

  /** `adopted` replaces the offer: it is what the host that the guest comes from offered. */
  constructor(
    context: Context,
    profile: Profile,
    options: BalloonOptions,
    machine: { readonly faults: FaultInjector; readonly signal: DriverSignal },
    adopted?: bigint,
  ) {
    const { offer = {}, hostVersion, hostDesign = "plain" } = options;
    const { balloon: quirks } = profile;
    const { faults } = machine;
    const own = offeredBits(profile, hostVersion ? offerOf(offer, hostVersion) : offer);
    const offered = adopted ?? own.offered;
    const described = own.described | (offered & EXPERIMENT_BITS);
    const frames = options.frames ?? Math.floor(context.memory.bytes / PAGE_BYTES);
    this.context = context;
    this.profile = profile;
    this.options = options;
    this.offered = offered;
    this.reachBytes = frames * PAGE_BYTES;
    this.configBytes = configBytes(profile, offered);
    this.virtio = new VirtioDevice(context, this, { ...profile, offered, described }, machine);
    const { virtio } = this;
    const queuePages = new QueuePages(context, virtio.queues);
    const canary = new CanaryFill(context.memory, options.canary ?? true, options.seed ?? 1);
    const pages = new PageOwnership(canary);
    const design = hostDesigns[hostDesign];
    if (design.refuses) faults.arm({ name: "refuse-without-must-tell-host" });
    const memory = new LockedMemory(context, design, pages, frames);
    const poison = new PoisonCheck(context, canary);
    const freePages = new FreePageRanges(context, { pages, own: queuePages, poison, frames });
    this.memory = memory;
    this.poison = poison;
    this.freePages = freePages;
    this.balloon = new InflateDeflate(context, {
      ...{ quirks, pages, memory, frames, own: queuePages, freePages, poison },
      actual: options.staleActual ?? 0,
    });
    this.stats = new Statistics(context, quirks);
    const { hints, reportUsedLength: usedLength } = quirks;
    this.hinting = new Hinting(context, { quirks: hints, freePages, canary, faults, virtio });
    this.reporting = new Reporting(context, { freePages, canary, poison, usedLength });
    const { balloon, stats, hinting, reporting } = this;
    this.parts = { canary, pages, memory, freePages, balloon, stats, hinting, reporting, poison };
    const [inflate, deflate] = [balloon.handler("inflate"), balloon.handler("deflate")];
    this.handlers = { inflate, deflate, stats, freePage: hinting, reporting };
    this.makeQueues(faults);
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

  negotiated(features: bigint): void {
    for (const part of Object.values(this.parts)) part.negotiated?.(features);
    this.assign(features);
  }

  started(): void {
    for (const part of Object.values(this.parts)) part.started?.();
  }

  reset(): void {
    for (const part of Object.values(this.parts)) part.reset?.();
    this.assign(this.offered);
  }

  readConfig(offset: number): number {
    switch (offset) {
      case CONFIG.numPages:
        return this.balloon.readTarget((this.queueOf("deflate")?.ring?.waiting ?? 0) > 0);
      case CONFIG.actual:
        return this.balloon.actual >>> 0;
      case CONFIG.freePageHintCmdId:
        this.judgeOffered(FEATURE.freePageHint, "free_page_hint_cmd_id");
        return this.hinting.read();
      case CONFIG.poisonVal:
        this.judgeOffered(FEATURE.pagePoison, "poison_val");
        return this.poison.value;
      default:
        return 0;
    }
  }

  writeConfig(offset: number, value: number, complete: boolean): void {
    switch (offset) {
      case CONFIG.actual:
        this.balloon.writeActual(value, complete);
        return;
      case CONFIG.poisonVal:
        this.poison.write(value);
        return;
      case CONFIG.numPages:
      case CONFIG.freePageHintCmdId:
        this.context.judge.breach("Q-READ-ONLY", `a write of ${value} at offset ${offset}`);
    }
  }

  /** Returns the queue that has this role now, if the device has it. */
  queueOf(role: QueueRole): Virtqueue | undefined {
    return this.virtio.queues.find(({ options }) => options.role === role && options.maxSize > 0);
  }

  /** Whether a feature was accepted by a driver that is up. */
  uses(feature: number): boolean {
    return this.virtio.live && this.virtio.has(feature);
  }

  /** Judges everything that the driver has to leave alone. */
  audit(): void {
    for (const part of Object.values(this.parts)) part.audit?.();
    if (!this.virtio.live) return;
    for (const { ring } of this.virtio.queues) ring?.audit();
  }

  /** Judges what only shows at rest. The driver is up. */
  check(options: CheckOptions): void {
    this.judgeKicks();
    const { memoryShort = false } = options;
    const driver = { memoryShort, uses: (feature: number) => this.uses(feature) };
    for (const part of Object.values(this.parts)) part.check?.(driver);
    this.virtio.check();
  }

  /** Time is about to pass: judges that each buffer that waits was notified. */
  judgeKicks(): void {
    if (!this.virtio.live) return;
    for (const { ring, options } of this.virtio.queues) {
      if (ring === undefined || ring.broken !== undefined || !ring.kickOwed) continue;
      const seen = `${options.name}: ${ring.waiting} buffers wait, no notification came`;
      this.context.judge.breach("R-KICK-MISSING", seen);
    }
  }

  private judgeOffered(feature: number, field: string): void {
    if (hasBit(this.offered, feature)) return;
    this.context.judge.breach("G-CONFIG-FEATURE", `${field} is read, its feature is not offered`);
  }

  private makeQueues(faults: FaultInjector): void {
    const { virtio } = this;
    const owner = {
      interrupt: (queue: Virtqueue) => virtio.usedBuffers(queue),
      broken: () => virtio.needReset(),
      halted: () => virtio.halted || !virtio.reachesMemory,
    };
    for (const [index, plan] of this.plan(this.offered).entries()) {
      virtio.queues.push(
        new Virtqueue(this.context, this.queueOptions(index, plan), this.handlerOf(plan), {
          owner,
          faults,
        }),
      );
    }
  }

  /** Gives every queue the role that it has with these features accepted. */
  private assign(features: bigint): void {
    for (const [index, plan] of this.plan(features).entries()) {
      const queue = this.virtio.queues[index];
      if (queue === undefined || queue.options.role === plan.role) continue;
      queue.become(this.queueOptions(index, plan), this.handlerOf(plan));
    }
  }

  private handlerOf({ role }: QueuePlan): QueueHandler | undefined {
    return role === undefined ? undefined : this.handlers[role];
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
      lapses: profile.lapses,
      batches: options.inOrderBatches ?? true,
    };
  }
}
