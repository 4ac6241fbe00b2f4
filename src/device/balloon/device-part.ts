/** A part of the balloon device, and the events that it is told of. */

import type { Chains } from "../queue/ring.ts";
import type { Plain } from "../snapshot/part.ts";

/** What a part may ask when it judges a driver at rest. */
export interface DriverAtRest {
  /** The guest has no more pages to give. */
  readonly memoryShort: boolean;
  /** Whether the driver has accepted a feature, by its bit. */
  uses(feature: number): boolean;
}

/** State and rules of one subject. Each method is one event; a part has those it needs. */
export interface DevicePart {
  /** Features are settled. */
  negotiated?(features: bigint): void;
  /** The driver has set DRIVER_OK. */
  started?(): void;
  reset?(): void;
  /** Judges everything that the driver has to leave alone. */
  audit?(): void;
  /** Judges what only shows when the driver is up and at rest, right after an audit. */
  check?(driver: DriverAtRest): void;
  save(): Plain;
  /** `chains` are those that the queues have loaded, for the ids in `state`. */
  load(state: Plain, chains: Chains): void;
}
