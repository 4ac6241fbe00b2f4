/** When and how buffers come back, and who is told. The seed alone decides the order. */
import { describe, expect, it } from "vitest";
import type { Completion } from "../../../../src/device/index.ts";
import { broken, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

/** Posts `count` buffers of one page each, with one notification. */
const burst = (driver: RawDriver, count: number): void => {
  for (let i = 0; i < count; i += 1) driver.post(0, frames(1, 300 + i), i);
  driver.kick(0);
};

const order = (completion: Completion, seed = 1): number[] => {
  const driver = rig({ completion, seed }).bringUp();
  burst(driver, 8);
  driver.machine.run();
  return driver.collect(0);
};

const IN_ORDER = [0, 1, 2, 3, 4, 5, 6, 7];

describe("schedules", () => {
  it("immediate: inside the notification", () => {
    const driver = rig().bringUp();
    burst(driver, 3);
    expect(driver.collect(0)).toEqual([0, 1, 2]);
    expect(driver.machine.idle).toBe(true);
  });

  it("late: not before its time", () => {
    const driver = rig({ completion: { kind: "late", ms: 5 } }).bringUp();
    burst(driver, 3);
    driver.machine.advance(4.9);
    expect(driver.collect(0)).toEqual([]);
    expect(driver.machine.idle).toBe(false);
    driver.machine.advance(0.2);
    expect(driver.collect(0)).toEqual([0, 1, 2]);
  });

  it("batched: when enough have gathered, or when the wait is over", () => {
    const driver = rig({ completion: { kind: "batched", count: 2, ms: 10 } }).bringUp();
    burst(driver, 3);
    expect(driver.collect(0)).toEqual([0, 1]);
    driver.machine.advance(11);
    expect(driver.collect(0)).toEqual([2]);
  });

  it.each(["shuffled", "scattered"] as const)("%s: by seed", (kind) => {
    const first = order({ kind, ms: 50 });
    expect([...first].sort((a, b) => a - b)).toEqual(IN_ORDER);
    expect(order({ kind, ms: 50 })).toEqual(first);
    const others = [2, 3, 4].map((seed) => order({ kind, ms: 50 }, seed).join());
    expect(others.some((other) => other !== first.join())).toBe(true);
  });

  it("never: nothing comes, and the other queues live on", () => {
    const driver = rig({ completion: { inflate: { kind: "never" } } }).bringUp();
    burst(driver, 3);
    driver.machine.run();
    expect(driver.collect(0)).toEqual([]);
    expect(driver.machine.inflatingPages).toBe(3);
    expect(driver.machine.requestStats()).toBe(true);
    driver.postStats();
    expect(driver.machine.stats.samples).toBe(2);
  });

  it("a reset forgets what was on its way", () => {
    const driver = rig({ completion: { kind: "late", ms: 5 } }).bringUp();
    burst(driver, 3);
    driver.bringUp();
    driver.machine.run();
    expect(driver.collect(0)).toEqual([]);
    expect(driver.machine.check()).toEqual([]);
  });
});

describe("used.len", () => {
  it.each([
    ["zero", 0],
    ["total", 12],
    ["pfns", 3],
    ["ones", 0xffffffff],
  ] as const)("%s", (usedLength, expected) => {
    const driver = rig({ usedLength }).bringUp();
    driver.post(0, frames(3));
    driver.kick(0);
    const device = driver.rings[0]?.device as number;
    expect(driver.view.getUint32(device + 8, true)).toBe(expected);
  });
});

describe("notifications", () => {
  it("without one, nothing is served", () => {
    const driver = rig().bringUp();
    driver.post(0, frames(1));
    driver.machine.run();
    expect(driver.collect(0)).toEqual([]);
    expect(broken(driver.machine)).toEqual(["R-KICK-MISSING"]);
  });

  it.each([true, false])("none are owed while the device is busy, EVENT_IDX %s", (eventIdx) => {
    const completion = { kind: "late", ms: 5 } as const;
    const driver = rig({ completion, quietWhileBusy: true, offer: { eventIdx } }).bringUp();
    driver.post(0, frames(1));
    driver.kick(0);
    const device = driver.rings[0]?.device as number;
    if (!eventIdx) expect(driver.view.getUint16(device, true)).toBe(1);
    driver.post(0, frames(1, 300), 1);
    driver.machine.run();
    expect(driver.collect(0)).toEqual([0, 1]);
    if (!eventIdx) expect(driver.view.getUint16(device, true)).toBe(0);
    driver.post(0, frames(1, 301), 2);
    driver.kick(0);
    driver.machine.run();
    driver.writeActual(3);
    driver.machine.setTarget(3);
    expect(driver.machine.check()).toEqual([]);
  });
});

describe("interrupts", () => {
  it("come once for a burst, and the ISR says why", () => {
    let count = 0;
    const driver = rig().bringUp();
    driver.machine.onInterrupt = () => {
      count += 1;
    };
    burst(driver, 4);
    expect(count).toBe(1);
    expect(driver.machine.interruptPending).toBe(true);
    expect(driver.configRead(6, 2) & 8).toBe(8);
    driver.machine.setTarget(9);
    expect(count).toBe(1);
    expect(driver.read(3, 0, 1)).toBe(3);
    expect(driver.machine.interruptPending).toBe(false);
    expect(driver.configRead(6, 2) & 8).toBe(0);
  });

  it("stay away while the driver's flags say so", () => {
    const driver = rig({ offer: { eventIdx: false } }).bringUp();
    driver.view.setUint16(driver.rings[0]?.driver as number, 1, true);
    burst(driver, 2);
    expect(driver.interrupt()).toBe(0);
    expect(driver.collect(0)).toEqual([0, 1]);
  });

  it("come when used_event is passed, not before", () => {
    const completion = { kind: "batched", count: 1, ms: 1 } as const;
    const driver = rig({ completion }).bringUp();
    const { driver: area, size } = driver.rings[0] as { driver: number; size: number };
    driver.view.setUint16(area + 4 + size * 2, 2, true);
    burst(driver, 2);
    expect(driver.interrupt()).toBe(0);
    driver.post(0, frames(1, 310), 2);
    driver.kick(0);
    expect(driver.interrupt()).toBe(1);
  });

  it("do not come while INTx is disabled", () => {
    const driver = rig().bringUp();
    driver.configWrite(4, 2, 0x407);
    driver.machine.setTarget(1);
    expect(driver.machine.interruptPending).toBe(false);
    driver.configWrite(4, 2, 7);
    expect(driver.interrupt()).toBe(2);
  });

  it("can come without any cause", () => {
    let count = 0;
    const driver = rig().bringUp();
    driver.machine.onInterrupt = () => {
      count += 1;
    };
    driver.machine.spuriousInterrupt();
    expect(count).toBe(1);
    expect(driver.read(3, 0, 1)).toBe(0);
  });
});
