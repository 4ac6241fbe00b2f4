/** One breach of each rule of the split ring. Keys are rule ids. */

import { frames, type RawDriver } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

const SLOW = { completion: { kind: "late", ms: 5 }, offer: { eventIdx: false } } as const;

/** A table of `count` direct descriptors at 0x30000, each of 4 bytes, chained. */
const table = (driver: RawDriver, count: number, flags: number): void => {
  for (let i = 0; i < count; i += 1) {
    const at = 0x30000 + i * 16;
    driver.view.setBigUint64(at, BigInt(driver.array(0, i)), true);
    driver.view.setUint32(at + 8, 4, true);
    driver.view.setUint16(at + 12, flags | (i + 1 < count ? 1 : 0), true);
    driver.view.setUint16(at + 14, i + 1, true);
    driver.view.setUint32(driver.array(0, i), 256 + i, true);
  }
};

export const ringBreaches = {
  "R-ALIGN": {
    ready: "negotiated",
    act: (driver) => {
      driver.setUpQueue(0, false);
      driver.set("device", 0x6002);
      driver.set("queueEnable", 1);
    },
  },
  "R-MEMORY": {
    ready: "negotiated",
    act: (driver) => {
      driver.setUpQueue(0, false);
      driver.set("desc", 0x400000 - 16);
      driver.set("queueEnable", 1);
    },
  },
  "R-APART": {
    ready: "negotiated",
    act: (driver) => {
      driver.setUpQueue(0, false);
      driver.set("queueEnable", 1);
      driver.setUpQueue(1, false);
      driver.set("device", driver.ring(0).driver + 4);
      driver.set("queueEnable", 1);
    },
  },
  "R-USED-ZERO": {
    ready: "negotiated",
    act: (driver) => {
      driver.setUpQueue(0, false);
      driver.view.setUint16(0x6000, 1, true);
      driver.set("queueEnable", 1);
    },
  },
  "R-USED-WRITTEN": { act: (driver) => driver.view.setUint16(0x6002, 1, true) },
  "R-AVAIL-BACK": {
    act: (driver) => {
      driver.move("inflate", frames(1));
      driver.view.setUint16(0x5002, 0, true);
      driver.kick(0);
    },
  },
  "R-AVAIL-JUMP": {
    act: (driver) => {
      driver.view.setUint16(0x5002, 129, true);
      driver.kick(0);
    },
  },
  "R-AVAIL-FLAGS": { act: (driver) => driver.view.setUint16(0x5000, 1, true) },
  "R-HEAD-RANGE": {
    act: (driver) => {
      driver.offer(0, 128);
      driver.kick(0);
    },
  },
  "R-HEAD-BUSY": {
    options: SLOW,
    act: (driver) => {
      driver.post(0, frames(1));
      driver.kick(0);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-NEXT-RANGE": {
    act: (driver) => {
      driver.describe(0, 0, driver.array(0, 0), 4, 1, 128);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-CHAIN-LENGTH": {
    act: (driver) => {
      driver.describe(0, 0, driver.array(0, 0), 4, 1, 1);
      driver.describe(0, 1, driver.array(0, 0), 4, 1, 0);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-CHAIN-BYTES": {
    act: (driver) => {
      driver.describe(0, 0, 0, 0xffffffff, 1, 1);
      driver.describe(0, 1, 0, 0xffffffff);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-WRITE-ORDER": {
    options: { waive: ["Q-WRITABLE", "Q-ONE-DESCRIPTOR", "D4", "D14"] },
    act: (driver) => {
      driver.view.setUint32(driver.array(0, 1), 256, true);
      driver.describe(0, 0, driver.array(0, 0), 4, 3, 1);
      driver.describe(0, 1, driver.array(0, 1), 4);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-DESC-FLAGS": {
    options: { waive: ["D14"] },
    act: (driver) => {
      driver.view.setUint32(driver.array(0, 0), 256, true);
      driver.describe(0, 0, driver.array(0, 0), 4, 8);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-INDIRECT": {
    options: { offer: { indirect: false } },
    act: (driver) => {
      table(driver, 1, 0);
      driver.describe(0, 0, 0x30000, 16, 4);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-INDIRECT-NESTED": {
    act: (driver) => {
      table(driver, 1, 4);
      driver.describe(0, 0, 0x30000, 16, 4);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-INDIRECT-NEXT": {
    act: (driver) => {
      table(driver, 1, 0);
      driver.describe(0, 0, 0x30000, 16, 5, 1);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-INDIRECT-SIZE": {
    act: (driver) => {
      table(driver, 1, 0);
      driver.describe(0, 0, 0x30000, 24, 4);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-BUFFER-MEMORY": {
    act: (driver) => {
      driver.describe(0, 0, 0x400000 - 4, 8);
      driver.offer(0, 0);
      driver.kick(0);
    },
  },
  "R-DESC-CHANGED": {
    options: SLOW,
    act: (driver) => {
      driver.post(0, frames(1));
      driver.kick(0);
      driver.describe(0, 0, driver.array(0, 0), 8);
    },
  },
  "R-BUFFER-CHANGED": {
    options: { ...SLOW, waive: ["D14"] },
    act: (driver) => {
      driver.post(0, frames(1));
      driver.kick(0);
      driver.view.setUint32(driver.array(0, 0), 300, true);
      driver.machine.run();
    },
  },
  "R-KICK-MISSING": {
    act: (driver) => {
      driver.post(0, frames(1));
      driver.machine.advance(1);
    },
  },
  "R-KICK-SUPPRESSED": {
    options: { ...SLOW, quietWhileBusy: true },
    act: (driver) => {
      driver.post(0, frames(1));
      driver.kick(0);
      driver.post(0, frames(1, 300), 1);
      driver.kick(0);
    },
  },
  "R-IN-ORDER-NEXT": {
    options: { offer: { inOrder: true }, waive: ["Q-ONE-DESCRIPTOR"] },
    accepts: [35],
    act: (driver) => {
      for (const i of [0, 2]) driver.view.setUint32(driver.array(0, i), 256 + i, true);
      driver.describe(0, 0, driver.array(0, 0), 4, 1, 2);
      driver.describe(0, 2, driver.array(0, 2), 4);
      driver.offer(0, 0);
      driver.kick(0);
      driver.writeActual(2);
    },
  },
  "R-IN-ORDER-HEAD": {
    options: { offer: { inOrder: true } },
    accepts: [35],
    act: (driver) => {
      driver.post(0, frames(1), 1);
      driver.kick(0);
      driver.writeActual(1);
    },
  },
} satisfies Record<string, Breach>;
