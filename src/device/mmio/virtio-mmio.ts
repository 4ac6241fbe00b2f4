/**
 * The registers of the MMIO transport, version 2 and legacy version 1, and behind them the device
 * configuration (virtio 1.3, 4.2).
 */

import type { Context } from "../judge/context.ts";
import { FEATURE, ISR, MMIO, MMIO_VERSION } from "../spec/numbers.ts";
import {
  configFields,
  ones,
  type RegisterAccess,
  RegisterBlocks,
} from "../virtio/register-block.ts";
import type { RegisterField } from "../virtio/register-field.ts";
import { DEFAULT_HOOKS } from "../virtio/transport-hooks.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import { LegacyMmioQueues } from "./legacy-mmio-queues.ts";
import { MmioQueues, type QueueRegisters } from "./mmio-queues.ts";
import { identityRegisters, type MmioIdentity } from "./mmio-slot.ts";
import { RegisterMaker } from "./register-maker.ts";

/** The defined bits of InterruptStatus, and the others. */
const EVENTS = ISR.queue | ISR.config;
const STRAY_EVENTS = 0xffff_fffc;

export class VirtioMmio implements RegisterAccess {
  private readonly context: Context;
  private readonly virtio: VirtioDevice;
  private readonly make: RegisterMaker;
  private readonly queues: QueueRegisters;
  private readonly control: RegisterAccess;
  private readonly config: RegisterAccess;
  /** The words that DeviceFeaturesSel and DriverFeaturesSel select for the next access. */
  private offerSelect: number | undefined;
  private featureSelect: number | undefined;
  /** Events that the driver was shown and has not acknowledged. */
  private shown = 0;

  constructor(
    context: Context,
    virtio: VirtioDevice,
    identity: MmioIdentity,
    { hasReset }: { readonly hasReset: boolean },
  ) {
    this.context = context;
    this.virtio = virtio;
    this.make = new RegisterMaker(context);
    const legacy = identity.version === MMIO_VERSION.legacy;
    this.queues = legacy
      ? new LegacyMmioQueues(context, virtio, this.make)
      : new MmioQueues(context, virtio, this.make, hasReset);
    const rules = { width: "M-WIDTH", hole: "M-NO-REGISTER" } as const;
    const structures = new RegisterBlocks(context, "native", rules);
    this.control = structures.block("mmio", [
      ...identityRegisters(identity).map(({ name, offset, value }) =>
        this.make.readable(name, offset, () => value),
      ),
      ...this.featureFields(),
      ...this.eventFields(),
      ...this.queues.fields,
      ...(legacy ? [] : this.modernFields()),
    ]);
    this.config = structures.block("device", configFields(virtio));
    const hooks = {
      ...DEFAULT_HOOKS,
      unusable: 1n << BigInt(FEATURE.notifConfigData),
      lineRule: "M-ACK-MISSING" as const,
      reset: () => this.reset(),
      check: () => this.queues.judgeReadBack("at rest"),
    };
    virtio.connect(hooks, legacy ? "legacy" : "modern");
  }

  read(offset: number, width: number): number {
    if (offset >= MMIO.config) return this.config.read(offset - MMIO.config, width);
    return this.control.read(offset, width);
  }

  write(offset: number, width: number, value: number): void {
    if (offset >= MMIO.config) {
      this.config.write(offset - MMIO.config, width, value);
      return;
    }
    if (offset !== MMIO.interruptAck) {
      this.queues.judgeReadBack(`a write at offset 0x${offset.toString(16)}`);
    }
    this.control.write(offset, width, value);
  }

  save() {
    const { offerSelect, featureSelect, shown, queues } = this;
    return { offerSelect, featureSelect, shown, queues: queues.save() };
  }

  load({ queues, ...plain }: ReturnType<VirtioMmio["save"]>): void {
    Object.assign(this, plain);
    this.queues.load(queues);
  }

  private reset(): void {
    this.offerSelect = undefined;
    this.featureSelect = undefined;
    this.shown = 0;
    this.queues.reset();
  }

  private featureFields(): RegisterField[] {
    const { make, virtio } = this;
    return [
      make.readable("DeviceFeatures", MMIO.deviceFeatures, () => {
        const word = this.selected("DeviceFeatures", this.offerSelect);
        this.offerSelect = undefined;
        return virtio.readOffer(word);
      }),
      make.writable("DeviceFeaturesSel", MMIO.deviceFeaturesSel, (value) => {
        this.offerSelect = value;
      }),
      make.writable("DriverFeatures", MMIO.driverFeatures, (value) => {
        const word = this.selected("DriverFeatures", this.featureSelect);
        this.featureSelect = undefined;
        virtio.writeFeatures(word, value);
      }),
      make.writable("DriverFeaturesSel", MMIO.driverFeaturesSel, (value) => {
        this.featureSelect = value;
      }),
    ];
  }

  private eventFields(): RegisterField[] {
    const { make, virtio } = this;
    return [
      make.writable("QueueNotify", MMIO.queueNotify, (value) => this.notified(value)),
      make.readable("InterruptStatus", MMIO.interruptStatus, () => {
        this.shown |= virtio.events;
        return virtio.events + (virtio.faults.lasts("event-bits-stray") ? STRAY_EVENTS : 0);
      }),
      make.writable("InterruptACK", MMIO.interruptAck, (value) => this.acknowledged(value)),
      make.both("Status", MMIO.status, {
        read: () => virtio.readStatus(),
        write: (value) => virtio.writeStatus(value % 256),
      }),
    ];
  }

  /** A balloon has no shared memory: no region exists. */
  private modernFields(): RegisterField[] {
    const { make, virtio } = this;
    const breach = (what: string) => this.context.judge.breach("M-SHARED-MEMORY", what);
    const parts = [
      ["SHMLenLow", MMIO.shmLen],
      ["SHMLenHigh", MMIO.shmLen + 4],
      ["SHMBaseLow", MMIO.shmBase],
      ["SHMBaseHigh", MMIO.shmBase + 4],
    ] as const;
    return [
      make.readable("ConfigGeneration", MMIO.configGeneration, () => virtio.readGeneration()),
      make.writable("SHMSel", MMIO.shmSel, (value) => breach(`region ${value} is selected`)),
      ...parts.map(([name, offset]) =>
        make.readable(name, offset, () => {
          breach(`${name} is read`);
          return ones(4);
        }),
      ),
    ];
  }

  private selected(name: string, word: number | undefined): number {
    if (word !== undefined) return word;
    this.context.judge.breach("M-FEATURES-SELECT", `${name} is used and no word was selected`);
    return 0;
  }

  private notified(value: number): void {
    const { virtio } = this;
    const withData = virtio.has(FEATURE.notificationData);
    const index = withData ? value % 0x1_0000 : value;
    const queue = virtio.queues[index];
    if (queue === undefined || !queue.exists) {
      this.context.judge.breach("M-NOTIFY-VALUE", `value ${value} names queue ${index}`);
      return;
    }
    virtio.notify(queue, withData ? Math.floor(value / 0x1_0000) : undefined);
  }

  private acknowledged(value: number): void {
    const { judge } = this.context;
    const events = value & EVENTS;
    if (events !== value) judge.breach("M-ACK-UNDEFINED", `InterruptACK ${value}`);
    if ((events & ~this.shown) !== 0) {
      judge.breach("M-ACK-UNSEEN", `events ${events} are acknowledged, ${this.shown} were shown`);
    }
    this.shown &= ~events;
    this.virtio.acknowledge(events);
  }
}
