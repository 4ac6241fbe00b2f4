/**
 * The ways from a driver to the device: the one place where a machine chooses among them.
 *
 * It must not know what any of them does. Invariant: whatever stands around the device, a driver
 * reaches all of it by port and memory accesses alone.
 */

import type { Profile } from "./host/profile.ts";
import type { Context } from "./judge/context.ts";
import { MachineOptionError } from "./machine-options.ts";
import { isMmio, MmioBus, type MmioKind, mmioNeighbours } from "./mmio/mmio-bus.ts";
import { MmioSlot } from "./mmio/mmio-slot.ts";
import { VirtioMmio } from "./mmio/virtio-mmio.ts";
import { neighbours } from "./pci/decoy-functions.ts";
import type { Messages } from "./pci/interrupt-messages.ts";
import { type AbsentMemory, PciBus } from "./pci/pci-bus.ts";
import type { PciInterfaces } from "./pci/pci-layout.ts";
import { makeFunction } from "./pci/virtio-pci.ts";
import { ID, MMIO, MMIO_MAGIC, MMIO_VERSION } from "./spec/numbers.ts";
import type { VirtioDevice } from "./virtio/virtio-device.ts";

/**
 * - `modern`: virtio over PCI as it is since virtio 1.0.
 * - `legacy`: as it was before (virtio 1.3, 4.1.4.10).
 * - `transitional`: both in one function, of which a driver uses one.
 * - `mmio`, `legacy-mmio`: memory-mapped registers in version 2 and version 1, and no PCI at all.
 */
export type TransportKind = PciInterfaces | MmioKind;

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
    case "mmio":
      return mmio(parts, MMIO_VERSION.modern);
    case "legacy-mmio":
      return mmio(parts, MMIO_VERSION.legacy);
  }
}

/** The same without the device. */
export function emptyBus(kind: TransportKind, parts: BusParts, absentMemory: AbsentMemory): Bus {
  if (isMmio(kind)) return mmioSlots(parts, absentMemory);
  const { context, profile } = parts;
  const bus = new PciBus(context, absentMemory);
  bus.functions.push(...neighbours(profile.pci));
  return bus;
}

function pci(parts: BusParts): Bus {
  const bus = new PciBus(parts.context, "ones");
  bus.functions.push(...neighbours(parts.profile.pci), makeFunction(parts));
  for (const one of bus.functions) {
    const { moving } = parts.context;
    moving.add("pciFunction", one, `${one.bus}:${one.device}.${one.number}`);
  }
  return bus;
}

function mmioSlots({ context, profile }: BusParts, absentMemory: AbsentMemory): MmioBus {
  const bus = new MmioBus(context, profile.mmio.bytes, absentMemory);
  if (profile.mmio.decoys) bus.slots.push(...mmioNeighbours(context, profile.mmio));
  return bus;
}

function mmio(parts: BusParts, version: number): Bus {
  const { context, profile, virtio } = parts;
  const { base, bytes, queueReset } = profile.mmio;
  const least = MMIO.config + (virtio.type?.configBytes ?? 0);
  const identity = { magic: MMIO_MAGIC, version, deviceId: ID.balloon, vendorId: ID.vendor };
  const device = new VirtioMmio(context, virtio, identity, { hasReset: queueReset });
  const bus = mmioSlots(parts, "ones");
  bus.slots.push(new MmioSlot(context, base, device));
  const first = Math.min(...bus.slots.map((slot) => slot.base));
  if (base % 4 === 0 && bytes >= least && first >= context.memory.bytes) return bus;
  throw new MachineOptionError(
    `mmio: slots of ${bytes} bytes from 0x${first.toString(16)} on; ` +
      `give each ${least} bytes, above the guest's memory, on a multiple of 4`,
  );
}
