/**
 * Transport: all that a device driver sees of the way to its device.
 *
 * A driver written against this interface runs over modern and legacy PCI and over MMIO. It must
 * not know of a bus, a BAR or a port. Every call is one or a few register accesses and returns at
 * once: nothing here waits.
 *
 * Invariant: status bits are only ever added; the way back to 0 is `reset` and nothing else.
 */
import { BallonetError, hex } from "../errors.ts";
import { type Field, STATUS, STATUS_GONE } from "./constants.ts";
import type { FeatureSet } from "./features.ts";
import type { InterruptMode } from "./interrupts.ts";

/** How the device wants the areas of a split ring to lie. */
export interface RingLayout {
  /**
   * True: one piece, of which the device is told the start alone (virtio 1.3, 2.7.2). The driver
   * area follows the descriptor area at once, the device area at the next multiple of `alignment`.
   * False: each area may lie wherever its own alignment allows.
   */
  readonly contiguous: boolean;
  /** Bytes that the start of the device area, and of the whole, must be multiples of. */
  readonly alignment: number;
}

/** Of every interface since virtio 1.0. */
export const SEPARATE_AREAS: RingLayout = { contiguous: false, alignment: 4 };
/** Of every legacy interface: PCI has no other, and MMIO is told this one. */
export const LEGACY_LAYOUT: RingLayout = { contiguous: true, alignment: 4096 };

/** Where one queue's parts are and how large it is (virtio 1.3, 2.6). Addresses are below 2^53. */
export interface QueueSetup {
  readonly index: number;
  /** True for a queue that is not to interrupt, and gets no vector. Default: false. */
  readonly isQuiet?: boolean;
  /** Entries; at most the queue's largest size. */
  readonly size: number;
  /** Guest physical address of the descriptor area. */
  readonly descriptorArea: number;
  /** Guest physical address of the driver area. */
  readonly driverArea: number;
  /** Guest physical address of the device area. */
  readonly deviceArea: number;
}

/** Why the device interrupted. Both false: it was not this device. */
export interface InterruptCause {
  readonly queue: boolean;
  readonly config: boolean;
}

export interface Transport {
  /** For people: "modern PCI at 00:0b.0". */
  readonly name: string;
  /** The interface from before virtio 1.0: no FEATURES_OK, and one word of features. */
  readonly isLegacy: boolean;
  readonly ringLayout: RingLayout;
  /** True when a queue must have exactly its largest size. */
  readonly fixedQueueSize: boolean;
  /** How many 32-bit words of feature bits the transport carries. */
  readonly featureWords: number;
  /** Features without which this transport does not work; bring-up accepts them by itself. */
  readonly requiredFeatures: FeatureSet;
  /** Features that it has no way to carry out, so that bring-up accepts none of them (2.2.1). */
  readonly unusableFeatures: FeatureSet;

  /** Word `word` of the features that the device offers, as a u32. */
  deviceFeatures(word: number): number;
  /** Writes word `word` of the features that the driver accepts. */
  writeDriverFeatures(word: number, value: number): void;

  /** The device status: STATUS bits, or STATUS_GONE where nobody answers. */
  status(): number;
  /**
   * Adds bits to the device status, keeping all that are set.
   * @throws BallonetError `device-gone`.
   */
  addStatus(bits: number): void;
  /**
   * Starts a reset. It is complete when `status()` is 0; nothing may be done with the device
   * before. It also gives back what `tearDown` took.
   */
  reset(): void;

  /** Bytes of device configuration. */
  readonly configLength: number;
  /** One field of the device configuration, in one access. @throws BallonetError `access`. */
  readConfig(field: Field): number;
  /** Writes one field, in one access. @throws BallonetError `access`. */
  writeConfig(field: Field, value: number): void;

  /**
   * The most queues that the device has; how they are numbered is the device type's business. Where
   * no register says it, the first QUEUES_PROBED_MAX are looked at. Only before queues are set up.
   */
  numQueues(): number;
  /** The largest size of a queue that was not set up yet; 0 when there is no such queue. */
  queueMaxSize(index: number): number;
  /**
   * Decides how the device will interrupt, and tells it. After the features are settled and before
   * the queues with these indices are set up.
   */
  setUpInterrupts(queues: readonly number[]): InterruptMode;
  /** What `setUpInterrupts` will decide unless the device refuses; known from the start. */
  readonly expectedInterrupts: InterruptMode["kind"];
  /** What `setUpInterrupts` decided; polling before, and after a reset. */
  readonly interruptMode: InterruptMode;
  /**
   * Tells the device where the queue is and enables it. Only before DRIVER_OK, or for a queue whose
   * reset is complete.
   * @throws BallonetError `queue` when it does not exist, is enabled already, has a size or a place
   * that the device cannot take, or does not come up.
   */
  setUpQueue(queue: QueueSetup): void;
  /**
   * Tells the device that there are new buffers in a queue that was set up.
   * @param next with NOTIFICATION_DATA negotiated, where the next buffer will go: the available
   * index of a split ring, or a packed one's offset with its wrap counter in bit 15 (virtio 1.3,
   * 2.9). Not looked at otherwise.
   */
  notify(index: number, next?: number): void;
  /**
   * Starts the reset of one queue, whose memory stays the device's until `isQueueReset`. Afterwards
   * the queue may be set up again. Needs RING_RESET.
   * @throws BallonetError `queue` when RING_RESET was not negotiated or the queue is not set up.
   */
  resetQueue(index: number): void;
  /** True once the reset of this queue is complete. */
  isQueueReset(index: number): boolean;

  /**
   * Asks why the device interrupted, and takes the interrupt back.
   * @param messages which of the messages of mode `msix` came, a bit each, if that is known.
   */
  acknowledgeInterrupt(messages?: number): InterruptCause;

  /**
   * Gives the device up: starts a reset and takes from it the right to touch memory. What was
   * shared with it may be reused once `status()` is 0. A later `reset` begins anew.
   */
  tearDown(): void;
}

/** The status with `bits` added. @throws BallonetError `device-gone`. */
export function statusWith(transport: Transport, bits: number): number {
  const before = transport.status();
  if (before !== STATUS_GONE) return before | bits;
  throw goneError(transport);
}

/** The error of a device that answers no more. */
export function goneError(transport: Transport): BallonetError {
  return new BallonetError({
    code: "device-gone",
    what: `device status of ${transport.name}`,
    seen: hex(STATUS_GONE),
    todo: "nothing if it was unplugged; else check that it is still there",
  });
}

/** Sets FAILED, by which the host knows. Where no device is left to tell, answers that error. */
export function giveUp(transport: Transport): BallonetError | undefined {
  try {
    transport.addStatus(STATUS.FAILED);
    return undefined;
  } catch (error) {
    if (error instanceof BallonetError) return error;
    throw error;
  }
}

/** An error about one queue of this transport. */
export function queueError(
  transport: Transport,
  index: number,
  seen: string,
  todo: string,
): BallonetError {
  const what = `queue ${index} of ${transport.name}`;
  return new BallonetError({ code: "queue", what, seen, todo });
}

/**
 * What a notification carries with NOTIFICATION_DATA: below what names the queue, its index or the
 * device's word for it, and the place above.
 * @throws BallonetError `queue` without a place, or with one that is no u16.
 */
export function notificationData(
  transport: Transport,
  index: number,
  next: number | undefined,
  word = index,
): number {
  if (next !== undefined && next >= 0 && next <= 0xffff) return next * 0x1_0000 + word;
  const todo = "say where the next buffer will go: NOTIFICATION_DATA was negotiated";
  throw queueError(transport, index, `a notification with place ${next}`, todo);
}

/** More than any balloon has: five of the specification, three of others. */
export const QUEUES_PROBED_MAX = 8;

/** Counts the queues where no register does: one more than the highest that has a size. */
export function probeQueues(transport: Transport): number {
  let queues = 0;
  for (let index = 0; index < QUEUES_PROBED_MAX; index++) {
    if (transport.queueMaxSize(index) !== 0) queues = index + 1;
  }
  return queues;
}

/**
 * The page frame number by which a legacy device is told of a ring.
 * @throws BallonetError `queue` when the ring is not laid out in one piece, on a page that a 32-bit
 * number can name; page 0 would mean "no queue".
 */
export function legacyPfn(transport: Transport, queue: QueueSetup): number {
  const { index, size, descriptorArea, driverArea, deviceArea } = queue;
  const { alignment } = LEGACY_LAYOUT;
  const driver = descriptorArea + 16 * size;
  const device = Math.ceil((driver + 6 + 2 * size) / alignment) * alignment;
  const pfn = descriptorArea / alignment;
  if (!Number.isInteger(pfn) || pfn <= 0 || pfn > 0xffff_ffff) {
    throw queueError(
      transport,
      index,
      `a ring at ${descriptorArea}`,
      "put it on a page of its own",
    );
  }
  if (driverArea !== driver || deviceArea !== device) {
    const seen = `areas at ${hex(driverArea)} and ${hex(deviceArea)}`;
    throw queueError(transport, index, seen, `put them at ${hex(driver)} and ${hex(device)}`);
  }
  return pfn;
}
