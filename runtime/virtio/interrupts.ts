/**
 * How a device interrupts: by messages, by a line, or not at all.
 *
 * The best way that device and machine both have is tried first; when the device refuses it, the
 * next is tried, so there is always one. A vector counts as set only after it was read back (virtio
 * 1.3, 4.1.5.1.2).
 */
import type { InterruptAllocator, InterruptMessage } from "../hal.ts";
import type { Msix } from "../pci/msix.ts";

/** The setting: `best` is messages where possible, otherwise the line. */
export const INTERRUPT_CHOICES = ["best", "line", "polling"] as const;
/** See INTERRUPT_CHOICES. */
export type InterruptChoice = (typeof INTERRUPT_CHOICES)[number];

/** How a device interrupts. */
export type InterruptMode =
  | { readonly kind: "polling" }
  /** INTx on PCI, the slot's line on MMIO. */
  | { readonly kind: "line" }
  | {
      readonly kind: "msix";
      /** Messages in use, numbered from 0 in the order in which they were allocated. */
      readonly messages: number;
      /** The message for a change of the device configuration. */
      readonly config: number;
      /** By queue index, the message for used buffers. */
      readonly queues: ReadonlyMap<number, number>;
    };

export const POLLING: InterruptMode = { kind: "polling" };
export const LINE: InterruptMode = { kind: "line" };

/** The value of a vector register without a message, and of one that refused its message. */
const NO_VECTOR = 0xffff;

/** The vector registers of a device. Each call writes one and returns what it then reads. */
export interface VectorRegisters {
  config(vector: number): number;
  queue(index: number, vector: number): number;
}

export interface MsixSetupOptions {
  readonly msix: Msix;
  readonly allocator: InterruptAllocator;
  readonly registers: VectorRegisters;
}

/** MSI-X of one device, over all of its resets. */
export class MsixSetup {
  private readonly options: MsixSetupOptions;
  /** Kept over resets: the machine has few. */
  private readonly held: InterruptMessage[] = [];

  constructor(options: MsixSetupOptions) {
    this.options = options;
  }

  /** Sets all vectors. Undefined: that failed, no vector is set, and MSI-X is off. */
  setUp(queues: readonly number[]): InterruptMode | undefined {
    const { msix } = this.options;
    for (const plan of plans(queues)) {
      if (plan.messages > msix.tableSize || !this.hold(plan.messages)) continue;
      msix.enable(this.held.slice(0, plan.messages));
      if (this.assign(plan)) return { kind: "msix", ...plan };
      this.clear(queues);
    }
    msix.disable();
    return undefined;
  }

  private hold(count: number): boolean {
    const missing = count - this.held.length;
    if (missing > 0) this.held.push(...(this.options.allocator.allocate(missing) ?? []));
    return this.held.length >= count;
  }

  private assign(plan: Plan): boolean {
    const { registers } = this.options;
    if (registers.config(plan.config) !== plan.config) return false;
    for (const [queue, vector] of plan.queues) {
      if (registers.queue(queue, vector) !== vector) return false;
    }
    return true;
  }

  private clear(queues: readonly number[]): void {
    const { registers } = this.options;
    registers.config(NO_VECTOR);
    for (const queue of queues) registers.queue(queue, NO_VECTOR);
  }
}

interface Plan {
  readonly messages: number;
  readonly config: number;
  readonly queues: ReadonlyMap<number, number>;
}

/** One message each; one for the configuration and one for all queues; one for everything. */
function plans(queues: readonly number[]): Plan[] {
  const vectors = (of: (position: number) => number) =>
    new Map(queues.map((queue, position) => [queue, of(position)]));
  return [
    { messages: 1 + queues.length, config: 0, queues: vectors((position) => 1 + position) },
    { messages: 2, config: 0, queues: vectors(() => 1) },
    { messages: 1, config: 0, queues: vectors(() => 0) },
  ];
}
