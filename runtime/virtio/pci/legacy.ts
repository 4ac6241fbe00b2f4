/**
 * The legacy PCI transport: the interface from before virtio 1.0 (virtio 1.3, 4.1.4.10 and
 * 4.1.5.1).
 *
 * One header in the I/O ports of BAR 0, then the device configuration:
 *
 *   +0x00 device features   +0x04 driver features   +0x08 queue address (a page number)
 *   +0x0c queue size   +0x0e queue select   +0x10 queue notify   +0x12 status   +0x13 ISR
 *   (+0x14 config vector   +0x16 queue vector, only while MSI-X is enabled)
 *   +0x14 or +0x18 device configuration
 *
 * There are 32 feature bits, no FEATURES_OK, no generation of the configuration, and queues of a
 * size that the device alone decides. It must not know what kind of device it carries. Numbers are
 * the guest's own, which on every guest of ours means little-endian.
 *
 * Invariant: a queue's page number is written once after each reset, and never as 0: some devices
 * take that for a reset of everything.
 */
import { BallonetError } from "../../errors.ts";
import { type Bar, disableFunction, MEMORY_SPACE_END, readBars, sizeBar } from "../../pci/bars.ts";
import { formatPciAddress } from "../../pci/config.ts";
import { type Field, LEGACY, LEGACY_CONFIG } from "../constants.ts";
import type { InterruptMode } from "../interrupts.ts";
import {
  type InterruptCause,
  LEGACY_LAYOUT,
  legacyPfn,
  probeQueues,
  type QueueSetup,
  queueError,
  statusWith,
  type Transport,
} from "../transport.ts";
import { Region } from "./capability-regions.ts";
import { PciInterrupts } from "./interrupts.ts";
import type { PciTransportOptions } from "./modern.ts";

const REVISION_ID = 0x08;
const HEADER_BAR = 0;

/**
 * Lets the device decode, use memory and interrupt, and returns the way to it. Its status is not
 * touched.
 * @throws BallonetError `pci-bar` when BAR 0 is no assigned I/O BAR, or too small;
 * `pci-capability` when the device has no legacy interface by its revision.
 */
export function openLegacyPci(options: PciTransportOptions): Transport {
  const { hal, config, address, configLength } = options;
  const at = formatPciAddress(address);
  const what = `legacy interface of the virtio device at ${at}`;
  // The revision is the version of this interface, and there was only one (virtio 1.3, 4.1.2.3).
  const revision = config.read(address, REVISION_ID, 1);
  if (revision !== 0) {
    const todo = "use its modern interface";
    throw new BallonetError({ code: "pci-capability", what, seen: `revision ${revision}`, todo });
  }
  const bars = readBars(config, address);
  const bar = bars[HEADER_BAR];
  if (bar?.kind !== "io") {
    const seen = `BAR 0 is ${bar?.kind === "unusable" ? bar.reason : "a memory BAR"}`;
    const todo = "assign it I/O ports, or use its modern interface";
    throw new BallonetError({ code: "pci-bar", what, seen, todo });
  }
  const length = sizeBar(config, address, HEADER_BAR);
  if (length < LEGACY_CONFIG.withMsix + configLength) {
    const todo = "report it to the device's makers";
    throw new BallonetError({ code: "pci-bar", what, seen: `${length} ports`, todo });
  }
  const header = new Region({ hal, kind: "io", start: bar.base, length, name: `${what}` });
  const transport = new LegacyPci(options, header, bars);
  transport.enable();
  return transport;
}

class LegacyPci implements Transport {
  readonly name: string;
  readonly isLegacy = true;
  readonly ringLayout = LEGACY_LAYOUT;
  readonly fixedQueueSize = true;
  readonly featureWords = 1;
  readonly requiredFeatures = 0n;
  readonly unusableFeatures = 0n;
  /** What is there in either place. */
  readonly configLength: number;
  private readonly options: PciTransportOptions;
  private readonly header: Region;
  private readonly interrupts: PciInterrupts;
  private readonly isSetUp: boolean[] = [];

  constructor(options: PciTransportOptions, header: Region, bars: readonly Bar[]) {
    const { address, memoryEnd = MEMORY_SPACE_END, interrupts = "best" } = options;
    this.name = `legacy PCI at ${formatPciAddress(address)}`;
    this.options = options;
    this.header = header;
    this.configLength = header.length - LEGACY_CONFIG.withMsix;
    this.interrupts = new PciInterrupts({
      ...options,
      bars,
      memoryEnd,
      choice: interrupts,
      registers: {
        config: (vector) => {
          header.write(LEGACY.configMsixVector, vector);
          return header.read(LEGACY.configMsixVector);
        },
        queue: (index, vector) => {
          header.write(LEGACY.queueSelect, index);
          header.write(LEGACY.queueMsixVector, vector);
          return header.read(LEGACY.queueMsixVector);
        },
      },
      readIsr: () => header.read(LEGACY.isrStatus),
    });
  }

  deviceFeatures(word: number): number {
    return word === 0 ? this.header.read(LEGACY.deviceFeatures) : 0;
  }

  writeDriverFeatures(word: number, value: number): void {
    if (word === 0) this.header.write(LEGACY.driverFeatures, value);
  }

  status(): number {
    return this.header.read(LEGACY.deviceStatus);
  }

  addStatus(bits: number): void {
    this.header.write(LEGACY.deviceStatus, statusWith(this, bits));
  }

  reset(): void {
    this.isSetUp.length = 0;
    this.header.write(LEGACY.deviceStatus, 0);
    this.interrupts.reset();
    this.enable();
  }

  readConfig(field: Field): number {
    return this.header.read(this.place(field));
  }

  writeConfig(field: Field, value: number): void {
    this.header.write(this.place(field), value);
  }

  numQueues(): number {
    return probeQueues(this);
  }

  queueMaxSize(index: number): number {
    this.header.write(LEGACY.queueSelect, index);
    return this.header.read(LEGACY.queueSize);
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
    const { index, size } = queue;
    const only = this.queueMaxSize(index);
    if (only === 0) throw queueError(this, index, "no such queue", "do without this queue");
    if (size !== only) {
      const todo = "lay out the queue for the one size that the device has";
      throw queueError(this, index, `size ${size}, only ${only} possible`, todo);
    }
    if (this.header.read(LEGACY.queueAddress) !== 0) {
      throw queueError(this, index, "it is in use already", "reset the device first");
    }
    const pfn = legacyPfn(this, queue);
    this.header.write(LEGACY.queueAddress, pfn);
    if (this.header.read(LEGACY.queueAddress) !== pfn) {
      throw queueError(this, index, "its address was not taken", "check the address");
    }
    if (!this.interrupts.restoreQueue(index)) {
      throw queueError(this, index, "its vector was refused", "use a line instead of messages");
    }
    this.isSetUp[index] = true;
  }

  notify(index: number): void {
    if (this.isSetUp[index] !== true) {
      const seen = "a notification of a queue not set up";
      throw queueError(this, index, seen, "set the queue up first");
    }
    this.header.write(LEGACY.queueNotify, index);
  }

  resetQueue(index: number): never {
    throw queueError(this, index, "a reset without RING_RESET", "reset the device");
  }

  isQueueReset(): boolean {
    return false;
  }

  acknowledgeInterrupt(messages?: number): InterruptCause {
    return this.interrupts.acknowledge(messages);
  }

  tearDown(): void {
    this.reset();
    disableFunction(this.options.config, this.options.address);
  }

  /** Decoding, bus mastering and INTx: what opening needs, and what `tearDown` took away. */
  enable(): void {
    this.interrupts.enableFunction({ io: true, memory: false });
  }

  /** MSI-X pushes the device configuration behind the two vectors. */
  private place({ offset, width }: Field): Field {
    const isMsix = this.interruptMode.kind === "msix";
    const start = isMsix ? LEGACY_CONFIG.withMsix : LEGACY_CONFIG.withoutMsix;
    return { offset: start + offset, width };
  }
}
