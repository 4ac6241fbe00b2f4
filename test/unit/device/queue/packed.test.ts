/**
 * Packed virtqueues: the device reads and writes them as virtio 1.3, 2.8 says.
 *
 * A driver that keeps to the rules leaves no verdict, whatever the size of the queue and the order
 * in which buffers come back.
 */
import { describe, expect, it } from "vitest";
import type { FaultName, MachineOptions, RuleId } from "../../../../src/device/index.ts";
import { type PackedDriver, packedRig } from "../drivers/packed-driver.ts";
import { broken, FIRST_FRAME, frames } from "../drivers/raw-driver.ts";

const LATE = { kind: "late", ms: 5 } as const;

/** Posts what fits and collects, over and over: `rounds` bursts of buffers of one page. */
const pump = (driver: PackedDriver, rounds: number): number => {
  const free = Array.from({ length: Math.min(24, driver.ring(0).size) }, (_, id) => id);
  let next = 0;
  let posted = 0;
  for (let round = 0; round < rounds; round += 1) {
    const burst = 1 + (round % free.length);
    for (let i = 0; i < burst && free.length > 0; i += 1) {
      const id = free.shift() as number;
      driver.post(0, [FIRST_FRAME + (next % 700)], id);
      next += 1;
      posted += 1;
    }
    driver.kick(0);
    driver.machine.run();
    driver.interrupt();
    free.push(...driver.collect(0));
  }
  return posted;
};

describe("sizes and orders", () => {
  const schedules = [
    { kind: "immediate" },
    { kind: "late", ms: 1 },
    { kind: "shuffled", ms: 1 },
    { kind: "scattered", ms: 9 },
  ] as const;
  const waive = ["Q-PFN-HELD", "D14", "Q-ACTUAL-EARLY"] as const;
  for (const ringSize of [2, 3, 7, 100, 128]) {
    it.each(schedules)(`${ringSize} entries, $kind`, (completion) => {
      const driver = packedRig({ ringSize, completion, waive, canary: false }).bringUp();
      expect(driver.ring(0).size).toBe(ringSize);
      pump(driver, 60);
      expect(driver.ring(0).order).toEqual([]);
      expect(driver.machine.check({ memoryShort: true })).toEqual([]);
    });
  }

  it("split queues are offered the power of two below", () => {
    const driver = packedRig({ ringSize: 100, waive: ["G-RING-PACKED"] });
    driver.discover();
    driver.reset();
    expect(driver.get("queueSize")).toBe(64);
    driver.negotiate([34]);
    expect(driver.get("queueSize")).toBe(64);
    driver.set("queueSize", 48);
    expect(broken(driver.machine)).toEqual(["P-QUEUE-SIZE"]);
  });

  it("a packed queue may be made smaller by any number", () => {
    const driver = packedRig();
    driver.discover();
    driver.reset();
    driver.negotiate();
    driver.set("queueSelect", 0);
    driver.set("queueSize", 11);
    driver.setUpQueues();
    expect(driver.ring(0).size).toBe(11);
    driver.start();
    driver.move("inflate", frames(3));
    expect(driver.machine.heldPages).toBe(3);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("lists of several descriptors take as many slots and one used entry", () => {
    const driver = packedRig({ ringSize: 5, waive: ["Q-ONE-DESCRIPTOR"] }).bringUp();
    for (let round = 0; round < 12; round += 1) {
      for (const i of [0, 1]) driver.view.setUint32(driver.array(0, i), 300 + i + round * 2, true);
      driver.describe(0, 0, driver.array(0, 0), 4, 1, 1);
      driver.describe(0, 1, driver.array(0, 1), 4);
      driver.offer(0, 0);
      driver.kick(0);
      expect(driver.collect(0)).toEqual([0]);
      driver.writeActual(driver.actual + 2);
    }
    driver.interrupt();
    expect(driver.machine.heldPages).toBe(24);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("an indirect table takes one slot", () => {
    const driver = packedRig({ ringSize: 3, waive: ["Q-ONE-DESCRIPTOR"] }).bringUp();
    for (const i of [0, 1]) {
      driver.view.setUint32(driver.array(0, i), 300 + i, true);
      driver.view.setBigUint64(0x30000 + i * 16, BigInt(driver.array(0, i)), true);
      driver.view.setUint32(0x30008 + i * 16, 4, true);
    }
    driver.describe(0, 0, 0x30000, 32, 4);
    driver.offer(0, 0);
    driver.kick(0);
    expect(driver.collect(0)).toEqual([0]);
    expect(driver.machine.heldPages).toBe(2);
  });
});

describe("the other rules of rings, on a packed queue", () => {
  const variants: readonly (readonly [
    RuleId,
    string,
    (driver: PackedDriver) => void,
    Partial<MachineOptions>?,
  ])[] = [
    ["R-USED-WRITTEN", "the event structure", (d) => d.view.setUint16(d.ring(0).device, 9, true)],
    [
      "R-EVENT-FLAGS",
      "a descriptor without EVENT_IDX",
      (d) => d.view.setUint16(d.ring(0).driver + 2, 2, true),
      { offer: { eventIdx: false } },
    ],
    [
      "R-EVENT-FLAGS",
      "a descriptor beyond the ring",
      (d) => d.view.setUint32(d.ring(0).driver, 128 + 2 * 65536, true),
    ],
    [
      "R-DESC-CHANGED",
      "before the return",
      (d) => {
        d.post(0, frames(1));
        d.kick(0);
        d.view.setUint32(d.slot(0, 0) + 8, 8, true);
      },
      { completion: LATE },
    ],
    [
      "R-DESC-CHANGED",
      "a slot of a buffer that came back out of order",
      (d) => {
        d.post(0, frames(1));
        d.post(0, frames(1, 300), 1);
        d.kick(0);
        while (d.machine.inflatingPages > 1) d.machine.advance(0.5);
        d.view.setUint32(d.slot(0, 1) + 8, 8, true);
      },
      { completion: { kind: "scattered", ms: 20 }, seed: 5, waive: ["D14"] },
    ],
    [
      "R-KICK-MISSING",
      "with EVENT_IDX",
      (d) => {
        d.post(0, frames(1));
        d.machine.advance(1);
      },
    ],
    [
      "R-KICK-MISSING",
      "without EVENT_IDX",
      (d) => {
        d.post(0, frames(1));
        d.machine.advance(1);
      },
      { offer: { eventIdx: false } },
    ],
    [
      "R-KICK-SUPPRESSED",
      "while the device is busy",
      (d) => {
        d.post(0, frames(1));
        d.kick(0);
        d.post(0, frames(1, 300), 1);
        d.kick(0);
      },
      { completion: LATE, quietWhileBusy: true },
    ],
    [
      "R-AVAIL-JUMP",
      "a list longer than the room",
      (d) => {
        d.post(0, frames(1));
        d.post(0, frames(1, 300), 1);
        d.kick(0);
        for (const i of [2, 3]) d.describe(0, i, d.array(0, i), 4, i === 2 ? 1 : 0, 3);
        d.offer(0, 2);
        d.kick(0);
      },
      { ringSize: 3, completion: LATE, waive: ["R-DESC-CHANGED"] },
    ],
    [
      "R-CHAIN-LENGTH",
      "a table longer than the queue",
      (d) => {
        d.describe(0, 0, 0x30000, 16 * 5, 4);
        d.offer(0, 0);
        d.kick(0);
      },
      { ringSize: 4 },
    ],
    [
      "R-INDIRECT",
      "not negotiated",
      (d) => {
        d.describe(0, 0, 0x30000, 16, 4);
        d.offer(0, 0);
        d.kick(0);
      },
      { offer: { indirect: false } },
    ],
    [
      "R-INDIRECT-NEXT",
      "in a list",
      (d) => {
        d.describe(0, 0, d.array(0, 0), 4, 1, 1);
        d.describe(0, 1, 0x30000, 16, 4);
        d.offer(0, 0);
        d.kick(0);
      },
    ],
    [
      "R-DESC-FLAGS",
      "a bit without a meaning",
      (d) => {
        d.view.setUint32(d.array(0, 0), 256, true);
        d.describe(0, 0, d.array(0, 0), 4, 0x100);
        d.offer(0, 0);
        d.kick(0);
      },
      { waive: ["D14"] },
    ],
    [
      "P-QUEUE-SIZE",
      "0",
      (d) => {
        d.bringUp();
        d.reset();
        d.negotiate();
        d.set("queueSelect", 0);
        d.set("queueSize", 0);
      },
    ],
  ];
  for (const [rule, how, act, options] of variants) {
    it(`${rule}: ${how}`, () => {
      const driver = packedRig(options).bringUp();
      act(driver);
      driver.machine.check({ memoryShort: true });
      expect(broken(driver.machine)).toEqual([rule]);
    });
  }
});

describe("interrupts", () => {
  it("come once the descriptor that the driver names is used, and not before", () => {
    const driver = packedRig({ completion: LATE }).bringUp();
    driver.collect(0);
    driver.view.setUint16(driver.ring(0).driver, 2 | 0x8000, true);
    driver.post(0, frames(1));
    driver.post(0, frames(1, 300), 1);
    driver.kick(0);
    driver.machine.run();
    expect(driver.interrupt()).toBe(0);
    driver.post(0, frames(1, 310), 2);
    driver.kick(0);
    driver.machine.run();
    expect(driver.interrupt()).toBe(1);
  });

  it("do not come while they are switched off", () => {
    const driver = packedRig({ offer: { eventIdx: false } }).bringUp();
    driver.view.setUint16(driver.ring(0).driver + 2, 1, true);
    driver.post(0, frames(1));
    driver.kick(0);
    expect(driver.interrupt()).toBe(0);
    expect(driver.collect(0)).toEqual([0]);
  });
});

describe("a packed ring that lies", () => {
  it.each([
    ["used-id-out-of-range", [11]],
    ["used-id-not-in-flight", [1]],
    ["used-id-twice", [0, 0]],
    ["used-idx-jump", []],
    ["used-idx-back", []],
    ["used-unseen", []],
  ] as const satisfies readonly (readonly [FaultName, readonly number[]])[])(
    "%s: %j",
    (name, ids) => {
      const driver = packedRig({ ringSize: 4, faults: [{ name, queue: 0 }] }).bringUp();
      driver.post(0, frames(1));
      driver.kick(0);
      expect(driver.collect(0)).toEqual(ids);
    },
  );

  it("used-id-not-in-flight: never an id that waits to be taken, which would be no lie", () => {
    const driver = packedRig({ ringSize: 4, completion: LATE }).bringUp();
    driver.machine.inject({ name: "used-id-not-in-flight", queue: 0 });
    driver.post(0, frames(1));
    driver.kick(0);
    driver.post(0, frames(1, 300), 1);
    driver.machine.run({ atRest: false });
    expect(driver.collect(0)).toEqual([2]);
  });
});
