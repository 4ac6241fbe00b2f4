/**
 * The modern PCI transport (virtio 1.3, 4.1).
 *
 * Registers are found through the capability list, in I/O or memory BARs, and each is accessed with
 * its native width (4.1.3.1): a device may know no other. It must not know what kind of device it
 * carries.
 *
 * Invariant: the registers of a queue are touched only right after it was selected.
 */
import { hex } from "../../errors.ts";
import type { Hal } from "../../hal.ts";
import { type Bar, disableFunction, MEMORY_SPACE_END, readBars } from "../../pci/bars.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "../../pci/config.ts";
import { isPresent } from "../../pci/enumerate.ts";
import {
  CFG_TYPE,
  COMMON,
  COMMON_WHOLE_LENGTH,
  FEATURE,
  type Field,
  STATUS_GONE,
} from "../constants.ts";
import { AcceptedFeatures, type FeatureSet, featureSet } from "../features.ts";
import type { InterruptChoice, InterruptMode, VectorRegisters } from "../interrupts.ts";
import {
  type InterruptCause,
  notificationData,
  type QueueSetup,
  queueError,
  SEPARATE_AREAS,
  statusWith,
  type Transport,
} from "../transport.ts";
import {
  COMMON_NEED,
  ISR_NEED,
  locateStructure,
  NOTIFY_NEED,
  type Region,
  readVirtioCapabilities,
  type StructureNeed,
} from "./capability-regions.ts";
import { PciInterrupts } from "./interrupts.ts";

/** What every PCI transport needs to be opened. */
export interface PciTransportOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  /** Bytes of device configuration without which the driver cannot work. */
  readonly configLength: number;
  /** Memory at or above this cannot be reached by this guest. Default 2^53. */
  readonly memoryEnd?: number;
  /** How the device shall interrupt. Default "best". */
  readonly interrupts?: InterruptChoice;
}

/** The four structures of a modern device, mapped. */
interface Structures {
  readonly common: Region;
  readonly notify: Region;
  readonly notifyOffMultiplier: number;
  readonly isr: Region;
  readonly device: Region;
}

const ISR_STATUS: Field = { offset: 0, width: 1 };
/** What the fields behind `queue_device` are for. */
const TAIL_FEATURES = featureSet(FEATURE.NOTIF_CONFIG_DATA, FEATURE.RING_RESET);
const TWO_32 = 0x1_0000_0000;

/**
 * Finds the device's structures, lets it decode, use memory and interrupt, and returns the way to
 * it. The device's status is not touched.
 * @throws BallonetError `pci-capability` or `pci-bar` when a structure is missing or out of reach.
 */
export function openModernPci(options: PciTransportOptions): Transport {
  const { hal, config, address, configLength, memoryEnd = MEMORY_SPACE_END } = options;
  const capabilities = readVirtioCapabilities(config, address);
  const bars = readBars(config, address);
  const locate = (need: StructureNeed) =>
    locateStructure({ hal, address, bars, capabilities, need, memoryEnd });
  const notify = locate(NOTIFY_NEED);
  const structures: Structures = {
    common: locate(COMMON_NEED).region,
    notify: notify.region,
    notifyOffMultiplier: notify.capability.notifyOffMultiplier,
    isr: locate(ISR_NEED).region,
    device: locate({
      cfgType: CFG_TYPE.DEVICE,
      name: "device configuration",
      length: configLength,
      alignment: 4,
    }).region,
  };
  const transport = new ModernPci(options, structures, bars);
  transport.enable();
  return transport;
}

class ModernPci implements Transport {
  readonly name: string;
  readonly isLegacy = false;
  readonly ringLayout = SEPARATE_AREAS;
  readonly fixedQueueSize = false;
  readonly featureWords = 2;
  readonly requiredFeatures: FeatureSet = featureSet(FEATURE.VERSION_1);
  readonly unusableFeatures: FeatureSet;
  readonly configLength: number;
  private readonly config: PciConfigAccess;
  private readonly address: PciAddress;
  private readonly at: Structures;
  private readonly interrupts: PciInterrupts;
  private readonly accepted = new AcceptedFeatures();
  /** For each queue that was set up, the field that a notification writes. */
  private readonly notifyFields: (Field | undefined)[] = [];
  /** And what it names the queue by. */
  private readonly notifyWords: number[] = [];

  constructor(options: PciTransportOptions, structures: Structures, bars: readonly Bar[]) {
    const { config, address, memoryEnd = MEMORY_SPACE_END, interrupts = "best" } = options;
    this.name = `modern PCI at ${formatPciAddress(address)}`;
    this.config = config;
    this.address = address;
    this.at = structures;
    this.configLength = structures.device.length;
    const hasTail = structures.common.length >= COMMON_WHOLE_LENGTH;
    this.unusableFeatures = hasTail ? 0n : TAIL_FEATURES;
    this.interrupts = new PciInterrupts({
      ...options,
      bars,
      memoryEnd,
      choice: interrupts,
      registers: this.vectors(),
      readIsr: () => this.at.isr.read(ISR_STATUS),
    });
  }

  private vectors(): VectorRegisters {
    const { common } = this.at;
    return {
      config: (vector) => {
        common.write(COMMON.configMsixVector, vector);
        return common.read(COMMON.configMsixVector);
      },
      queue: (index, vector) => {
        common.write(COMMON.queueSelect, index);
        common.write(COMMON.queueMsixVector, vector);
        return common.read(COMMON.queueMsixVector);
      },
    };
  }

  deviceFeatures(word: number): number {
    this.at.common.write(COMMON.deviceFeatureSelect, word);
    return this.at.common.read(COMMON.deviceFeature);
  }

  writeDriverFeatures(word: number, value: number): void {
    this.at.common.write(COMMON.driverFeatureSelect, word);
    this.at.common.write(COMMON.driverFeature, value);
    this.accepted.write(word, value);
  }

  /** Of a device that is not there, memory reads as ones or as zeros, by the host's taste. */
  status(): number {
    const status = this.at.common.read(COMMON.deviceStatus);
    return status === 0 && !isPresent(this.config, this.address) ? STATUS_GONE : status;
  }

  addStatus(bits: number): void {
    this.at.common.write(COMMON.deviceStatus, statusWith(this, bits));
  }

  reset(): void {
    this.notifyFields.length = 0;
    this.accepted.clear();
    this.at.common.write(COMMON.deviceStatus, 0);
    this.interrupts.reset();
    this.enable();
  }

  readConfig(field: Field): number {
    return this.at.device.read(field);
  }

  writeConfig(field: Field, value: number): void {
    this.at.device.write(field, value);
  }

  numQueues(): number {
    return this.at.common.read(COMMON.numQueues);
  }

  queueMaxSize(index: number): number {
    this.at.common.write(COMMON.queueSelect, index);
    return this.at.common.read(COMMON.queueSize);
  }

  get expectedInterrupts(): InterruptMode["kind"] {
    return this.interrupts.expected;
  }

  get interruptMode(): InterruptMode {
    return this.interrupts.mode;
  }

  setUpInterrupts(queues: readonly number[]): InterruptMode {
    return this.interrupts.setUp(queues);
  }

  setUpQueue(queue: QueueSetup): void {
    const { common } = this.at;
    const largest = this.queueMaxSize(queue.index);
    if (largest === 0) this.failQueue(queue.index, "no such queue", "do without this queue");
    if (queue.size < 1 || queue.size > largest) {
      this.failQueue(
        queue.index,
        `size ${queue.size}, at most ${largest} possible`,
        "lay out the queue for the size that the device has",
      );
    }
    if (common.read(COMMON.queueEnable) !== 0) {
      this.failQueue(queue.index, "it is enabled already", "reset the device first");
    }
    common.write(COMMON.queueSize, queue.size);
    this.writeAddress(queue.index, COMMON.queueDescLow, COMMON.queueDescHigh, queue.descriptorArea);
    this.writeAddress(queue.index, COMMON.queueDriverLow, COMMON.queueDriverHigh, queue.driverArea);
    this.writeAddress(queue.index, COMMON.queueDeviceLow, COMMON.queueDeviceHigh, queue.deviceArea);
    this.notifyFields[queue.index] = this.notifyField(queue.index);
    this.notifyWords[queue.index] = this.accepted.has(FEATURE.NOTIF_CONFIG_DATA)
      ? common.read(COMMON.queueNotifConfigData)
      : queue.index;
    if (!this.interrupts.restoreQueue(queue.index)) {
      this.failQueue(queue.index, "its vector was refused", "use a line instead of messages");
    }
    // Every other field of the queue comes before this one (virtio 1.3, 4.1.4.3.2).
    common.write(COMMON.queueEnable, 1);
    if (common.read(COMMON.queueEnable) !== 1) {
      this.failQueue(queue.index, "queue_enable reads 0 after it was set", "check the addresses");
    }
  }

  notify(index: number, next?: number): void {
    const field = this.notifyFields[index];
    if (field === undefined) {
      this.failQueue(index, "a notification of a queue not set up", "set the queue up first");
    }
    const word = this.notifyWords[index] ?? index;
    const value = field.width === 4 ? notificationData(this, index, next, word) : word;
    this.at.notify.write(field, value);
  }

  resetQueue(index: number): void {
    const { common } = this.at;
    if (!this.accepted.has(FEATURE.RING_RESET)) {
      this.failQueue(index, "a reset without RING_RESET", "reset the device, or negotiate it");
    }
    if (this.notifyFields[index] === undefined) {
      this.failQueue(index, "a reset of a queue not set up", "set the queue up first");
    }
    this.notifyFields[index] = undefined;
    common.write(COMMON.queueSelect, index);
    common.write(COMMON.queueReset, 1);
  }

  /** Both must read 0, and the first alone means nothing yet (virtio 1.3, 4.1.4.3.1). */
  isQueueReset(index: number): boolean {
    const { common } = this.at;
    common.write(COMMON.queueSelect, index);
    return common.read(COMMON.queueReset) === 0 && common.read(COMMON.queueEnable) === 0;
  }

  acknowledgeInterrupt(messages?: number): InterruptCause {
    return this.interrupts.acknowledge(messages);
  }

  tearDown(): void {
    this.reset();
    disableFunction(this.config, this.address);
  }

  /** Decoding, bus mastering and INTx: what opening needs, and what `tearDown` took away. */
  enable(): void {
    const { common, notify, isr, device } = this.at;
    const regions = [common, notify, isr, device];
    this.interrupts.enableFunction({
      io: regions.some(({ kind }) => kind === "io"),
      memory: regions.some(({ kind }) => kind === "memory"),
    });
  }

  /** The notify address is cap.offset + queue_notify_off * notify_off_multiplier (4.1.4.4). */
  private notifyField(index: number): Field {
    const offset = this.at.common.read(COMMON.queueNotifyOff) * this.at.notifyOffMultiplier;
    const field: Field = { offset, width: this.accepted.has(FEATURE.NOTIFICATION_DATA) ? 4 : 2 };
    const at = this.at.notify.start + offset;
    if (offset + field.width > this.at.notify.length || at % field.width !== 0) {
      this.failQueue(
        index,
        `notify offset ${hex(offset)} in a structure of ${this.at.notify.length} bytes`,
        "report it to the device's makers: queue_notify_off is wrong",
      );
    }
    return field;
  }

  /** Two 32-bit halves, low before high: a device need not take 64 bits at once (4.1.3.1). */
  private writeAddress(index: number, low: Field, high: Field, address: number): void {
    if (!Number.isSafeInteger(address) || address < 0) {
      this.failQueue(index, `area at ${address}`, "put queues below 2^53");
    }
    this.at.common.write(low, address % TWO_32);
    this.at.common.write(high, Math.floor(address / TWO_32));
  }

  private failQueue(index: number, seen: string, todo: string): never {
    throw queueError(this, index, seen, todo);
  }
}
