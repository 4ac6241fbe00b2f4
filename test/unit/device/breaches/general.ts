/** One breach of each rule of bring-up. Keys are rule ids. */

import type { rig } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

/** Comes up to the point where features are settled. */
const settled = (driver: ReturnType<typeof rig>): void => {
  driver.discover();
  driver.reset();
  driver.negotiate();
};

export const generalBreaches = {
  "G-RESET-FIRST": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.negotiate();
      driver.setUpQueues();
      driver.start();
    },
  },
  "G-RESET-WAIT": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.set("status", 0);
      driver.negotiate();
      driver.setUpQueues();
      driver.start();
    },
  },
  "G-ORDER": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.set("status", 2);
    },
  },
  "G-ONE-STEP": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.set("status", 3);
    },
  },
  "G-STATUS-CLEARED": { act: (driver) => driver.set("status", 128) },
  "G-FEATURE-READ": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.set("status", 1);
      driver.set("status", 3);
      driver.set("featureSelect", 0);
      driver.set("features", 1);
    },
  },
  "G-UNOFFERED": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.negotiate([], [5]);
    },
  },
  "G-RESERVED-BIT": {
    up: false,
    options: { offer: { extra: [6, 44] } },
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.negotiate([], [6]);
    },
  },
  "G-VERSION-1": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.negotiate([32]);
    },
  },
  "G-ACCESS-PLATFORM": {
    options: { offer: { accessPlatform: true } },
    up: false,
    act: (driver) => driver.bringUp(),
  },
  "G-ORDER-PLATFORM": {
    options: { offer: { orderPlatform: true } },
    up: false,
    act: (driver) => driver.bringUp(),
  },
  "G-NOTIF-CONFIG-DATA": {
    options: { offer: { notifConfigData: true } },
    up: false,
    act: (driver) => driver.bringUp(),
  },
  "G-FEATURES-LATE": {
    act: (driver) => {
      driver.set("featureSelect", 0);
      driver.set("features", 0);
    },
  },
  "G-FEATURES-REREAD": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.set("status", 1);
      driver.set("status", 3);
      driver.accept(driver.readOffer());
      driver.set("status", 11);
      driver.setUpQueues();
      driver.start();
    },
  },
  "G-FEATURES-REFUSED": {
    up: false,
    options: { faults: [{ name: "refuse-features" }] },
    act: (driver) => {
      settled(driver);
      driver.set("status", 15);
    },
  },
  "G-QUEUE-EARLY": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.set("status", 1);
      driver.set("status", 3);
      driver.setUpQueue(0);
    },
  },
  "G-CONFIG-EARLY": {
    up: false,
    act: (driver) => {
      driver.discover();
      driver.reset();
      driver.set("status", 1);
      driver.writeActual(0);
    },
  },
  "G-NOTIFY-EARLY": {
    up: false,
    act: (driver) => {
      settled(driver);
      driver.setUpQueues();
      driver.kick(2);
      driver.start();
    },
  },
  "G-AFTER-FAILED": {
    act: (driver) => {
      driver.set("status", 143);
      driver.kick(0);
    },
  },
  "G-NEEDS-RESET": {
    act: (driver) => {
      driver.machine.inject({ name: "needs-reset" });
      driver.get("status");
      driver.kick(0);
    },
  },
  "G-CONFIG-FEATURE": {
    options: { profile: "qemu" },
    act: (driver) => driver.read(4, 8, 4),
  },
  "G-QUEUE-FEATURE": {
    options: { offer: { statsVq: true } },
    up: false,
    act: (driver) => {
      driver.bringUp([1]);
      driver.postStats();
    },
  },
  "Q-STRANGE-QUEUE": {
    options: { strangeQueues: 2 },
    act: (driver) => driver.setUpQueue(3),
  },
} satisfies Record<string, Breach>;
