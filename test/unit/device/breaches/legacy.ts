/** One breach of each rule of the interfaces from before virtio 1.0. Keys are rule ids. */

import type { RawDriver } from "../drivers/raw-driver.ts";
import { RawMsix } from "../drivers/raw-msix.ts";
import type { Breach } from "./breach.ts";

/** Comes up to the point where queues are set up. */
const settled = (driver: RawDriver): void => {
  driver.discover();
  driver.reset();
  driver.negotiate();
};

export const legacyBreaches = {
  "L-FEATURES-OK": {
    legacy: true,
    up: false,
    act: (driver) => {
      settled(driver);
      driver.set("status", 11);
    },
  },
  "L-ANY-LAYOUT": { legacy: true, up: false, act: (driver) => driver.bringUp([27]) },
  "L-SIZE-READ": {
    legacy: true,
    up: false,
    act: (driver) => {
      settled(driver);
      driver.set("queueSelect", 0);
      driver.set("desc", 1);
    },
  },
  "L-QUEUE-MOVED": {
    legacy: true,
    act: (driver) => {
      driver.set("queueSelect", 0);
      driver.set("desc", 0x40);
    },
  },
  "L-CONFIG-PLACE": {
    legacy: true,
    options: { vectors: 2 },
    act: (driver) => {
      new RawMsix(driver).setUp(2);
      driver.read(1, 20, 4);
    },
  },
} satisfies Record<string, Breach>;
