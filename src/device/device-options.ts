/** The options of a device alone. */

import type { HostOptions } from "./host-options.ts";

/**
 * Where a device's interrupts go. Each is called from inside the access, or the call of the host's
 * side, that brings the interrupt about.
 */
export interface DeviceInterrupts {
  /** The level of the interrupt line changed. */
  onLine?(up: boolean): void;
  /**
   * The device writes the message that the guest put into the MSI-X table. Without it, and without
   * `onVector`, messages are lost.
   */
  onMessage?(address: number, data: number): void;
  /**
   * The event of this MSI-X vector happened. For an emulator that keeps the MSI-X table itself, as
   * QEMU does: the device's own table is not looked at then.
   */
  onVector?(vector: number): void;
}

/** The options of `createDevice`. */
export interface DeviceOptions extends HostOptions {
  readonly interrupts?: DeviceInterrupts;
  /** Called after the guest moved a BAR, or switched its decoding on or off. */
  readonly onMapping?: () => void;
}
