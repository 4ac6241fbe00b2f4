/**
 * Transport: all that a device driver sees of the way to its device.
 *
 * A driver written against this interface runs over modern PCI today, and over any other transport
 * that implements it. It must not know of a bus, a BAR or a port. Every call is one or a few
 * register accesses and returns at once: nothing here waits.
 *
 * Invariant: status bits are only ever added; the way back to 0 is `reset` and nothing else.
 */
import { BallonetError } from "../errors.ts";
import type { Field } from "./constants.ts";
import type { FeatureSet } from "./features.ts";

/** Where one queue's parts are and how large it is (virtio 1.3, 2.6). Addresses are below 2^53. */
export interface QueueSetup {
  readonly index: number;
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
  /** How many 32-bit words of feature bits the transport carries. */
  readonly featureWords: number;
  /** Features without which this transport does not work; bring-up accepts them by itself. */
  readonly requiredFeatures: FeatureSet;

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
  /** Changes whenever two reads of the device configuration could see different versions. */
  configGeneration(): number;
  /** One field of the device configuration, in one access. @throws BallonetError `access`. */
  readConfig(field: Field): number;
  /** Writes one field, in one access. @throws BallonetError `access`. */
  writeConfig(field: Field, value: number): void;

  /** The most queues that the device has; how they are numbered is the device type's business. */
  numQueues(): number;
  /** The largest size of a queue that was not set up yet; 0 when there is no such queue. */
  queueMaxSize(index: number): number;
  /**
   * Tells the device where the queue is and enables it. Only before DRIVER_OK.
   * @throws BallonetError `queue` when it does not exist, is enabled already, is too small, lies
   * beyond 2^53, or does not come up.
   */
  setUpQueue(queue: QueueSetup): void;
  /** Tells the device that there are new buffers in a queue that was set up. */
  notify(index: number): void;

  /** Asks why the device interrupted, and takes the interrupt back. */
  acknowledgeInterrupt(): InterruptCause;

  /**
   * Gives the device up: starts a reset and takes from it the right to touch memory. What was
   * shared with it may be reused once `status()` is 0. A later `reset` begins anew.
   */
  tearDown(): void;
}

/** A device whose configuration changes faster than this many reads of it is broken. */
export const CONFIG_READS_MAX = 16;

/**
 * Several fields of the device configuration, all of one version (virtio 1.3, 2.5.1). A single
 * field needs no guard: it is read in one access.
 * @returns their values, in the order of `fields`.
 * @throws BallonetError `config-unstable` after CONFIG_READS_MAX attempts.
 */
export function readConfigFields(transport: Transport, fields: readonly Field[]): number[] {
  let before = transport.configGeneration();
  for (let attempt = 0; attempt < CONFIG_READS_MAX; attempt++) {
    const values = fields.map((field) => transport.readConfig(field));
    const after = transport.configGeneration();
    if (after === before) return values;
    before = after;
  }
  throw new BallonetError({
    code: "config-unstable",
    what: `device configuration of ${transport.name}`,
    seen: `a new generation after each of ${CONFIG_READS_MAX} reads`,
    todo: "report it to the device's makers: config_generation changes without reason",
  });
}
