/** One breach of each rule of the interfaces from before virtio 1.0. Keys are rule ids. */

import { RawMsix } from "../drivers/raw-msix.ts";
import type { Breach } from "./breach.ts";

export const legacyBreaches = {
  "L-FEATURES-OK": {
    legacy: true,
    ready: "negotiated",
    act: (driver) => {
      driver.set("status", 11);
    },
  },
  "L-ANY-LAYOUT": { legacy: true, ready: "untouched", act: (driver) => driver.bringUp([27]) },
  "L-SIZE-READ": {
    legacy: true,
    ready: "negotiated",
    act: (driver) => {
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
