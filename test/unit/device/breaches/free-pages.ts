/** One breach of each rule of hinting, poison and reporting. Keys are rule ids. */

import { FIRST_FRAME, frames, POISON, type RawDriver } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

const HINT = 3;
const REPORT = 4;
const FRAME_BYTES = 4096;
const SLOW = { kind: "late", ms: 5 } as const;

const hints = { options: { offer: { freePageHint: true } }, accepts: [3] } as const;
const reports = { options: { offer: { pageReporting: true } }, accepts: [5] } as const;
const slowReports = {
  options: { offer: { pageReporting: true }, completion: { reporting: SLOW } },
  accepts: [5],
} as const;
const poison = { options: { offer: { pagePoison: true } }, accepts: [4] } as const;

const touch = (driver: RawDriver, frame: number): void => {
  driver.view.setUint32(frame * FRAME_BYTES + 100, 42, true);
};

/** A run is started and the driver knows its id. */
const started = (driver: RawDriver): number => {
  const id = driver.machine.startHinting() as number;
  driver.interrupt();
  driver.readHintId();
  return id;
};

/** Ten pages go in and come back. */
const thereAndBack = (driver: RawDriver): void => {
  driver.machine.setTarget(10);
  driver.readTarget();
  driver.interrupt();
  driver.move("inflate", frames(10));
  driver.machine.setTarget(0);
  driver.readTarget();
  driver.interrupt();
  driver.move("deflate", frames(10));
};

const fill = (driver: RawDriver, first: number, count: number, word: number): void => {
  const words = new Uint32Array(driver.memory.buffer, first * FRAME_BYTES, count * 1024);
  words.fill(word);
};

export const freePageBreaches = {
  D2: { ...poison, act: thereAndBack },
  "D21-SIZE": {
    ...hints,
    act: (driver) => {
      driver.describe(HINT, 0, driver.array(HINT, 0), 8);
      driver.offer(HINT, 0);
      driver.kick(HINT);
    },
  },
  "D21-ID": {
    ...hints,
    act: (driver) => {
      const id = started(driver);
      driver.command(HINT, id);
      driver.command(HINT, id + 7);
      driver.command(HINT, 0);
    },
  },
  "D21-START": {
    ...hints,
    act: (driver) => {
      const id = started(driver);
      driver.lend(HINT, [[FIRST_FRAME, 4]]);
      driver.command(HINT, id);
      driver.command(HINT, 0);
    },
  },
  "D21-ONCE": {
    ...hints,
    act: (driver) => {
      const id = started(driver);
      driver.command(HINT, id);
      driver.command(HINT, id);
      driver.command(HINT, 0);
    },
  },
  "D21-STOP": { ...hints, act: (driver) => driver.command(HINT, started(driver)) },
  D22: {
    ...hints,
    act: (driver) => {
      started(driver);
    },
  },
  "D22-STOP": {
    ...hints,
    act: (driver) => {
      driver.command(HINT, started(driver));
      driver.machine.stopHinting();
      driver.readHintId();
      driver.lend(HINT, [[FIRST_FRAME, 4]]);
    },
  },
  D24: {
    ...hints,
    act: (driver) => {
      driver.command(HINT, started(driver));
      driver.lend(HINT, [[FIRST_FRAME, 4]]);
      driver.command(HINT, 0);
      touch(driver, FIRST_FRAME + 2);
      driver.machine.finishHinting();
    },
  },
  D25: {
    ...poison,
    act: (driver) => {
      thereAndBack(driver);
      fill(driver, FIRST_FRAME, 9, POISON);
      touch(driver, FIRST_FRAME + 9);
    },
  },
  "D25-SET": {
    ...poison,
    ready: "queues",
    act: (driver) => {
      driver.set("status", 15);
      driver.writeActual(0);
      driver.postStats();
    },
  },
  "D25-KEEP": { ...poison, act: (driver) => driver.write(4, 12, 4, 0) },
  D26: {
    options: { offer: { pageReporting: true, pagePoison: true } },
    accepts: [4, 5],
    act: (driver) => {
      fill(driver, FIRST_FRAME, 4, POISON);
      touch(driver, FIRST_FRAME + 3);
      driver.lend(REPORT, [[FIRST_FRAME, 4]]);
    },
  },
  D27: {
    ...slowReports,
    act: (driver) => {
      driver.lend(REPORT, [[FIRST_FRAME, 4]]);
      touch(driver, FIRST_FRAME + 3);
      driver.machine.run();
    },
  },
  D28: {
    ...reports,
    act: (driver) => {
      driver.lend(REPORT, [
        [FIRST_FRAME + 4, 4],
        [FIRST_FRAME, 4],
      ]);
    },
  },
  "Q-RANGE-ALIGN": { ...reports, act: (driver) => driver.lend(REPORT, [[FIRST_FRAME, 0.5]]) },
  "Q-RANGE-MEMORY": {
    options: { offer: { pageReporting: true }, frames: 512 },
    accepts: [5],
    act: (driver) => driver.lend(REPORT, [[510, 4]]),
  },
  "Q-RANGE-HELD": {
    ...reports,
    act: (driver) => {
      driver.machine.setTarget(1);
      driver.readTarget();
      driver.interrupt();
      driver.move("inflate", frames(1));
      driver.lend(REPORT, [[FIRST_FRAME - 1, 2]]);
    },
  },
  "Q-RANGE-TWICE": {
    ...slowReports,
    act: (driver) => {
      driver.lend(REPORT, [[FIRST_FRAME, 4]]);
      driver.lend(REPORT, [[FIRST_FRAME + 3, 4]], 1);
    },
  },
  "Q-REPORT-WRITABLE": {
    ...reports,
    act: (driver) => {
      driver.describe(REPORT, 0, FIRST_FRAME * FRAME_BYTES, FRAME_BYTES);
      driver.offer(REPORT, 0);
      driver.kick(REPORT);
    },
  },
} satisfies Record<string, Breach>;
