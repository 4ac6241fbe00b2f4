/**
 * What a breach of a rule looks like in a test: options for the rig and what the driver does.
 *
 * Invariant: `act` breaks one rule and nothing else; the rule's id is the key that it stands under.
 */
import type { MachineOptions } from "../../../src/device/index.ts";
import { legacyRig } from "./legacy-driver.ts";
import { packedRig } from "./packed-driver.ts";
import { type RawDriver, rig } from "./raw-driver.ts";

export interface Breach {
  readonly options?: Partial<MachineOptions>;
  /** Feature bits that the driver accepts besides the usual ones; it then sets up all queues. */
  readonly accepts?: readonly number[];
  /** Whether queues are packed. */
  readonly packed?: true;
  /** Whether the device is one from before virtio 1.0. */
  readonly legacy?: true;
  /** Whether the driver is brought up by the book first. Default yes. */
  readonly up?: boolean;
  readonly act: (driver: RawDriver) => void;
}

function rigFor({ packed, legacy }: Breach): (options?: Partial<MachineOptions>) => RawDriver {
  if (legacy) return legacyRig;
  return packed ? packedRig : rig;
}

/** A driver as the breach wants it, brought up unless the breach does that itself. */
export function ready(breach: Breach): RawDriver {
  const driver = rigFor(breach)(breach.options);
  if (breach.accepts !== undefined) driver.accepts(breach.accepts);
  return breach.up === false ? driver : driver.bringUp();
}
