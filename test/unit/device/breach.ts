/**
 * What a breach of a rule looks like in a test: options for the rig and what the driver does.
 *
 * Invariant: `act` breaks one rule and nothing else; the rule's id is the key that it stands under.
 */
import type { MachineOptions } from "../../../src/device/index.ts";
import type { RawDriver } from "./raw-driver.ts";

export interface Breach {
  readonly options?: Partial<MachineOptions>;
  /** Whether the driver is brought up by the book first. Default yes. */
  readonly up?: boolean;
  readonly act: (driver: RawDriver) => void;
}
