/**
 * The transport where there is no device: all that is read is ones, and what is written is lost.
 *
 * It must not know why there is none. Invariant: it touches nothing, so a driver that holds it
 * cannot disturb whatever took the place of a device that was removed.
 */
import { STATUS_GONE } from "./constants.ts";
import { POLLING } from "./interrupts.ts";
import { goneError, SEPARATE_AREAS, type Transport } from "./transport.ts";

const ALL_ONES = 0xffff_ffff;
const NO_CAUSE = { queue: false, config: false };
const lost = () => {};

export const ABSENT: Transport = {
  name: "none",
  isLegacy: false,
  ringLayout: SEPARATE_AREAS,
  fixedQueueSize: false,
  featureWords: 0,
  requiredFeatures: 0n,
  unusableFeatures: 0n,
  deviceFeatures: () => ALL_ONES,
  writeDriverFeatures: lost,
  status: () => STATUS_GONE,
  addStatus: () => {
    throw goneError(ABSENT);
  },
  reset: lost,
  configLength: 0,
  readConfig: () => ALL_ONES,
  writeConfig: lost,
  numQueues: () => 0,
  queueMaxSize: () => 0,
  setUpInterrupts: () => POLLING,
  expectedInterrupts: "polling",
  interruptMode: POLLING,
  setUpQueue: lost,
  notify: lost,
  resetQueue: lost,
  isQueueReset: () => false,
  acknowledgeInterrupt: () => NO_CAUSE,
  tearDown: lost,
};
