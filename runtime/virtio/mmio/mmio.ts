/**
 * The MMIO transport, version 2 and, where the device has no other, legacy version 1 (virtio 1.3,
 * 4.2).
 *
 * All registers are 32 bits wide and are accessed so; the device configuration from 0x100 on has
 * its fields' own widths. The two versions differ only in how a queue is described.
 */
import { BallonetError, hex } from "../../errors.ts";
import type { Hal } from "../../hal.ts";
import {
  FEATURE,
  type Field,
  ISR,
  MMIO,
  MMIO_CONFIG,
  MMIO_MAGIC,
  MMIO_VERSION,
  STATUS_GONE,
} from "../constants.ts";
import { AcceptedFeatures, type FeatureSet, featureSet } from "../features.ts";
import { type InterruptChoice, type InterruptMode, LINE, POLLING } from "../interrupts.ts";
import { Region } from "../region.ts";
import {
  checkQueueSize,
  type InterruptCause,
  interruptCause,
  LEGACY_LAYOUT,
  legacyPfn,
  notificationData,
  probeQueues,
  type QueueSetup,
  queueError,
  type RingLayout,
  SEPARATE_AREAS,
  statusWith,
  type Transport,
  writeAreas,
} from "../transport.ts";

/** Where the registers of one device are. */
export interface MmioSlot {
  /** Guest physical address; a multiple of 4. */
  readonly base: number;
  /** Bytes, at least those of the registers. */
  readonly size: number;
}

/** The device in a slot. */
export interface MmioIdentity {
  readonly version: number;
  /** The virtio device id, never 0. */
  readonly deviceId: number;
}

/**
 * Returns the device in the slot; undefined: there is none that a driver may access. Reads in the
 * order of virtio 1.3, 4.2.3.1.1, where an unknown magic, version or device id ends it.
 */
export function identifyMmio(hal: Hal, slot: MmioSlot): MmioIdentity | undefined {
  if (slot.size < MMIO_CONFIG || slot.base % 4 !== 0) return undefined;
  const registers = region(hal, slot, "MMIO slot");
  if (registers.read(MMIO.magicValue) !== MMIO_MAGIC) return undefined;
  const version = registers.read(MMIO.version);
  if (version !== MMIO_VERSION.modern && version !== MMIO_VERSION.legacy) return undefined;
  const deviceId = registers.read(MMIO.deviceId);
  return deviceId === 0 ? undefined : { version, deviceId };
}

export interface MmioOptions {
  readonly hal: Hal;
  readonly slot: MmioSlot;
  /** Bytes of device configuration without which the driver cannot work. */
  readonly configLength: number;
  /** "best" is the line here: MMIO has no messages. Default "best". */
  readonly interrupts?: InterruptChoice;
}

/**
 * Returns the transport of the device in this slot, and leaves the device's status as it is.
 * @throws BallonetError `no-device` when none is there, `access` when the slot is too small.
 */
export function openMmio(options: MmioOptions): Transport {
  const { hal, slot, configLength } = options;
  const identity = identifyMmio(hal, slot);
  const what = `virtio MMIO device at ${hex(slot.base)}`;
  if (identity === undefined) {
    const todo = "check the address";
    throw new BallonetError({ code: "no-device", what, seen: "none", todo });
  }
  if (slot.size < MMIO_CONFIG + configLength) {
    const todo = "name the whole of its registers";
    throw new BallonetError({ code: "access", what, seen: `${slot.size} bytes`, todo });
  }
  return identity.version === MMIO_VERSION.legacy
    ? new LegacyMmio(options)
    : new ModernMmio(options);
}

function region(hal: Hal, { base, size }: MmioSlot, name: string): Region {
  return new Region({ hal, kind: "memory", start: base, length: size, name });
}

const STATUS_BITS = 0xff;

/** Both versions. The registers of a queue are accessed only right after it was selected. */
abstract class Mmio implements Transport {
  readonly name: string;
  readonly fixedQueueSize = false;
  readonly configLength: number;
  abstract readonly isLegacy: boolean;
  abstract readonly ringLayout: RingLayout;
  abstract readonly featureWords: number;
  abstract readonly requiredFeatures: FeatureSet;
  /** No register holds a queue's word here (virtio 1.3, 4.2.2). */
  readonly unusableFeatures = featureSet(FEATURE.NOTIF_CONFIG_DATA);
  interruptMode: InterruptMode = POLLING;
  readonly expectedInterrupts: "line" | "polling";
  protected readonly registers: Region;
  protected readonly accepted = new AcceptedFeatures();
  protected readonly isSetUp: boolean[] = [];

  constructor({ hal, slot, interrupts = "best" }: MmioOptions, kind: string) {
    this.name = `${kind} at ${hex(slot.base)}`;
    this.registers = region(hal, slot, this.name);
    this.configLength = slot.size - MMIO_CONFIG;
    this.expectedInterrupts = interrupts === "polling" ? "polling" : "line";
  }

  abstract setUpQueue(queue: QueueSetup): void;
  abstract resetQueue(index: number): void;
  abstract isQueueReset(index: number): boolean;

  deviceFeatures(word: number): number {
    this.registers.write(MMIO.deviceFeaturesSel, word);
    return this.registers.read(MMIO.deviceFeatures);
  }

  writeDriverFeatures(word: number, value: number): void {
    this.registers.write(MMIO.driverFeaturesSel, word);
    this.registers.write(MMIO.driverFeatures, value);
    this.accepted.write(word, value);
  }

  /** An empty slot reads as ones on some hosts and as zeros on others. */
  status(): number {
    const status = this.registers.read(MMIO.status) & STATUS_BITS;
    const isGone = status === 0 && this.registers.read(MMIO.magicValue) !== MMIO_MAGIC;
    return isGone ? STATUS_GONE : status;
  }

  addStatus(bits: number): void {
    this.registers.write(MMIO.status, statusWith(this, bits));
  }

  reset(): void {
    this.isSetUp.length = 0;
    this.accepted.clear();
    this.interruptMode = POLLING;
    this.registers.write(MMIO.status, 0);
  }

  readConfig({ offset, width }: Field): number {
    return this.registers.read({ offset: MMIO_CONFIG + offset, width });
  }

  writeConfig({ offset, width }: Field, value: number): void {
    this.registers.write({ offset: MMIO_CONFIG + offset, width }, value);
  }

  numQueues(): number {
    return probeQueues(this);
  }

  queueMaxSize(index: number): number {
    this.registers.write(MMIO.queueSel, index);
    return this.registers.read(MMIO.queueNumMax);
  }

  setUpInterrupts(): InterruptMode {
    this.interruptMode = this.expectedInterrupts === "polling" ? POLLING : LINE;
    return this.interruptMode;
  }

  notify(index: number, next?: number): void {
    if (this.isSetUp[index] !== true) {
      const seen = "a notification of a queue not set up";
      throw queueError(this, index, seen, "set the queue up first");
    }
    const wantsPlace = this.accepted.has(FEATURE.NOTIFICATION_DATA);
    this.registers.write(
      MMIO.queueNotify,
      wantsPlace ? notificationData(this, index, next) : index,
    );
  }

  /** Undefined bits are ignored and not acknowledged (virtio 1.3, 4.2.2.2). */
  acknowledgeInterrupt(): InterruptCause {
    const seen = this.registers.read(MMIO.interruptStatus) & (ISR.QUEUE | ISR.CONFIG);
    if (seen !== 0) this.registers.write(MMIO.interruptAck, seen);
    return interruptCause(seen);
  }

  /** A reset is all: MMIO has no bus mastering to turn off. */
  tearDown(): void {
    this.reset();
  }

  /** Selects the queue and checks its size; register `inUse` is 0 for a queue not set up. */
  protected selectFree(queue: QueueSetup, inUse: Field): void {
    this.registers.write(MMIO.queueSel, queue.index);
    if (this.registers.read(inUse) !== 0) {
      throw queueError(this, queue.index, "it is in use already", "reset the device first");
    }
    checkQueueSize(this, queue, this.registers.read(MMIO.queueNumMax));
  }
}

class ModernMmio extends Mmio {
  readonly isLegacy = false;
  readonly ringLayout = SEPARATE_AREAS;
  readonly featureWords = 2;
  readonly requiredFeatures = featureSet(FEATURE.VERSION_1);

  constructor(options: MmioOptions) {
    super(options, "MMIO");
  }

  setUpQueue(queue: QueueSetup): void {
    this.selectFree(queue, MMIO.queueReady);
    this.registers.write(MMIO.queueNum, queue.size);
    writeAreas(this, this.registers, MMIO, queue);
    this.registers.write(MMIO.queueReady, 1);
    if (this.registers.read(MMIO.queueReady) !== 1) {
      const seen = "QueueReady reads 0 after it was set";
      throw queueError(this, queue.index, seen, "check the addresses");
    }
    this.isSetUp[queue.index] = true;
  }

  resetQueue(index: number): void {
    if (!this.accepted.has(FEATURE.RING_RESET)) {
      const todo = "reset the device, or negotiate it";
      throw queueError(this, index, "a reset without RING_RESET", todo);
    }
    if (this.isSetUp[index] !== true) {
      throw queueError(this, index, "a reset of a queue not set up", "set the queue up first");
    }
    this.isSetUp[index] = false;
    this.registers.write(MMIO.queueSel, index);
    this.registers.write(MMIO.queueReset, 1);
  }

  isQueueReset(index: number): boolean {
    this.registers.write(MMIO.queueSel, index);
    return this.registers.read(MMIO.queueReset) === 0 && this.registers.read(MMIO.queueReady) === 0;
  }
}

class LegacyMmio extends Mmio {
  readonly isLegacy = true;
  readonly ringLayout = LEGACY_LAYOUT;
  readonly featureWords = 1;
  readonly requiredFeatures = 0n;
  private hasPageSize = false;

  constructor(options: MmioOptions) {
    super(options, "legacy MMIO");
  }

  override reset(): void {
    super.reset();
    this.hasPageSize = false;
  }

  setUpQueue(queue: QueueSetup): void {
    const { index, size } = queue;
    const pfn = legacyPfn(this, queue);
    if (!this.hasPageSize) {
      this.registers.write(MMIO.guestPageSize, LEGACY_LAYOUT.alignment);
      this.hasPageSize = true;
    }
    this.selectFree(queue, MMIO.queuePfn);
    this.registers.write(MMIO.queueNum, size);
    this.registers.write(MMIO.queueAlign, LEGACY_LAYOUT.alignment);
    this.registers.write(MMIO.queuePfn, pfn);
    if (this.registers.read(MMIO.queuePfn) !== pfn) {
      throw queueError(this, index, "its address was not taken", "check the address");
    }
    this.isSetUp[index] = true;
  }

  resetQueue(index: number): never {
    throw queueError(this, index, "a reset without RING_RESET", "reset the device");
  }

  isQueueReset(): boolean {
    return false;
  }
}
