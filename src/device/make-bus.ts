/** The one place where a machine chooses among the buses. */

import { MachineOptionError } from "./errors.ts";
import { makeRegisters } from "./mmio/make-registers.ts";
import { decoySlots, MmioBus } from "./mmio/mmio-bus.ts";
import { MmioSlot } from "./mmio/mmio-slot.ts";
import { decoyFunctions } from "./pci/decoy-functions.ts";
import { PciBus } from "./pci/pci-bus.ts";
import { makeFunction } from "./pci/virtio-pci.ts";
import { MMIO_VERSION } from "./spec/numbers.ts";
import {
  type AbsentMemory,
  type Bus,
  type BusParts,
  isMmio,
  type TransportKind,
} from "./virtio/bus.ts";

/** Returns the bus of this kind, with the device on it. */
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

/** Returns the bus of this kind, with everything on it but the device. */
export function emptyBus(kind: TransportKind, parts: BusParts, absentMemory: AbsentMemory): Bus {
  if (isMmio(kind)) {
    const { bytes } = parts.profile.mmio;
    return new MmioBus(parts.context, bytes, absentMemory, mmioDecoys(parts));
  }
  return new PciBus(parts.context, absentMemory, decoyFunctions(parts.profile.pci));
}

function pci(parts: BusParts): Bus {
  const others = decoyFunctions(parts.profile.pci);
  const { made, parts: own } = makeFunction(parts);
  return new PciBus(parts.context, "ones", [...others, made], own);
}

function mmioDecoys({ context, profile }: BusParts): readonly MmioSlot[] {
  return profile.mmio.decoys ? decoySlots(context, profile.mmio) : [];
}

function mmio(parts: BusParts, version: number): Bus {
  const { context, profile } = parts;
  const { base, bytes } = profile.mmio;
  const device = makeRegisters(parts, version);
  const slots = [...mmioDecoys(parts), new MmioSlot(context, base, device)];
  const first = Math.min(...slots.map((slot) => slot.base));
  if (base % 4 === 0 && first >= context.memory.bytes) {
    return new MmioBus(context, bytes, "ones", slots, { mmio: device });
  }
  throw new MachineOptionError(
    "mmio",
    `slots of ${bytes} bytes from 0x${first.toString(16)} on`,
    "place them above the guest's memory, on a multiple of 4",
  );
}
