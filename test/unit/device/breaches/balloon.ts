/** One breach of each rule of the balloon. Keys are rule ids. */

import { FIRST_FRAME, frames, type RawDriver } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

const SLOW = { kind: "late", ms: 5 } as const;
const FRAME_BYTES = 4096;

/** The guest uses a page. */
const touch = (driver: RawDriver, frame: number): void => {
  driver.view.setUint32(frame * FRAME_BYTES + 100, 42, true);
};

/** Posts, notifies and collects, but does not write `actual`. */
const send = (driver: RawDriver, n: number, pfns: readonly number[], index = 0): void => {
  driver.post(n, pfns, index);
  driver.kick(n);
  driver.machine.run();
  driver.interrupt();
  driver.collect(n);
};

/** The host wants `pages`, and gets them. */
const filled = (driver: RawDriver, pages: number): void => {
  driver.machine.setTarget(pages);
  driver.readTarget();
  driver.interrupt();
  driver.move("inflate", frames(pages));
};

export const balloonBreaches = {
  D1: { ready: "untouched", act: (driver) => driver.bringUp([0]) },
  D4: { act: (driver) => driver.machine.setTarget(1) },
  D7: {
    options: { offer: { deflateOnOom: false }, waive: ["D4"] },
    act: (driver) => {
      filled(driver, 10);
      driver.move("deflate", frames(1));
    },
  },
  D9: {
    act: (driver) => {
      filled(driver, 10);
      driver.machine.setTarget(5);
      driver.writeActual(5);
    },
  },
  D10: {
    act: (driver) => {
      filled(driver, 10);
      driver.machine.setTarget(5);
      touch(driver, FIRST_FRAME + 3);
      driver.move("deflate", frames(5));
    },
  },
  D12: {
    options: { completion: SLOW },
    act: (driver) => {
      driver.post(0, frames(10));
      driver.kick(0);
      touch(driver, FIRST_FRAME + 3);
      driver.machine.run();
      driver.collect(0);
      driver.writeActual(10);
    },
  },
  D13: {
    options: { completion: { inflate: SLOW } },
    act: (driver) => {
      driver.post(0, frames(10));
      driver.kick(0);
      send(driver, 1, frames(1));
      driver.collect(0);
      driver.writeActual(10);
    },
  },
  D14: {
    act: (driver) => {
      driver.machine.setTarget(10);
      send(driver, 0, frames(10));
    },
  },
  D17: { act: (driver) => driver.write(4, 4, 1, 0) },
  D18: { act: (driver) => driver.postStats([4, 5, 6], 1) },
  D19: { act: (driver) => driver.machine.requestStats() },
  D20: {
    act: (driver) => {
      driver.machine.requestStats();
      driver.describe(2, 0, driver.array(2, 0), 12);
      driver.offer(2, 0);
      driver.kick(2);
    },
  },
  "D20-INIT": {
    act: (driver) => {
      driver.machine.requestStats();
      driver.postStats([4, 4, 6]);
    },
  },
  "D20-SAME": {
    act: (driver) => {
      driver.machine.requestStats();
      driver.postStats([4, 5]);
    },
  },
  "Q-LENGTH-4": {
    act: (driver) => {
      driver.describe(0, 0, driver.array(0, 0), 6);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "Q-EMPTY": {
    act: (driver) => {
      driver.describe(0, 0, driver.array(0, 0), 0);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "Q-BUFFER-CAP": { act: (driver) => driver.move("inflate", frames(257)) },
  "Q-ONE-DESCRIPTOR": {
    act: (driver) => {
      driver.view.setUint32(driver.array(0, 0), FIRST_FRAME, true);
      driver.view.setUint32(driver.array(0, 1), FIRST_FRAME + 1, true);
      driver.describe(0, 0, driver.array(0, 0), 4, 1, 1);
      driver.describe(0, 1, driver.array(0, 1), 4);
      driver.offer(0, 0);
      driver.kick(0);
      driver.writeActual(2);
    },
  },
  "Q-WRITABLE": {
    act: (driver) => {
      driver.describe(0, 0, driver.array(0, 0), 4, 2);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "Q-ORDER": { act: (driver) => driver.move("inflate", frames(4).reverse()) },
  "Q-PFN-RANGE": {
    act: (driver) => {
      send(driver, 0, [5000]);
    },
  },
  "Q-PFN-TWICE": {
    options: { completion: SLOW },
    act: (driver) => {
      driver.post(0, frames(2));
      driver.post(0, frames(2, FIRST_FRAME + 1), 1);
      driver.kick(0);
      driver.machine.run();
      driver.collect(0);
      driver.writeActual(3);
    },
  },
  "Q-PFN-HELD": {
    act: (driver) => {
      filled(driver, 4);
      send(driver, 0, frames(1));
    },
  },
  "Q-PFN-NOT-HELD": { act: (driver) => send(driver, 1, frames(1)) },
  "Q-DEVICE-MEMORY": { act: (driver) => driver.move("inflate", [1]) },
  "Q-ACTUAL-EARLY": {
    options: { completion: SLOW },
    act: (driver) => {
      driver.post(0, frames(10));
      driver.kick(0);
      driver.writeActual(10);
      driver.machine.run();
      driver.collect(0);
    },
  },
  "Q-ACTUAL-BURST": { act: (driver) => driver.writeActual(0) },
  "Q-ACTUAL-INIT": {
    ready: "queues",
    options: { offer: { statsVq: false } },
    act: (driver) => {
      driver.set("status", 15);
    },
  },
  "Q-READ-ONLY": { act: (driver) => driver.write(4, 0, 4, 7) },
  "Q-STATS-LATE": {
    act: (driver) => {
      driver.machine.requestStats();
      driver.machine.advance(2000);
      driver.postStats();
    },
  },
  "Q-NOTIFY-STORM": {
    act: (driver) => {
      for (let i = 0; i < 64; i += 1) driver.kick(0);
    },
  },
  "Q-BUSY-POLL": {
    act: (driver) => {
      for (let i = 0; i < 5000; i += 1) driver.get("status");
    },
  },
  "Q-ISR-UNREAD": {
    act: (driver) => {
      driver.machine.onInterrupt = () => {};
      driver.machine.setTarget(0);
    },
  },
} satisfies Record<string, Breach>;
