/** The reference machine: a PCI host bridge or MMIO slots with a balloon device on it. */

import { BalloonHost } from "./balloon-host.ts";
import { withOptions } from "./host-options.ts";
import { judgeMachineOptions } from "./known-options.ts";
import { DEFAULT_MESSAGES, type MachineHal, type MachineOptions } from "./machine-options.ts";
import { emptyBus, makeBus } from "./make-bus.ts";
import { InterruptMessages } from "./pci/interrupt-messages.ts";
import type { Parts } from "./snapshot/part.ts";
import { STATUS } from "./spec/numbers.ts";
import type { AbsentMemory, Bus, BusParts } from "./virtio/bus.ts";

/**
 * Makes a machine.
 *
 * @throws MachineOptionError when an option makes no sense.
 * @throws IncomingStreamError when the machine cannot take the guest in `incoming`.
 */
export function createMachine(options: MachineOptions): Machine {
  judgeMachineOptions(options);
  return new Machine(options);
}

/** The reference machine: a guest's hardware, and a host that judges the driver. */
export class Machine extends BalloonHost {
  readonly hal: MachineHal;
  private readonly messages: InterruptMessages;
  private readonly parts: BusParts;
  private bus: Bus;

  constructor(options: MachineOptions) {
    super(options, withOptions(options));
    const { context, profile, virtio, faults, signal } = this;
    this.messages = new InterruptMessages(context, options.messages ?? DEFAULT_MESSAGES);
    this.parts = { context, profile, virtio, messages: this.messages, faults, signal };
    this.bus = makeBus(this.transport, this.parts);
    this.hal = this.makeHal(options.messages !== 0);
    this.complete(options);
  }

  /**
   * Called when the interrupt line goes up or a message comes, from inside the access or `run` that
   * brought it about.
   */
  set onInterrupt(listener: (() => void) | undefined) {
    this.signal.listener = listener;
  }

  /**
   * Whether the interrupt line is up, which reading the ISR status lowers, or a message has come,
   * which `takeMessages` takes.
   */
  override get interruptPending(): boolean {
    return this.virtio.interruptPending || this.messages.waiting > 0;
  }

  /**
   * Takes the messages that came since the last call: each one's number in the order in which
   * `hal.interrupts` handed them out, from 0.
   */
  takeMessages(): readonly number[] {
    return this.messages.take();
  }

  protected get busParts(): Parts {
    return { messages: this.messages, ...this.bus.parts };
  }

  protected joinBus(): void {
    this.bus = makeBus(this.transport, this.parts);
  }

  protected leaveBus(absentMemory: AbsentMemory): void {
    this.bus = emptyBus(this.transport, this.parts, absentMemory);
  }

  private makeHal(takesMessages: boolean): MachineHal {
    const { trace, messages } = this;
    const bus = () => {
      this.access();
      return this.bus;
    };
    return {
      portRead: (port, width) => bus().portRead(port, width),
      portWrite: (port, width, value) => bus().portWrite(port, width, value),
      mmioRead: (address, width) => bus().mmioRead(address, width),
      mmioWrite: (address, width, value) => bus().mmioWrite(address, width, value),
      now: () => this.readClock(),
      log: (level, line) => {
        this.logLines += 1;
        trace.add("log", `${level}: ${line}`);
      },
      ...(takesMessages && {
        interrupts: { allocate: (count: number) => messages.allocate(count) },
      }),
    };
  }
}

/** Whether the driver has given the device up. */
export function hasFailed(machine: Pick<BalloonHost, "status">): boolean {
  return (machine.status & STATUS.failed) !== 0;
}
