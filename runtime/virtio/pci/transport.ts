/**
 * What the modern and the legacy PCI transport share: the function they are, and its interrupts.
 */
import type { Hal } from "../../hal.ts";
import { type Bar, disableFunction, MEMORY_SPACE_END } from "../../pci/bars.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "../../pci/config.ts";
import type { Field } from "../constants.ts";
import type { FeatureSet } from "../features.ts";
import type { InterruptChoice, InterruptMode, VectorRegisters } from "../interrupts.ts";
import type { Region } from "../region.ts";
import {
  type InterruptCause,
  type QueueSetup,
  queueError,
  type RingLayout,
  statusWith,
  type Transport,
} from "../transport.ts";
import { PciInterrupts } from "./interrupts.ts";

/** What every PCI transport needs to be opened. */
export interface PciTransportOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  /** Bytes of device configuration without which the driver cannot work. */
  readonly configLength: number;
  /** The guest cannot reach memory at or above this address. Default 2^53. */
  readonly memoryEnd?: number;
  /** How the device shall interrupt. Default "best". */
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
  private readonly regions: readonly Region[];
  private readonly interrupts: PciInterrupts;

  constructor(options: PciTransportOptions, parts: PciTransportParts) {
    const { config, address, memoryEnd = MEMORY_SPACE_END, interrupts = "best" } = options;
    const { kind, bars, regions, vectors, readIsr } = parts;
    this.name = `${kind} at ${formatPciAddress(address)}`;
    this.config = config;
    this.address = address;
    this.regions = regions;
    const registers = vectors;
    const choice = interrupts;
    this.interrupts = new PciInterrupts({
      ...options,
      bars,
      memoryEnd,
      choice,
      registers,
      readIsr,
    });
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
    this.interrupts.reset();
    this.enable();
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

  acknowledgeInterrupt(messages?: number): InterruptCause {
    return this.interrupts.acknowledge(messages);
  }

  tearDown(): void {
    this.reset();
    disableFunction(this.config, this.address);
  }

  /** Turns on decoding, bus mastering and INTx, which `tearDown` turns off in part. */
  enable(): void {
    this.interrupts.enableFunction({
      io: this.regions.some(({ kind }) => kind === "io"),
      memory: this.regions.some(({ kind }) => kind === "memory"),
    });
  }

  /** @throws BallonetError `queue` when the device refuses. */
  protected restoreVector(index: number): void {
    if (this.interrupts.restoreQueue(index)) return;
    this.failQueue(index, "its vector was refused", "use a line instead of messages");
  }

  protected failQueue(index: number, seen: string, todo: string): never {
    throw queueError(this, index, seen, todo);
  }
}
