/**
 * The ways from a driver to the device: the one place where a machine chooses among them.
 *
 * It must not know what any of them does. Invariant: whatever stands around the device, a driver
 * reaches all of it by port and memory accesses alone.
 */

import type { Context } from "./context.ts";
import { neighbours } from "./neighbours.ts";
import { PciBus } from "./pci-bus.ts";
import type { Profile } from "./profile.ts";
import type { VirtioDevice } from "./virtio.ts";
import { VirtioPci } from "./virtio-pci.ts";

/** - `modern`: virtio over PCI as it is since virtio 1.0. */
export type TransportKind = "modern";

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
}

/** All that a driver can reach, with the device on it. */
export function makeBus(kind: TransportKind, parts: BusParts): Bus {
  switch (kind) {
    case "modern":
      return pci(parts);
  }
}

function pci({ context, profile, virtio }: BusParts): Bus {
  const bus = new PciBus(context);
  bus.functions.push(...neighbours(profile.pci));
  bus.functions.push(new VirtioPci(context, profile, virtio).pciFunction);
  return bus;
}
