/**
 * The interrupts of a virtio PCI function, modern or legacy (virtio 1.3, 4.1.5.1.2 and 4.1.5.3).
 */
import type { Hal } from "../../hal.ts";
import { type Bar, enableFunction } from "../../pci/bars.ts";
import type { PciAddress, PciConfigAccess } from "../../pci/config.ts";
import { type Msix, openMsix } from "../../pci/msix.ts";
import { ISR } from "../constants.ts";
import {
  type InterruptChoice,
  type InterruptMode,
  LINE,
  MsixSetup,
  POLLING,
  type VectorRegisters,
} from "../interrupts.ts";
import { type InterruptCause, interruptCause } from "../transport.ts";

export interface PciInterruptsOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  readonly bars: readonly Bar[];
  readonly memoryEnd: number;
  readonly choice: InterruptChoice;
  readonly registers: VectorRegisters;
  /** Reads the ISR status, which lowers the line. */
  readIsr(): number;
}

const INTERRUPT_PIN = 0x3d;

export class PciInterrupts {
  mode: InterruptMode = POLLING;
  private readonly options: PciInterruptsOptions;
  private readonly msix: Msix | undefined;
  private readonly setup: MsixSetup | undefined;

  constructor(options: PciInterruptsOptions) {
    const { hal, choice, registers } = options;
    this.options = options;
    // Needed in every mode: firmware or another driver may have left MSI-X on.
    this.msix = openMsix(options);
    if (choice === "best" && this.msix && hal.interrupts) {
      this.setup = new MsixSetup({ msix: this.msix, allocator: hal.interrupts, registers });
    }
  }

  /** The mode that `setUp` will return unless the device refuses. */
  get expected(): InterruptMode["kind"] {
    return this.setup ? "msix" : this.withoutMessages().kind;
  }

  /** Lets the function answer in these spaces, access memory, and interrupt as was chosen. */
  enableFunction(spaces: { readonly io: boolean; readonly memory: boolean }): void {
    const { config, address, choice } = this.options;
    enableFunction(config, address, {
      io: spaces.io,
      memory: spaces.memory || this.setup !== undefined,
      intx: choice !== "polling",
    });
  }

  /** Forgets what was set up: a reset of the device clears its vectors. */
  reset(): void {
    this.mode = POLLING;
    this.msix?.disable();
  }

  setUp(queues: readonly number[]): InterruptMode {
    this.mode = this.setup?.setUp(queues) ?? this.withoutMessages();
    return this.mode;
  }

  private withoutMessages(): InterruptMode {
    const { config, address, choice } = this.options;
    if (choice === "polling") return POLLING;
    return config.read(address, INTERRUPT_PIN, 1) === 0 ? POLLING : LINE;
  }

  /** Sets the vector of a queue again, which the queue's reset cleared. False: it was refused. */
  restoreQueue(index: number): boolean {
    const vector = this.mode.kind === "msix" ? this.mode.queues.get(index) : undefined;
    return vector === undefined || this.options.registers.queue(index, vector) === vector;
  }

  acknowledge(messages?: number): InterruptCause {
    if (this.mode.kind !== "msix") {
      return interruptCause(this.options.readIsr());
    }
    // With messages the ISR status says nothing of queues, and the driver leaves it alone.
    if (messages === undefined) return interruptCause(ISR.QUEUE | ISR.CONFIG);
    let bits = messages & (1 << this.mode.config) ? ISR.CONFIG : 0;
    for (const vector of this.mode.queues.values()) if (messages & (1 << vector)) bits |= ISR.QUEUE;
    return interruptCause(bits);
  }
}
