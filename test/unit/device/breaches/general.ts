/** One breach of each rule of bring-up. Keys are rule ids. */

import type { Breach } from "./breach.ts";

export const generalBreaches = {
  "G-RESET-FIRST": {
    ready: "discovered",
    act: (driver) => {
      driver.negotiate();
      driver.setUpQueues();
      driver.start();
    },
  },
  "G-RESET-WAIT": {
    ready: "discovered",
    act: (driver) => {
      driver.set("status", 0);
      driver.negotiate();
      driver.setUpQueues();
      driver.start();
    },
  },
  "G-ORDER": {
    ready: "reset",
    act: (driver) => {
      driver.set("status", 2);
    },
  },
  "G-ONE-STEP": {
    ready: "reset",
    act: (driver) => {
      driver.set("status", 3);
    },
  },
  "G-STATUS-CLEARED": { act: (driver) => driver.set("status", 128) },
  "G-FEATURE-READ": {
    ready: "driver",
    act: (driver) => {
      driver.set("featureSelect", 0);
      driver.set("features", 1);
    },
  },
  "G-UNOFFERED": {
    ready: "reset",
    act: (driver) => {
      driver.negotiate([], [5]);
    },
  },
  "G-RESERVED-BIT": {
    ready: "reset",
    options: { offer: { extra: [6, 44] } },
    act: (driver) => {
      driver.negotiate([], [6]);
    },
  },
  "G-VERSION-1": {
    ready: "reset",
    act: (driver) => {
      driver.negotiate([32]);
    },
  },
  "G-ACCESS-PLATFORM": {
    options: { offer: { accessPlatform: true } },
    ready: "untouched",
    act: (driver) => driver.bringUp(),
  },
  "G-ORDER-PLATFORM": {
    options: { offer: { orderPlatform: true } },
    ready: "untouched",
    act: (driver) => driver.bringUp(),
  },
  "G-NOTIF-CONFIG-DATA": {
    options: { offer: { notifConfigData: true } },
    ready: "untouched",
    act: (driver) => driver.bringUp(),
  },
  "G-FEATURES-LATE": {
    act: (driver) => {
      driver.set("featureSelect", 0);
      driver.set("features", 0);
    },
  },
  "G-FEATURES-REREAD": {
    ready: "driver",
    act: (driver) => {
      driver.accept(driver.readOffer());
      driver.set("status", 11);
      driver.setUpQueues();
      driver.start();
    },
  },
  "G-FEATURES-REFUSED": {
    ready: "negotiated",
    options: { faults: [{ name: "refuse-features" }] },
    act: (driver) => {
      driver.set("status", 15);
    },
  },
  "G-QUEUE-EARLY": {
    ready: "driver",
    act: (driver) => {
      driver.setUpQueue(0);
    },
  },
  "G-CONFIG-EARLY": {
    ready: "reset",
    act: (driver) => {
      driver.set("status", 1);
      driver.writeActual(0);
    },
  },
  "G-NOTIFY-EARLY": {
    ready: "queues",
    act: (driver) => {
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
  "Q-NEEDS-RESET": {
    act: (driver) => {
      driver.machine.inject({ name: "needs-reset" });
      driver.machine.check();
      driver.machine.advance(1000);
    },
  },
  "G-CONFIG-FEATURE": {
    options: { profile: "qemu" },
    act: (driver) => driver.read(4, 8, 4),
  },
  "G-QUEUE-FEATURE": {
    options: { offer: { statsVq: true } },
    ready: "untouched",
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
