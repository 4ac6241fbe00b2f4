/** One breach of each rule of MSI-X. Keys are rule ids. */

import type { RawDriver } from "../drivers/raw-driver.ts";
import { RawMsix } from "../drivers/raw-msix.ts";
import type { Breach } from "./breach.ts";

const options = { vectors: 2 } as const;

const finish = (driver: RawDriver): void => {
  driver.setUpQueues();
  driver.start();
};

export const msixBreaches = {
  "P-MSIX-VECTOR": { act: (driver) => driver.set("configVector", 0) },
  "P-MSIX-READ-BACK": {
    options,
    ready: "negotiated",
    act: (driver) => {
      new RawMsix(driver).setUp(2);
      driver.set("configVector", 0);
      finish(driver);
    },
  },
  "P-MSIX-ORDER": { options, act: (driver) => driver.set("configVector", 0) },
  "P-MSIX-LEFT-ON": {
    options,
    ready: "negotiated",
    act: (driver) => {
      new RawMsix(driver).setUp(2);
      finish(driver);
    },
  },
  "P-MSIX-ISR": {
    options,
    act: (driver) => {
      new RawMsix(driver).setUp(1);
      driver.read(3, 0, 1);
    },
  },
  "P-MSIX-WIDTH": {
    options,
    act: (driver) => driver.machine.hal.mmioRead(new RawMsix(driver).table + 8, 2),
  },
  "P-MSIX-LIVE": {
    options,
    act: (driver) => {
      const msix = new RawMsix(driver);
      msix.setUp(1);
      msix.write(0, 2, 0x31);
    },
  },
  "P-MSIX-UNWRITTEN": {
    options,
    act: (driver) => {
      const msix = new RawMsix(driver);
      msix.unmask(1);
      msix.setUp(1);
    },
  },
  "P-MSIX-ADDRESS": {
    options,
    act: (driver) => new RawMsix(driver).write(0, 0, 0xfee0_0002),
  },
  "P-MSIX-RESERVED": { options, act: (driver) => new RawMsix(driver).write(0, 3, 3) },
  "P-MSIX-MESSAGE": {
    options,
    act: (driver) => {
      const msix = new RawMsix(driver);
      msix.fill(0, { address: 0xfee0_0000, data: 0x99 });
      msix.unmask(0);
      msix.enable();
      msix.map("config", 0);
      driver.machine.setTarget(1);
    },
  },
  "P-MSIX-PENDING": {
    options,
    act: (driver) => {
      const msix = new RawMsix(driver);
      msix.setUp(1);
      msix.map("config", 0);
      msix.mask();
      driver.machine.setTarget(1);
    },
  },
} satisfies Record<string, Breach>;
