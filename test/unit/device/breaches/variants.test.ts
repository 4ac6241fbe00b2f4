/**
 * Breaches of rules that the device notices in a second place: as in rules.test.ts, exactly the
 * named verdict comes.
 */
import { describe, expect, it } from "vitest";
import type { RuleId } from "../../../../src/device/index.ts";
import { broken, FIRST_FRAME, frames, type RawDriver } from "../drivers/raw-driver.ts";
import { type Breach, ready } from "./breach.ts";

const LATE = { kind: "late", ms: 5 } as const;

const filled = (driver: RawDriver): void => {
  driver.machine.setTarget(8);
  driver.readTarget();
  driver.interrupt();
  driver.move("inflate", frames(8));
  driver.machine.setTarget(0);
  driver.readTarget();
  driver.interrupt();
};

const variants: readonly (readonly [RuleId, string, Breach])[] = [
  [
    "P-ENABLE-ORDER",
    "enabled before its addresses are set",
    {
      ready: "negotiated",
      act: (driver) => {
        driver.set("queueSelect", 0);
        driver.set("queueEnable", 1);
      },
    },
  ],
  [
    "G-FEATURES-REREAD",
    "a queue is enabled first",
    {
      ready: "driver",
      act: (driver) => {
        driver.accept(driver.readOffer());
        driver.set("status", 11);
        driver.setUpQueue(0);
      },
    },
  ],
  [
    "G-FEATURES-REFUSED",
    "a queue is enabled after it",
    {
      ready: "negotiated",
      options: { faults: [{ name: "refuse-features" }] },
      act: (driver) => {
        driver.setUpQueue(0);
      },
    },
  ],
  [
    "G-FEATURES-REFUSED",
    "tried again without a reset",
    {
      ready: "negotiated",
      options: { faults: [{ name: "refuse-features" }] },
      act: (driver) => {
        driver.set("status", 11);
      },
    },
  ],
  ["P-WIDTH", "a write", { act: (driver) => driver.write(1, 22, 4, 0) }],
  ["P-WIDTH", "a read of device configuration", { act: (driver) => driver.read(4, 1, 1) }],
  ["P-NOTIFY-VALUE", "no queue's index", { act: (driver) => driver.write(2, 0, 2, 9) }],
  ["P-WRONG-DEVICE", "a BAR", { act: (driver) => driver.machine.hal.portRead(0xb000, 4) }],
  [
    "P-BUS-MASTER",
    "at DRIVER_OK",
    {
      ready: "queues",
      options: { offer: { statsVq: false } },
      act: (driver) => {
        driver.configWrite(4, 2, 3);
        driver.start();
      },
    },
  ],
  [
    "R-USED-WRITTEN",
    "avail_event",
    { act: (driver) => driver.view.setUint16(0x6000 + 4 + 128 * 8, 77, true) },
  ],
  [
    "R-AVAIL-FLAGS",
    "2 without EVENT_IDX",
    {
      options: { offer: { eventIdx: false } },
      act: (driver) => driver.view.setUint16(0x5000, 2, true),
    },
  ],
  [
    "R-HEAD-BUSY",
    "a later descriptor of a chain",
    {
      options: { completion: LATE, waive: ["Q-ONE-DESCRIPTOR"] },
      act: (driver) => {
        driver.post(0, frames(1), 1);
        driver.kick(0);
        driver.view.setUint32(driver.array(0, 0), 300, true);
        driver.describe(0, 0, driver.array(0, 0), 4, 1, 1);
        driver.offer(0, 0);
        driver.kick(0);
      },
    },
  ],
  [
    "Q-PFN-TWICE",
    "in two deflates",
    {
      options: { completion: { deflate: LATE } },
      act: (driver) => {
        filled(driver);
        driver.post(1, frames(4));
        driver.post(1, frames(5, FIRST_FRAME + 3), 1);
        driver.kick(1);
        driver.machine.run();
        driver.collect(1);
        driver.interrupt();
        driver.writeActual(0);
      },
    },
  ],
  [
    "Q-PFN-RANGE",
    "in a deflate",
    {
      act: (driver) => {
        driver.post(1, [1024]);
        driver.kick(1);
      },
    },
  ],
  [
    "Q-PFN-HELD",
    "while its deflate is in flight",
    {
      options: { completion: { deflate: LATE } },
      act: (driver) => {
        filled(driver);
        driver.post(1, frames(8));
        driver.kick(1);
        driver.post(0, frames(1));
        driver.kick(0);
        driver.machine.run();
        driver.writeActual(0);
      },
    },
  ],
  [
    "Q-ACTUAL-EARLY",
    "of a deflate",
    {
      options: { completion: { deflate: LATE } },
      act: (driver) => {
        filled(driver);
        driver.post(1, frames(8));
        driver.kick(1);
        driver.writeActual(0);
        driver.machine.run();
      },
    },
  ],
  [
    "D19",
    "never posted",
    {
      ready: "queues",
      act: (driver) => {
        driver.set("status", 15);
        driver.writeActual(0);
      },
    },
  ],
];

describe("breaking a rule in another way", () => {
  it.each(variants)("%s: %s", (id, _how, breach) => {
    const driver = ready(breach);
    breach.act(driver);
    driver.machine.check({ memoryShort: true });
    expect(broken(driver.machine)).toEqual([id]);
  });
});
