/**
 * The modern PCI transport (virtio 1.3, 4.1).
 *
 * The capability list says where the registers are, in I/O or memory BARs. Each is accessed with
 * its own width (4.1.3.1): a device may know no other.
 */
import { hex } from "../../errors.ts";
import { type Bar, MEMORY_SPACE_END, readBars } from "../../pci/bars.ts";
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
import type { Region } from "../region.ts";
import {
  checkQueueSize,
  notificationData,
  type QueueSetup,
  SEPARATE_AREAS,
  type Transport,
  writeAreas,
} from "../transport.ts";
import {
  COMMON_NEED,
  ISR_NEED,
  locateStructure,
  NOTIFY_NEED,
  readVirtioCapabilities,
  type StructureNeed,
} from "./capability-regions.ts";
import { PciTransport, type PciTransportOptions, vectorRegisters } from "./transport.ts";

/** The four structures of a modern device, mapped. */
interface Structures {
  readonly common: Region;
  readonly notify: Region;
  readonly notifyOffMultiplier: number;
  readonly isr: Region;
  readonly device: Region;
}

const ISR_STATUS: Field = { offset: 0, width: 1 };
/** The features that need the fields behind `queue_device`. */
const TAIL_FEATURES = featureSet(FEATURE.NOTIF_CONFIG_DATA, FEATURE.RING_RESET);

/**
 * Finds the device's structures, lets the function answer, access memory and interrupt, and returns
 * its transport. The device's status stays as it is.
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

/** The registers of a queue are accessed only right after it was selected. */
class ModernPci extends PciTransport {
  readonly isLegacy = false;
  readonly ringLayout = SEPARATE_AREAS;
  readonly fixedQueueSize = false;
  readonly featureWords = 2;
  readonly requiredFeatures: FeatureSet = featureSet(FEATURE.VERSION_1);
  readonly unusableFeatures: FeatureSet;
  readonly configLength: number;
  private readonly at: Structures;
  private readonly accepted = new AcceptedFeatures();
  /** For each queue that was set up, the field that a notification writes. */
  private readonly notifyFields: (Field | undefined)[] = [];
  /** For each queue that was set up, the value by which a notification names it. */
  private readonly notifyWords: number[] = [];

  constructor(options: PciTransportOptions, structures: Structures, bars: readonly Bar[]) {
    const { common, notify, isr, device } = structures;
    super(options, {
      kind: "modern PCI",
      bars,
      regions: [common, notify, isr, device],
      vectors: vectorRegisters(common, COMMON),
      readIsr: () => isr.read(ISR_STATUS),
    });
    this.at = structures;
    this.configLength = structures.device.length;
    const hasTail = structures.common.length >= COMMON_WHOLE_LENGTH;
    this.unusableFeatures = hasTail ? 0n : TAIL_FEATURES;
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

  /** The memory of a removed device reads as ones on some hosts and as zeros on others. */
  status(): number {
    const status = this.at.common.read(COMMON.deviceStatus);
    return status === 0 && !isPresent(this.config, this.address) ? STATUS_GONE : status;
  }

  protected writeStatus(value: number): void {
    this.at.common.write(COMMON.deviceStatus, value);
  }

  override reset(): void {
    this.notifyFields.length = 0;
    this.accepted.clear();
    super.reset();
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

  setUpQueue(queue: QueueSetup): void {
    const { common } = this.at;
    checkQueueSize(this, queue, this.queueMaxSize(queue.index));
    if (common.read(COMMON.queueEnable) !== 0) {
      this.failQueue(queue.index, "it is enabled already", "reset the device first");
    }
    common.write(COMMON.queueSize, queue.size);
    writeAreas(this, common, COMMON, queue);
    this.notifyFields[queue.index] = this.notifyField(queue.index);
    this.notifyWords[queue.index] = this.accepted.has(FEATURE.NOTIF_CONFIG_DATA)
      ? common.read(COMMON.queueNotifConfigData)
      : queue.index;
    this.restoreVector(queue.index);
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

  /** Both must read 0; queue_reset alone says nothing yet (virtio 1.3, 4.1.4.3.1). */
  isQueueReset(index: number): boolean {
    const { common } = this.at;
    common.write(COMMON.queueSelect, index);
    return common.read(COMMON.queueReset) === 0 && common.read(COMMON.queueEnable) === 0;
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
}
