/**
 * What a breach of a rule looks like in a test: options for the rig and what the driver does.
 *
 * `act` breaks one rule and nothing else; the rule's id is the key that it stands under.
 */
import type { MachineOptions } from "../../../../src/device/index.ts";
import { legacyRig } from "../drivers/legacy-driver.ts";
import { mmioRig } from "../drivers/mmio-driver.ts";
import { packedRig } from "../drivers/packed-driver.ts";
import { type RawDriver, rig } from "../drivers/raw-driver.ts";

export interface Breach {
  readonly options?: Partial<MachineOptions>;
  /** Feature bits that the driver accepts besides the usual ones; it then sets up all queues. */
  readonly accepts?: readonly number[];
  /** Whether queues are packed. */
  readonly packed?: true;
  /** Whether the device is one from before virtio 1.0. */
  readonly legacy?: true;
  /** Whether the driver reaches the device over MMIO, and by which version of the registers. */
  readonly mmio?: 1 | 2;
  /** Whether the driver is brought up by the book first. Default yes. */
  readonly up?: boolean;
  readonly act: (driver: RawDriver) => void;
}

function fresh({ packed, legacy, mmio, options }: Breach): RawDriver {
  if (mmio !== undefined) return mmioRig(mmio, options);
  if (legacy) return legacyRig(options);
  return packed ? packedRig(options) : rig(options);
}

/** A driver as the breach wants it, brought up unless the breach does that itself. */
export function ready(breach: Breach): RawDriver {
  const driver = fresh(breach);
  if (breach.accepts !== undefined) driver.accepts(breach.accepts);
  return breach.up === false ? driver : driver.bringUp();
}
