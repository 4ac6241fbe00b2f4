/** The options of a reference machine, and its hardware as a driver reaches it. */

import type { HostOptions } from "./host-options.ts";
import type { InterruptMessage } from "./virtio/bus.ts";

/** Width of one access, in bytes. */
export type AccessWidth = 1 | 2 | 4;

/** The hardware as a driver reaches it. Addresses are physical; all values are unsigned. */
export interface MachineHal {
  /** Returns all ones where no device answers. */
  portRead(port: number, width: AccessWidth): number;
  portWrite(port: number, width: AccessWidth, value: number): void;
  /** Returns all ones where no device answers, or zeros after the fault `gone-zeros`. */
  mmioRead(address: number, width: AccessWidth): number;
  mmioWrite(address: number, width: AccessWidth, value: number): void;
  /** Returns virtual milliseconds since the machine was made. A call costs `accessMs`. */
  now(): number;
  /** Adds a line to the trace. */
  log(level: "debug" | "info" | "warn" | "error", line: string): void;
  /** Absent where the machine takes no message-signalled interrupts. */
  readonly interrupts?: {
    /** Returns `count` new messages, all different; `undefined` when fewer are left. */
    allocate(count: number): readonly InterruptMessage[] | undefined;
  };
}

/** The options of `createMachine`. */
export interface MachineOptions extends HostOptions {
  /** Interrupt messages that the machine has to hand out. Default 32; with 0 it takes none. */
  readonly messages?: number;
}

/** A balloon asks for at most six. */
export const DEFAULT_MESSAGES = 32;
