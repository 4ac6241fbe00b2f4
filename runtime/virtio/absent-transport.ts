/**
 * The transport of a driver without a device: reads return ones, and writes are lost. It accesses
 * nothing, so it cannot disturb what took the place of a device that was removed.
 */
import { STATUS_GONE } from "./constants.ts";
import { POLLING } from "./interrupts.ts";
import { goneError, SEPARATE_AREAS, type Transport } from "./transport.ts";

const ALL_ONES = 0xffff_ffff;
const NO_CAUSE = { queue: false, config: false };
const lose = () => {};

export const ABSENT_TRANSPORT: Transport = {
  name: "none",
  isLegacy: false,
  ringLayout: SEPARATE_AREAS,
  fixedQueueSize: false,
  featureWords: 0,
  requiredFeatures: 0n,
  unusableFeatures: 0n,
  deviceFeatures: () => ALL_ONES,
  writeDriverFeatures: lose,
  status: () => STATUS_GONE,
  addStatus: () => {
    throw goneError(ABSENT_TRANSPORT);
  },
  reset: lose,
  configLength: 0,
  readConfig: () => ALL_ONES,
  writeConfig: lose,
  numQueues: () => 0,
  queueMaxSize: () => 0,
  setUpInterrupts: () => POLLING,
  expectedInterrupts: "polling",
  interruptMode: POLLING,
  setUpQueue: lose,
  notify: lose,
  resetQueue: lose,
  isQueueReset: () => false,
  acknowledgeInterrupt: () => NO_CAUSE,
  tearDown: lose,
};
