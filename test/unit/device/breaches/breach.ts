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

/**
 * How far a driver has come: nothing done; registers found; device reset; ACKNOWLEDGE and DRIVER set;
 * features agreed on; queues set up; at work.
 */
type Stage = "untouched" | "discovered" | "reset" | "driver" | "negotiated" | "queues" | "running";

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
  /** How far the driver comes by the book before `act`. Default running. */
  readonly ready?: Stage;
  readonly act: (driver: RawDriver) => void;
}

function fresh({ packed, legacy, mmio, options }: Breach): RawDriver {
  if (mmio !== undefined) return mmioRig(mmio, options);
  if (legacy) return legacyRig(options);
  return packed ? packedRig(options) : rig(options);
}

function bringTo(driver: RawDriver, stage: Stage): void {
  if (stage === "untouched") return;
  driver.discover();
  if (stage === "discovered") return;
  driver.reset();
  if (stage === "reset") return;
  if (stage === "driver") {
    driver.set("status", 1);
    driver.set("status", 3);
    return;
  }
  driver.negotiate();
  if (stage === "queues") driver.setUpQueues();
}

/** Returns a driver as far as the breach wants it. */
export function ready(breach: Breach): RawDriver {
  const driver = fresh(breach);
  const { accepts, ready: stage = "running" } = breach;
  if (accepts !== undefined) driver.accepts(accepts);
  if (stage === "running") return driver.bringUp();
  bringTo(driver, stage);
  return driver;
}
