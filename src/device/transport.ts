/**
 * The ways from a driver to the device: the one place where a machine chooses among them.
 *
 * It must not know what any of them does. Invariant: whatever stands around the device, a driver
 * reaches all of it by port and memory accesses alone.
 */

import type { Context } from "./context.ts";
import type { Messages } from "./messages.ts";
import { neighbours } from "./neighbours.ts";
import { type AbsentMemory, PciBus } from "./pci-bus.ts";
import type { PciInterfaces } from "./pci-look.ts";
import type { Profile } from "./profile.ts";
import type { VirtioDevice } from "./virtio.ts";
import { makeFunction } from "./virtio-pci.ts";

/**
 * - `modern`: virtio over PCI as it is since virtio 1.0.
 * - `legacy`: as it was before (virtio 1.3, 4.1.4.10).
 * - `transitional`: both in one function, of which a driver uses one.
 */
export type TransportKind = PciInterfaces;

/** Ports and memory, as a processor sees them. Nobody answers: all ones. */
export interface Bus {
  portRead(port: number, width: number): number;
  portWrite(port: number, width: number, value: number): void;
  mmioRead(address: number, width: number): number;
  mmioWrite(address: number, width: number, value: number): void;
}

export interface BusParts {
  readonly context: Context;
  readonly profile: Profile;
  readonly virtio: VirtioDevice;
  /** Where messages of MSI-X go. */
  readonly messages: Messages;
}

/** All that a driver can reach, with the device on it. */
export function makeBus(kind: TransportKind, parts: BusParts): Bus {
  switch (kind) {
    case "modern":
    case "legacy":
    case "transitional":
      return pci(parts);
  }
}

/** The same without the device. */
export function emptyBus({ context, profile }: BusParts, absentMemory: AbsentMemory): Bus {
  const bus = new PciBus(context, absentMemory);
  bus.functions.push(...neighbours(profile.pci));
  return bus;
}

function pci(parts: BusParts): Bus {
  const bus = new PciBus(parts.context, "ones");
  bus.functions.push(...neighbours(parts.profile.pci), makeFunction(parts));
  return bus;
}
