/** One breach of each rule of virtio over MMIO. Keys are rule ids. */

import { type MmioDriver, NEIGHBOUR, REGISTER } from "../drivers/mmio-driver.ts";
import type { RawDriver } from "../drivers/raw-driver.ts";
import type { Breach } from "./breach.ts";

/** A breach by a driver over MMIO; version 2 unless it says otherwise. */
const over = (
  act: (driver: MmioDriver) => void,
  rest: Partial<Omit<Breach, "act">> = {},
): Breach => ({ mmio: 2, ...rest, act: (driver: RawDriver) => act(driver as MmioDriver) });

/** Takes the slot at `base` for the balloon's, and looks at its vendor. */
const vendorAt = (base: number) => (driver: MmioDriver) => {
  driver.base = base;
  driver.discover();
  driver.look("vendorId");
};

const untouched = { ready: "untouched" } as const;
const negotiated = { ready: "negotiated" } as const;
const legacy = { mmio: 1 } as const;

export const mmioBreaches = {
  "M-IDENTITY": over((driver) => driver.look("vendorId"), untouched),
  "M-FOREIGN": over(vendorAt(NEIGHBOUR.magic), untouched),
  "M-PLACEHOLDER": over(vendorAt(NEIGHBOUR.empty), untouched),
  "M-WRONG-DEVICE": over(vendorAt(NEIGHBOUR.entropy), untouched),
  "M-WIDTH": over((driver) => driver.machine.hal.mmioRead(driver.base + REGISTER.status, 1)),
  "M-READ-ONLY": over((driver) => driver.put("generation", 1)),
  "M-WRITE-ONLY": over((driver) => driver.look("queueSize")),
  "M-NO-REGISTER": over((driver) => driver.look("queuePfn")),
  "M-SHARED-MEMORY": over((driver) => driver.look("sharedLength")),
  "M-FEATURES-SELECT": over((driver) => driver.look("offer")),
  "M-QUEUE-SIZE": over((driver) => {
    driver.put("queueSelect", 0);
    driver.put("queueSize", 12);
  }, negotiated),
  "M-QUEUE-LARGER": over((driver) => {
    driver.put("queueSelect", 0);
    driver.put("queueSize", 256);
  }, negotiated),
  "M-QUEUE-ABSENT": over((driver) => {
    driver.put("queueSelect", 3);
    driver.put("queueSize", 2);
  }, negotiated),
  "M-QUEUE-BUSY": over((driver) => {
    driver.put("queueSelect", 0);
    driver.put("desc", 0x40000);
  }),
  "M-QUEUE-UNSET": over((driver) => {
    driver.put("queueSelect", 0);
    driver.put("queueReady", 1);
  }, negotiated),
  "M-READY-VALUE": over((driver) => driver.put("queueReady", 2)),
  "M-READY-READ-BACK": over((driver) => {
    driver.put("queueSelect", 1);
    driver.put("queueReady", 0);
    driver.setUpQueue(1);
  }),
  "M-RESET-VALUE": over(
    (driver) => {
      driver.put("queueSelect", 0);
      driver.put("queueReset", 2);
    },
    { options: { offer: { ringReset: true } }, accepts: [40] },
  ),
  "M-NOTIFY-VALUE": over((driver) => driver.put("notify", 0x10000)),
  "M-ACK-MISSING": over((driver) => {
    driver.machine.onInterrupt = () => {};
    driver.machine.setTarget(1);
    driver.look("interruptStatus");
  }),
  "M-ACK-UNDEFINED": over((driver) => driver.put("interruptAck", 4)),
  "M-ACK-UNSEEN": over((driver) => {
    driver.machine.setTarget(1);
    driver.put("interruptAck", 2);
  }),
  "M-PAGE-SIZE": over((driver) => driver.put("pageSize", 8192), legacy),
  "M-QUEUE-ALIGN": over(
    (driver) => {
      driver.put("queueSelect", 0);
      driver.put("queueAlign", 3000);
    },
    { ...legacy, ...negotiated },
  ),
} satisfies Record<string, Breach>;
