/** One breach of each rule of the packed ring. Keys are rule ids. */

import type { PackedDriver } from "../drivers/packed-driver.ts";
import { frames, type RawDriver } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

const SLOW = { completion: { kind: "late", ms: 5 }, offer: { eventIdx: false } } as const;

const packed = (act: (driver: PackedDriver) => void, more: Partial<Breach> = {}): Breach => ({
  ...more,
  packed: true,
  act: (driver) => act(driver as PackedDriver),
});

/** One page number of queue 0, as a part of a list. */
const part = (driver: RawDriver, index: number, flags = 0) => {
  driver.view.setUint32(driver.array(0, index), 256 + index, true);
  return { address: driver.array(0, index), length: 4, flags, next: 0 };
};

export const packedBreaches = {
  "G-RING-PACKED": {
    options: { offer: { packed: true } },
    ready: "untouched",
    act: (d) => d.bringUp(),
  },
  "R-PACKED-ZERO": packed(
    (driver) => {
      driver.discover();
      driver.reset();
      driver.negotiate();
      driver.setUpQueue(0, false);
      driver.view.setUint16(driver.slot(0, 3) + 14, 0x80, true);
      driver.set("queueEnable", 1);
    },
    { ready: "untouched" },
  ),
  "R-PACKED-PARTIAL": packed((driver) => {
    driver.put(0, 0, part(driver, 0, 1), 0);
    driver.kick(0);
  }),
  "R-PACKED-SKIP": packed((driver) => driver.put(0, 1, part(driver, 0), 0)),
  "R-PACKED-ID-RANGE": packed((driver) => {
    driver.put(0, 0, part(driver, 0), 128);
    driver.kick(0);
  }),
  "R-PACKED-ID-BUSY": packed(
    (driver) => {
      driver.post(0, frames(1));
      driver.kick(0);
      driver.put(0, 1, part(driver, 1), 0);
      driver.kick(0);
    },
    { options: SLOW },
  ),
  "R-PACKED-INDIRECT-FLAGS": packed(
    (driver) => {
      const { address, length } = part(driver, 0);
      driver.view.setBigUint64(0x30000, BigInt(address), true);
      driver.view.setUint32(0x30008, length, true);
      driver.view.setUint16(0x3000e, 1, true);
      driver.put(0, 0, { address: 0x30000, length: 16, flags: 4, next: 0 }, 0);
      driver.kick(0);
      driver.writeActual(1);
    },
    { options: { waive: ["Q-ONE-DESCRIPTOR"] } },
  ),
  "R-EVENT-FLAGS": packed((driver) => driver.view.setUint16(driver.ring(0).driver + 2, 3, true)),
} satisfies Record<string, Breach>;
