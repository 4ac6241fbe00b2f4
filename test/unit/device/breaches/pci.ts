/** One breach of each rule of virtio over PCI. Keys are rule ids. */

import type { RawDriver } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

/** Finds the capability of a type; `nth` counts from 0. */
const capOf = (driver: RawDriver, type: number): number => {
  for (let at = driver.configRead(0x34, 1); at !== 0; at = driver.configRead(at + 1, 1)) {
    if (driver.configRead(at + 3, 1) === type) return at;
  }
  throw new Error(`no capability of type ${type}`);
};

/** Uses the configuration access window, well or badly. */
const throughWindow = (driver: RawDriver, bar: number, offset: number, length: number): number => {
  const at = capOf(driver, 5);
  driver.configWrite(at + 4, 1, bar);
  driver.configWrite(at + 8, 4, offset);
  driver.configWrite(at + 12, 4, length);
  return driver.configRead(at + 16, 4);
};

export const pciBreaches = {
  "P-WIDTH": { act: (driver) => driver.read(1, 20, 4) },
  "P-READ-ONLY": { act: (driver) => driver.set("numQueues", 3) },
  "P-PENDING-WRITE": { act: (driver) => driver.write(3, 0, 1, 1) },
  "P-QUEUE-SIZE": {
    ready: "negotiated",
    act: (driver) => {
      driver.set("queueSelect", 0);
      driver.set("queueSize", 12);
    },
  },
  "P-QUEUE-LARGER": {
    ready: "negotiated",
    act: (driver) => {
      driver.set("queueSelect", 0);
      driver.set("queueSize", 256);
    },
  },
  "P-QUEUE-ABSENT": {
    ready: "negotiated",
    act: (driver) => {
      driver.set("queueSelect", 3);
      driver.set("queueSize", 2);
    },
  },
  "P-ENABLE-ZERO": { act: (driver) => driver.set("queueEnable", 0) },
  "P-ENABLE-VALUE": {
    ready: "negotiated",
    act: (driver) => {
      driver.setUpQueue(0, false);
      driver.set("queueEnable", 2);
    },
  },
  "P-ENABLE-ORDER": {
    act: (driver) => {
      driver.set("queueSelect", 0);
      driver.set("desc", 0x40000);
    },
  },
  "P-CAP-WRITE": { act: (driver) => driver.configWrite(capOf(driver, 3) + 8, 4, 0) },
  "P-RESERVED-CAP": {
    act: (driver) => driver.machine.hal.mmioRead(0xfebd0800, 4),
  },
  "P-CAP-FIRST": { act: (driver) => driver.machine.hal.mmioRead(0xfebd0a00, 2) },
  "P-PCI-CFG-ALIGN": { act: (driver) => throughWindow(driver, 4, 2, 4) },
  "P-PCI-CFG-RANGE": { act: (driver) => throughWindow(driver, 2, 0, 4) },
  "P-NOTIFY-WIDTH": { act: (driver) => driver.write(2, 0, 4, 0) },
  "P-NOTIFY-VALUE": { act: (driver) => driver.write(2, 0, 2, 1) },
  "P-NOTIFY-QUEUE": {
    ready: "negotiated",
    options: { offer: { statsVq: false } },
    act: (driver) => {
      driver.setUpQueue(0);
      driver.setUpQueue(1, false);
      driver.start();
      driver.kick(1);
    },
  },
  "P-MIXED": {
    options: { transport: "transitional" },
    act: (driver) => driver.machine.hal.portRead(0xc000 + 18, 1),
  },
  "P-CONFIG-LENGTH": { act: (driver) => driver.read(4, 8, 4) },
  "P-DECODE-OFF": {
    act: (driver) => {
      driver.configWrite(4, 2, 5);
      driver.get("status");
    },
  },
  "P-BUS-MASTER": {
    act: (driver) => {
      driver.configWrite(4, 2, 3);
      driver.kick(0);
    },
  },
  "P-HOLE": { act: (driver) => driver.machine.hal.mmioRead(0xfebd0000, 4) },
  "P-WRONG-DEVICE": { act: (driver) => driver.configWrite(4, 2, 7, 2 << 3) },
  "P-CONFIG-ALIGN": { act: (driver) => driver.machine.hal.portRead(0xcfe, 4) },
  "P-NOTIFY-DATA": {
    options: { offer: { notificationData: true } },
    accepts: [38],
    act: (driver) => driver.write(2, driver.ring(0).notifyOff * driver.multiplier, 4, 0x70000),
  },
  "P-RESET-VALUE": {
    options: { offer: { ringReset: true } },
    accepts: [40],
    act: (driver) => {
      driver.set("queueSelect", 0);
      driver.set("queueReset", 0);
    },
  },
  "R-RESET-WAIT": {
    options: { offer: { ringReset: true } },
    accepts: [40],
    act: (driver) => {
      driver.set("queueSelect", 0);
      driver.set("queueReset", 1);
      driver.setUpQueue(0);
    },
  },
} satisfies Record<string, Breach>;
