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
 * There are 32 feature bits, no FEATURES_OK, no generation of the configuration, and the device
 * alone decides the size of a queue. Numbers have the guest's byte order: little-endian on x86.
 *
 * A queue's page number is written once after each reset, and never as 0: some devices take 0 for a
 * reset of everything.
 */
import { BallonetError } from "../../errors.ts";
import { type Bar, readBars, sizeBar } from "../../pci/bars.ts";
import { formatPciAddress } from "../../pci/config.ts";
import { type Field, LEGACY, LEGACY_CONFIG } from "../constants.ts";
import { Region } from "../region.ts";
import {
  LEGACY_LAYOUT,
  legacyPfn,
  probeQueues,
  type QueueSetup,
  type Transport,
} from "../transport.ts";
import { PciTransport, type PciTransportOptions, vectorRegisters } from "./transport.ts";

const REVISION_ID = 0x08;
const HEADER_BAR = 0;

/**
 * Lets the function answer, access memory and interrupt, and returns its transport. The device's
 * status stays as it is.
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
  const header = new Region({ hal, kind: "io", start: bar.base, length, name: what });
  const transport = new LegacyPci(options, header, bars);
  transport.enable();
  return transport;
}

class LegacyPci extends PciTransport {
  readonly isLegacy = true;
  readonly ringLayout = LEGACY_LAYOUT;
  readonly fixedQueueSize = true;
  readonly featureWords = 1;
  readonly requiredFeatures = 0n;
  readonly unusableFeatures = 0n;
  /** With MSI-X, which leaves less of it. */
  readonly configLength: number;
  private readonly header: Region;
  private readonly isSetUp: boolean[] = [];

  constructor(options: PciTransportOptions, header: Region, bars: readonly Bar[]) {
    super(options, {
      kind: "legacy PCI",
      bars,
      regions: [header],
      vectors: vectorRegisters(header, LEGACY),
      readIsr: () => header.read(LEGACY.isrStatus),
    });
    this.header = header;
    this.configLength = header.length - LEGACY_CONFIG.withMsix;
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

  protected writeStatus(value: number): void {
    this.header.write(LEGACY.deviceStatus, value);
  }

  override reset(): void {
    this.isSetUp.length = 0;
    super.reset();
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

  setUpQueue(queue: QueueSetup): void {
    const { index, size } = queue;
    const only = this.queueMaxSize(index);
    if (only === 0) this.failQueue(index, "no such queue", "do without this queue");
    if (size !== only) {
      const todo = "lay out the queue for the one size that the device has";
      this.failQueue(index, `size ${size}, only ${only} possible`, todo);
    }
    if (this.header.read(LEGACY.queueAddress) !== 0) {
      this.failQueue(index, "it is in use already", "reset the device first");
    }
    const pfn = legacyPfn(this, queue);
    this.header.write(LEGACY.queueAddress, pfn);
    if (this.header.read(LEGACY.queueAddress) !== pfn) {
      this.failQueue(index, "its address was not taken", "check the address");
    }
    this.restoreVector(index);
    this.isSetUp[index] = true;
  }

  notify(index: number): void {
    if (this.isSetUp[index] !== true) {
      this.failQueue(index, "a notification of a queue not set up", "set the queue up first");
    }
    this.header.write(LEGACY.queueNotify, index);
  }

  resetQueue(index: number): never {
    this.failQueue(index, "a reset without RING_RESET", "reset the device");
  }

  isQueueReset(): boolean {
    return false;
  }

  /** MSI-X moves the device configuration behind the two vectors. */
  private place({ offset, width }: Field): Field {
    const isMsix = this.interruptMode.kind === "msix";
    const start = isMsix ? LEGACY_CONFIG.withMsix : LEGACY_CONFIG.withoutMsix;
    return { offset: start + offset, width };
  }
}
