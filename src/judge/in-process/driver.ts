/** What a driver is, for a platform that runs it in this process. */
import type { MachineHal } from "../../device/index.ts";

/** A driver that is JavaScript, or is called from it. It does nothing unless it is called. */
export interface Driver {
  /**
   * Does what is due. Returns the milliseconds of the device's clock after which it wants to be
   * called again; undefined when it waits for an interrupt alone.
   */
  step(): number | undefined;
  /**
   * The device's interrupt. `messages` has bit n set for message n, in the order in which
   * `hal.interrupts` handed them out; it is 0 for the line. `step` follows.
   */
  interrupt?(messages: number): void;
  /** Uses this many more pages. Returns how many it got. */
  usePages?(pages: number): number;
  /** Verifies and frees all used pages. Returns how many had changed. */
  dropPages?(): number;
  /** Lets the device go, and takes it again. */
  unbind?(): void;
  bind?(): void;
}

/** Where a driver runs. */
export interface DriverSite {
  /** The hardware. */
  readonly hal: MachineHal;
  /** The guest's memory; byte 0 is physical address 0. */
  readonly memory: WebAssembly.Memory;
}

/** Starts a driver: it has its time to come up here, or in its first `step`. */
export type StartDriver = (site: DriverSite) => Driver | Promise<Driver>;
