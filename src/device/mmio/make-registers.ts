/** Puts the registers of the device's slot together. */

import { MachineOptionError } from "../errors.ts";
import { ID, MMIO, MMIO_MAGIC } from "../spec/numbers.ts";
import type { BusParts } from "../virtio/bus.ts";
import { VirtioMmio } from "./virtio-mmio.ts";

/** Makes the registers and connects the device to them. */
export function makeRegisters({ context, profile, virtio }: BusParts, version: number): VirtioMmio {
  const { bytes, queueReset } = profile.mmio;
  const least = MMIO.config + virtio.type.configBytes;
  if (bytes < least) {
    const seen = `slots of ${bytes} bytes`;
    throw new MachineOptionError("mmio", seen, `give each at least ${least}, at a multiple of 4`);
  }
  const identity = { magic: MMIO_MAGIC, version, deviceId: ID.balloon, vendorId: ID.vendor };
  return new VirtioMmio(context, virtio, identity, { hasReset: queueReset });
}
