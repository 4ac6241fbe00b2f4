/**
 * What the modern and the legacy PCI transport share: the function they are, and its interrupts
 * (virtio 1.3, 4.1.5.1.2 and 4.1.5.3).
 */
import type { Hal } from "../../hal.ts";
import { type Bar, disableFunction, enableFunction, MEMORY_SPACE_END } from "../../pci/bars.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "../../pci/config.ts";
import { type Msix, openMsix } from "../../pci/msix.ts";
import { type Field, ISR } from "../constants.ts";
import type { FeatureSet } from "../features.ts";
import {
  type InterruptChoice,
  type InterruptMode,
  LINE,
  MsixSetup,
  POLLING,
  type VectorRegisters,
} from "../interrupts.ts";
import type { Region } from "../region.ts";
import {
  type InterruptCause,
  interruptCause,
  type QueueSetup,
  queueError,
  type RingLayout,
  statusWith,
  type Transport,
} from "../transport.ts";

/** What every PCI transport needs to be opened. */
export interface PciTransportOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  /** Bytes of device configuration without which the driver cannot work. */
  readonly configLength: number;
  /** The guest cannot reach memory at or above this address. Default 2^53. */
  readonly memoryEnd?: number;
  /** How the device is to interrupt. Default "best": as well as machine and device can. */
  readonly interrupts?: InterruptChoice;
}

interface PciTransportParts {
  /** For people: "modern PCI". */
  readonly kind: string;
  readonly bars: readonly Bar[];
  /** Where the registers are: the spaces in which the function must answer. */
  readonly regions: readonly Region[];
  readonly vectors: VectorRegisters;
  /** Reads the ISR status, which lowers the line. */
  readIsr(): number;
}

const INTERRUPT_PIN = 0x3d;

export abstract class PciTransport implements Transport {
  readonly name: string;
  abstract readonly isLegacy: boolean;
  abstract readonly ringLayout: RingLayout;
  abstract readonly fixedQueueSize: boolean;
  abstract readonly featureWords: number;
  abstract readonly requiredFeatures: FeatureSet;
  abstract readonly unusableFeatures: FeatureSet;
  abstract readonly configLength: number;
  protected readonly config: PciConfigAccess;
  protected readonly address: PciAddress;
  interruptMode: InterruptMode = POLLING;
  private readonly parts: PciTransportParts;
  private readonly choice: InterruptChoice;
  private readonly msix: Msix | undefined;
  private readonly setup: MsixSetup | undefined;

  constructor(options: PciTransportOptions, parts: PciTransportParts) {
    const { hal, config, address, memoryEnd = MEMORY_SPACE_END, interrupts = "best" } = options;
    const { kind, bars, vectors: registers } = parts;
    this.name = `${kind} at ${formatPciAddress(address)}`;
    this.config = config;
    this.address = address;
    this.parts = parts;
    this.choice = interrupts;
    // Needed in every mode: firmware or another driver may have left MSI-X on.
    this.msix = openMsix({ hal, config, address, bars, memoryEnd });
    if (interrupts === "best" && this.msix && hal.interrupts) {
      this.setup = new MsixSetup({ msix: this.msix, allocator: hal.interrupts, registers });
    }
  }

  abstract deviceFeatures(word: number): number;
  abstract writeDriverFeatures(word: number, value: number): void;
  abstract status(): number;
  protected abstract writeStatus(value: number): void;
  abstract readConfig(field: Field): number;
  abstract writeConfig(field: Field, value: number): void;
  abstract numQueues(): number;
  abstract queueMaxSize(index: number): number;
  abstract setUpQueue(queue: QueueSetup): void;
  abstract notify(index: number, next?: number): void;
  abstract resetQueue(index: number): void;
  abstract isQueueReset(index: number): boolean;

  addStatus(bits: number): void {
    this.writeStatus(statusWith(this, bits));
  }

  reset(): void {
    this.writeStatus(0);
    // The reset clears the device's vectors, too.
    this.interruptMode = POLLING;
    this.msix?.disable();
    this.enable();
  }

  get expectedInterrupts(): InterruptMode["kind"] {
    return this.setup ? "msix" : this.withoutMessages().kind;
  }

  setUpInterrupts(queues: readonly number[]): InterruptMode {
    this.interruptMode = this.setup?.setUp(queues) ?? this.withoutMessages();
    return this.interruptMode;
  }

  private withoutMessages(): InterruptMode {
    if (this.choice === "polling") return POLLING;
    return this.config.read(this.address, INTERRUPT_PIN, 1) === 0 ? POLLING : LINE;
  }

  acknowledgeInterrupt(messages?: number): InterruptCause {
    const mode = this.interruptMode;
    if (mode.kind !== "msix") return interruptCause(this.parts.readIsr());
    // With messages the ISR status says nothing of queues, and the driver leaves it alone.
    if (messages === undefined) return interruptCause(ISR.QUEUE | ISR.CONFIG);
    let bits = messages & (1 << mode.config) ? ISR.CONFIG : 0;
    for (const vector of mode.queues.values()) if (messages & (1 << vector)) bits |= ISR.QUEUE;
    return interruptCause(bits);
  }

  tearDown(): void {
    this.reset();
    disableFunction(this.config, this.address);
  }

  /** Turns on decoding, bus mastering and INTx, which `tearDown` turns off in part. */
  enable(): void {
    const { regions } = this.parts;
    const isInMemory = regions.some(({ kind }) => kind === "memory");
    enableFunction(this.config, this.address, {
      io: regions.some(({ kind }) => kind === "io"),
      memory: isInMemory || this.setup !== undefined,
      intx: this.choice !== "polling",
    });
  }

  /**
   * Sets the vector of a queue again, which the queue's reset cleared.
   * @throws BallonetError `queue` when the device refuses.
   */
  protected restoreVector(index: number): void {
    const mode = this.interruptMode;
    const vector = mode.kind === "msix" ? mode.queues.get(index) : undefined;
    if (vector === undefined || this.parts.vectors.queue(index, vector) === vector) return;
    this.failQueue(index, "its vector was refused", "use a line instead of messages");
  }

  protected failQueue(index: number, seen: string, todo: string): never {
    throw queueError(this, index, seen, todo);
  }
}

/** The vector registers in `region`, which both interfaces name alike. */
export function vectorRegisters(
  region: Region,
  at: Readonly<Record<"configMsixVector" | "queueSelect" | "queueMsixVector", Field>>,
): VectorRegisters {
  return {
    config: (vector) => {
      region.write(at.configMsixVector, vector);
      return region.read(at.configMsixVector);
    },
    queue: (index, vector) => {
      region.write(at.queueSelect, index);
      region.write(at.queueMsixVector, vector);
      return region.read(at.queueMsixVector);
    },
  };
}
