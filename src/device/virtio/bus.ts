/** The kinds of transport, and what every bus is and is made of. */

import type { Profile } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { FaultInjector } from "../sim/faults.ts";
import type { Parts } from "../snapshot/part.ts";
import type { DriverSignal } from "./driver-signal.ts";
import type { VirtioDevice } from "./virtio-device.ts";

/** Which interfaces a PCI function has. */
export type PciInterfaces = "modern" | "legacy" | "transitional";

/** Which version the registers of an MMIO device have. */
export type MmioKind = "mmio" | "legacy-mmio";

/**
 * How a driver reaches the device.
 *
 * - `modern`: virtio over PCI as it is since virtio 1.0.
 * - `legacy`: as it was before (virtio 1.3, 4.1.4.10).
 * - `transitional`: both in one function, of which a driver uses one.
 * - `mmio`, `legacy-mmio`: memory-mapped registers in version 2 and version 1, and no PCI at all.
 */
export type TransportKind = PciInterfaces | MmioKind;

/** Every kind of transport. */
export const TRANSPORTS: readonly TransportKind[] = [
  "modern",
  "legacy",
  "transitional",
  "mmio",
  "legacy-mmio",
];

export function isMmio(kind: TransportKind): kind is MmioKind {
  return kind === "mmio" || kind === "legacy-mmio";
}

/** What memory without a device reads as. Hosts differ; ports read as all ones everywhere. */
export type AbsentMemory = "ones" | "zeros";

/** Ports and memory, as a processor sees them. Where nobody answers, a read gives all ones. */
export interface Bus {
  /** Everything on the bus that has state. */
  readonly parts: Parts;
  portRead(port: number, width: number): number;
  portWrite(port: number, width: number, value: number): void;
  mmioRead(address: number, width: number): number;
  mmioWrite(address: number, width: number, value: number): void;
}

/** A device writes `data` to `address` (PCI 3.0, 6.8.2). */
export interface InterruptMessage {
  readonly address: number;
  readonly data: number;
}

/** What a bus is made for. */
export interface BusParts {
  readonly context: Context;
  readonly profile: Profile;
  readonly virtio: VirtioDevice;
  readonly faults: FaultInjector;
  /** Tells the driver of a message that was delivered. */
  readonly signal: DriverSignal;
  /** Where messages of MSI-X go. */
  readonly messages: {
    /** A device writes this. Returns whether it is an interrupt. */
    deliver(message: InterruptMessage): boolean;
    /** Where the table of messages is elsewhere: the event of this vector happened. */
    vector?(vector: number): void;
  };
}
