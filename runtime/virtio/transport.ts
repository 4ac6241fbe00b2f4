/**
 * Transport: how a device driver reaches its device, over modern or legacy PCI or over MMIO.
 */
import { BallonetError, hex } from "../errors.ts";
import { type Field, ISR, STATUS, STATUS_GONE } from "./constants.ts";
import type { FeatureSet } from "./features.ts";
import type { InterruptMode } from "./interrupts.ts";
import type { Region } from "./region.ts";

/** Where a device accepts the areas of a split ring. */
export interface RingLayout {
  /**
   * True: one piece, whose start is all that the device gets (virtio 1.3, 2.7.2). The driver area
   * follows the descriptor area at once, the device area at the next multiple of `alignment`.
   * False: each area may be anywhere that its own alignment allows.
   */
  readonly contiguous: boolean;
  /** In bytes, for the start of the device area and of the whole. */
  readonly alignment: number;
}

/** The layout of every interface since virtio 1.0. */
export const SEPARATE_AREAS: RingLayout = { contiguous: false, alignment: 4 };
/** The layout of every legacy interface: PCI has no other, and the driver tells MMIO this one. */
export const LEGACY_LAYOUT: RingLayout = { contiguous: true, alignment: 4096 };

/** One queue, its size and its areas (virtio 1.3, 2.6). Addresses are below 2^53. */
export interface QueueSetup {
  readonly index: number;
  /** True for a queue that must not interrupt, and gets no vector. Default: false. */
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

/** Why the device interrupted. Both false: another device did. */
export interface InterruptCause {
  /** Buffers may have been used. */
  readonly queue: boolean;
  /** The device configuration changed. */
  readonly config: boolean;
}

/** One object for each cause, so that an interrupt allocates nothing. */
const CAUSES: readonly InterruptCause[] = [0, 1, 2, 3].map((bits) => ({
  queue: (bits & ISR.QUEUE) !== 0,
  config: (bits & ISR.CONFIG) !== 0,
}));

/** The cause that these ISR bits tell; the other bits say nothing. */
export function interruptCause(isr: number): InterruptCause {
  return CAUSES[isr & (ISR.QUEUE | ISR.CONFIG)] as InterruptCause;
}

/**
 * A driver's only access to its device. Every call makes one or a few register accesses and returns
 * at once: nothing here waits. Status bits are only ever added; only `reset` clears them.
 */
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
  /** Features that this transport cannot carry out: bring-up accepts none (virtio 1.3, 2.2.1). */
  readonly unusableFeatures: FeatureSet;

  /** Word `word` of the features that the device offers, as a u32. */
  deviceFeatures(word: number): number;
  /** Writes word `word` of the features that the driver accepts. */
  writeDriverFeatures(word: number, value: number): void;

  /** The device status: STATUS bits, or STATUS_GONE when no device answers. */
  status(): number;
  /**
   * Adds bits to the device status, keeping all that are set.
   * @throws BallonetError `device-gone`.
   */
  addStatus(bits: number): void;
  /**
   * Starts a reset. It is complete when `status()` is 0; do nothing with the device before that.
   * It also undoes `tearDown`.
   */
  reset(): void;

  /** Bytes of device configuration. */
  readonly configLength: number;
  /** Reads one field, in one access. @throws BallonetError `access`. */
  readConfig(field: Field): number;
  /** Writes one field, in one access. @throws BallonetError `access`. */
  writeConfig(field: Field, value: number): void;

  /**
   * The most queues that the device has. Where no register says it, the first QUEUES_PROBED_MAX
   * indices are tried. Call it only before queues are set up.
   */
  numQueues(): number;
  /** The largest size of a queue that is not set up yet; 0 when there is no such queue. */
  queueMaxSize(index: number): number;
  /**
   * Decides how the device will interrupt, and tells it. Call it after the features are negotiated
   * and before the queues with these indices are set up.
   */
  setUpInterrupts(queues: readonly number[]): InterruptMode;
  /** What `setUpInterrupts` will decide unless the device refuses. */
  readonly expectedInterrupts: InterruptMode["kind"];
  /** What `setUpInterrupts` decided; polling before, and after a reset. */
  readonly interruptMode: InterruptMode;
  /**
   * Tells the device where the queue is and enables it, before DRIVER_OK or after the queue's own
   * reset.
   * @throws BallonetError `queue` when it does not exist, is enabled already, has a size or a place
   * that the device cannot use, or does not become enabled.
   */
  setUpQueue(queue: QueueSetup): void;
  /**
   * Tells the device that there are new buffers in a queue that is set up.
   * @param next where the next buffer will go, needed with NOTIFICATION_DATA: the available index
   * of a split ring, or a packed ring's offset with its wrap counter in bit 15 (virtio 1.3, 2.9).
   */
  notify(index: number, next?: number): void;
  /**
   * Starts the reset of one queue. The device may use its memory until `isQueueReset`; then the
   * queue may be set up again. Needs RING_RESET.
   * @throws BallonetError `queue` when RING_RESET was not negotiated or the queue is not set up.
   */
  resetQueue(index: number): void;
  /** True once the reset of this queue is complete. */
  isQueueReset(index: number): boolean;

  /**
   * Returns why the device interrupted, and acknowledges it.
   * @param messages the messages of mode `msix` that came, a bit each; undefined: not known.
   */
  acknowledgeInterrupt(messages?: number): InterruptCause;

  /**
   * Gives the device up: starts a reset and forbids it to access memory. Memory that was shared
   * with it may be reused once `status()` is 0. A later `reset` begins anew.
   */
  tearDown(): void;
}

/** The status with `bits` added. @throws BallonetError `device-gone`. */
export function statusWith(transport: Transport, bits: number): number {
  const before = transport.status();
  if (before !== STATUS_GONE) return before | bits;
  throw goneError(transport);
}

/** The error of a device that no longer answers. */
export function goneError(transport: Transport): BallonetError {
  return new BallonetError({
    code: "device-gone",
    what: `device status of ${transport.name}`,
    seen: hex(STATUS_GONE),
    todo: "nothing if it was unplugged; else check that it is still there",
  });
}

/** Tells the host by FAILED. Returns the error of a device that is no longer there to be told. */
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

/** @throws BallonetError `queue` when the device has no such queue, or only a smaller one. */
export function checkQueueSize(
  transport: Transport,
  { index, size }: QueueSetup,
  largest: number,
): void {
  if (largest === 0) throw queueError(transport, index, "no such queue", "do without this queue");
  if (size >= 1 && size <= largest) return;
  const todo = "lay out the queue for the size that the device has";
  throw queueError(transport, index, `size ${size}, at most ${largest} possible`, todo);
}

/**
 * The value of a notification with NOTIFICATION_DATA: `next` in the upper half, and in the lower
 * half `word`, which names the queue: its index, or the device's own word for it.
 * @throws BallonetError `queue` unless `next` is a u16.
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

type AreaFields = Readonly<Record<`queue${"Desc" | "Driver" | "Device"}${"Low" | "High"}`, Field>>;

/**
 * Tells the device where the queue's areas are: each in two 32-bit halves, low before high, for a
 * device need not take 64 bits at once (virtio 1.3, 4.1.3.1).
 * @throws BallonetError `queue` for an address that is no whole number below 2^53.
 */
export function writeAreas(
  transport: Transport,
  registers: Region,
  at: AreaFields,
  { index, descriptorArea, driverArea, deviceArea }: QueueSetup,
): void {
  const write = (low: Field, high: Field, address: number) => {
    if (!Number.isSafeInteger(address) || address < 0) {
      throw queueError(transport, index, `area at ${address}`, "put queues below 2^53");
    }
    registers.write(low, address % 2 ** 32);
    registers.write(high, Math.floor(address / 2 ** 32));
  };
  write(at.queueDescLow, at.queueDescHigh, descriptorArea);
  write(at.queueDriverLow, at.queueDriverHigh, driverArea);
  write(at.queueDeviceLow, at.queueDeviceHigh, deviceArea);
}

/** Indices that are tried where no register counts the queues. */
const QUEUES_PROBED_MAX = 8;

/** Counts the queues where no register does: one more than the highest index with a size. */
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
