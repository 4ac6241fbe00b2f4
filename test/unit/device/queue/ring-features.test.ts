/**
 * IN_ORDER, NOTIFICATION_DATA and RING_RESET, on split and on packed queues.
 *
 * A driver that keeps to the rules leaves no verdict.
 */
import { describe, expect, it } from "vitest";
import type { MachineOptions } from "../../../../src/device/index.ts";
import { packedRig } from "../drivers/packed-driver.ts";
import { broken, FIRST_FRAME, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

const LATE = { kind: "late", ms: 5 } as const;
const kinds = ["split", "packed"] as const;

const up = (
  kind: (typeof kinds)[number],
  bits: readonly number[],
  options: Partial<MachineOptions> = {},
): RawDriver => {
  const offer = {
    inOrder: bits.includes(35),
    notificationData: bits.includes(38),
    ringReset: bits.includes(40),
    ...options.offer,
  };
  const make = kind === "split" ? rig : packedRig;
  return make({ ...options, offer })
    .accepts(bits)
    .bringUp();
};

/** Buffers of one page each, with ids in the order of the table. */
const burst = (driver: RawDriver, count: number, from = 0): void => {
  const { size } = driver.ring(0);
  for (let i = from; i < from + count; i += 1) driver.post(0, [FIRST_FRAME + i], i % size);
  driver.kick(0);
};

/** The first used entry of queue 0: an id. */
const firstUsed = (driver: RawDriver, kind: (typeof kinds)[number]): number => {
  const { desc, device } = driver.ring(0);
  return kind === "split"
    ? driver.view.getUint32(device + 4, true)
    : driver.view.getUint16(desc + 12, true);
};

describe.each(kinds)("IN_ORDER, %s", (kind) => {
  it("buffers that are done together have one used entry: the last one's", () => {
    const driver = up(kind, [35], { completion: LATE });
    burst(driver, 5);
    driver.machine.run();
    expect(firstUsed(driver, kind)).toBe(4);
    expect(driver.collect(0)).toEqual([0, 1, 2, 3, 4]);
    driver.writeActual(5);
    driver.interrupt();
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("or one each, if the device does not make use of it", () => {
    const driver = up(kind, [35], { completion: LATE, inOrderBatches: false });
    burst(driver, 5);
    driver.machine.run();
    expect(firstUsed(driver, kind)).toBe(0);
    expect(driver.collect(0)).toEqual([0, 1, 2, 3, 4]);
  });

  it("holds back what is done too early, over many laps", () => {
    const completion = { kind: "scattered", ms: 20 } as const;
    const driver = up(kind, [35], { completion, ringSize: 8 });
    let done = 0;
    for (let posted = 0; posted < 400; posted += 8) {
      burst(driver, 8, posted);
      for (let step = 0; step < 25 && driver.ring(0).order.length > 0; step += 1) {
        driver.machine.advance(1);
        driver.interrupt();
        for (const id of driver.collect(0)) {
          expect(id).toBe(done % 8);
          done += 1;
        }
      }
    }
    driver.writeActual(400);
    expect(done).toBe(400);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });
});

describe.each(kinds)("NOTIFICATION_DATA, %s", (kind) => {
  it("says where the next descriptor goes, over many laps", () => {
    const driver = up(kind, [38], { ringSize: 4 });
    for (let i = 0; i < 40; i += 1) driver.move("inflate", [FIRST_FRAME + i]);
    expect(driver.machine.heldPages).toBe(40);
    driver.kick(0);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("has 32 bits; 16 are lost", () => {
    const driver = up(kind, [38]);
    driver.post(0, frames(1));
    driver.write(2, driver.ring(0).notifyOff * driver.multiplier, 2, 0);
    expect(driver.machine.heldPages).toBe(0);
    expect(broken(driver.machine)).toEqual(["P-NOTIFY-WIDTH"]);
  });
});

describe.each(kinds)("RING_RESET, %s", (kind) => {
  const resetQueue = (driver: RawDriver, n: number): void => {
    driver.set("queueSelect", n);
    driver.set("queueReset", 1);
    while (driver.get("queueReset") !== 0);
    expect(driver.get("queueEnable")).toBe(0);
  };

  it("nothing more comes out of the queue, and it can be used again with another size", () => {
    const driver = up(kind, [40], { completion: LATE });
    burst(driver, 5);
    expect(driver.machine.inflatingPages).toBe(5);
    resetQueue(driver, 0);
    expect([driver.machine.inflatingPages, driver.machine.heldPages]).toEqual([0, 0]);
    const { device, desc } = driver.ring(0);
    new Uint8Array(driver.memory.buffer, device, 64).fill(0xee);
    new Uint8Array(driver.memory.buffer, desc, 64).fill(0xee);
    driver.machine.run();
    expect(driver.view.getUint16(device + 2, true)).toBe(0xeeee);
    expect(driver.machine.verdicts).toEqual([]);
    driver.set("queueSelect", 0);
    driver.set("queueSize", 8);
    driver.setUpQueue(0);
    expect(driver.ring(0).size).toBe(8);
    driver.move("inflate", frames(5));
    expect(driver.machine.heldPages).toBe(5);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("a deflate that was asked for has not happened", () => {
    const driver = up(kind, [40], { completion: { deflate: LATE } });
    driver.machine.setTarget(4);
    driver.readTarget();
    driver.move("inflate", frames(4));
    driver.machine.setTarget(0);
    driver.readTarget();
    driver.interrupt();
    driver.post(1, frames(4));
    driver.kick(1);
    resetQueue(driver, 1);
    expect([driver.machine.deflatingPages, driver.machine.heldPages]).toEqual([0, 4]);
    driver.setUpQueue(1);
    driver.move("deflate", frames(4));
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  });

  it("the statistics queue needs a new buffer", () => {
    const driver = up(kind, [40]);
    resetQueue(driver, 2);
    expect(driver.machine.requestStats()).toBe(false);
    driver.setUpQueue(2);
    driver.postStats();
    expect(driver.machine.requestStats()).toBe(true);
    driver.collect(2);
    driver.postStats();
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  });

  it("a notification before the reset is over", () => {
    const driver = up(kind, [40]);
    driver.set("queueSelect", 0);
    driver.set("queueReset", 1);
    driver.kick(0);
    expect(broken(driver.machine)).toEqual(["R-RESET-WAIT", "P-NOTIFY-QUEUE"]);
  });

  it("the field is not there without the feature", () => {
    const driver = up(kind, []);
    driver.get("queueReset");
    expect(broken(driver.machine)).toEqual(["P-HOLE"]);
  });
});
