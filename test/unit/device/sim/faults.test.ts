/** Each fault does what its table says. No fault of the table is left out. */
import { describe, expect, it } from "vitest";
import { type FaultName, type FaultSpec, faults } from "../../../../src/device/index.ts";
import { mmioRig } from "../drivers/mmio-driver.ts";
import { broken, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";
import { RawMsix } from "../drivers/raw-msix.ts";

/** One inflate under a fault of the used ring: the ids that came back and how far idx went. */
const inflateUnder = (name: FaultName): { ids: number[]; idx: number; driver: RawDriver } => {
  const driver = rig({ ringSize: 4, faults: [{ name, queue: 0 }] }).bringUp();
  driver.post(0, frames(1));
  driver.kick(0);
  const device = driver.rings[0]?.device as number;
  const idx = driver.view.getUint16(device + 2, true);
  const count = Math.min(4, idx);
  const ids = Array.from({ length: count }, (_, i) =>
    driver.view.getUint32(device + 4 + i * 8, true),
  );
  return { ids, idx, driver };
};

/** A driver that has just reset its inflate queue. */
const resetQueueUnder = (fault: FaultSpec): RawDriver => {
  const driver = rig({ offer: { ringReset: true }, faults: [fault] })
    .accepts([40])
    .bringUp();
  driver.set("queueSelect", 0);
  driver.set("queueReset", 1);
  return driver;
};

/** A driver that is up and has one vector, for changes of the configuration. */
const withVector = (): { driver: RawDriver; msix: RawMsix } => {
  const driver = rig({ vectors: 1 }).bringUp();
  const msix = new RawMsix(driver);
  msix.setUp(1);
  return { driver, msix };
};

/** A driver whose device is taken out two accesses later, with one page held and one on its way. */
const goneUnder = (name: FaultName): RawDriver => {
  const driver = rig({ completion: { kind: "late", ms: 1 } }).bringUp();
  driver.move("inflate", frames(1));
  driver.machine.run();
  driver.post(0, frames(1, 300), 1);
  driver.kick(0);
  driver.machine.inject({ name, after: 1 });
  expect(driver.get("status")).toBe(15);
  driver.get("status");
  driver.machine.run();
  expect(driver.collect(0)).toEqual([]);
  expect([driver.machine.heldPages, driver.machine.inflatingPages]).toEqual([0, 0]);
  return driver;
};

const cases: Readonly<Record<FaultName, () => void>> = {
  "used-id-out-of-range": () => {
    const { ids, driver } = inflateUnder("used-id-out-of-range");
    expect(ids).toEqual([11]);
    expect(driver.machine.inflatingPages).toBe(1);
  },
  "used-id-not-in-flight": () => {
    const { ids, driver } = inflateUnder("used-id-not-in-flight");
    expect(ids).toEqual([1]);
    expect(driver.machine.heldPages).toBe(0);
  },
  "used-id-twice": () => {
    const { ids, idx } = inflateUnder("used-id-twice");
    expect(ids).toEqual([0, 0]);
    expect(idx).toBe(2);
  },
  "used-idx-jump": () => expect(inflateUnder("used-idx-jump").idx).toBe(6),
  "used-idx-back": () => expect(inflateUnder("used-idx-back").idx).toBe(0xffff),
  "used-unseen": () => {
    const { idx, driver } = inflateUnder("used-unseen");
    expect(idx).toBe(0);
    expect(driver.machine.heldPages).toBe(1);
  },
  "used-flags-stray": () => {
    const driver = rig({ faults: [{ name: "used-flags-stray" }] }).bringUp();
    expect(driver.view.getUint16(driver.ring(0).device, true)).toBe(1);
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.verdicts).toEqual([]);
  },
  "event-bits-stray": () => {
    const driver = mmioRig(2, { faults: [{ name: "event-bits-stray" }] }).bringUp();
    expect(driver.look("interruptStatus") & ~3).toBe(~3);
  },
  "queue-hangs": () => {
    const completion = { kind: "late", ms: 1 } as const;
    const driver = rig({ completion, offer: { ringReset: true } })
      .accepts([40])
      .bringUp();
    driver.post(0, frames(1));
    driver.kick(0);
    driver.machine.inject({ name: "queue-hangs", queue: 0 });
    driver.post(0, frames(1, 300), 1);
    driver.kick(0);
    driver.machine.run();
    expect(driver.collect(0)).toEqual([]);
    expect(driver.machine.inflatingPages).toBe(2);
    expect(driver.machine.requestStats()).toBe(true);
    driver.set("queueSelect", 0);
    driver.set("queueReset", 1);
    expect(driver.get("queueReset")).toBe(0);
    driver.setUpQueue(0);
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.verdicts).toEqual([]);
  },
  "hint-id-stale": () => {
    const driver = rig({ offer: { freePageHint: true } })
      .accepts([3])
      .bringUp();
    expect(driver.machine.startHinting()).toBe(2);
    driver.command(3, driver.readHintId());
    driver.machine.stopHinting();
    driver.machine.inject({ name: "hint-id-stale" });
    expect(driver.machine.startHinting()).toBe(2);
    driver.lend(3, [[300, 4]]);
    driver.command(3, 0);
    driver.interrupt();
    expect(driver.machine.hintedPages).toBe(4);
    expect(driver.machine.check()).toEqual([]);
    expect(driver.machine.startHinting()).toBe(3);
  },
  "hint-done-early": () => {
    const faults = [{ name: "hint-done-early", after: 1 }] as const;
    const driver = rig({ offer: { freePageHint: true }, faults })
      .accepts([3])
      .bringUp();
    driver.machine.startHinting();
    driver.command(3, driver.readHintId());
    driver.lend(3, [[300, 4]]);
    expect(driver.machine.hintedPages).toBe(4);
    driver.lend(3, [[310, 4]]);
    expect([driver.machine.hintedPages, driver.readHintId()]).toEqual([0, 1]);
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  },
  "refuse-features": () => {
    const driver = rig({ faults: [{ name: "refuse-features", times: 2 }] });
    driver.discover();
    const tries = [0, 1, 2].map(() => {
      driver.reset();
      return driver.negotiate();
    });
    expect(tries).toEqual([3, 3, 11]);
    expect(driver.machine.verdicts).toEqual([]);
  },
  "refuse-without-must-tell-host": () => {
    const driver = rig({ faults: [{ name: "refuse-without-must-tell-host" }], waive: ["D1"] });
    driver.discover();
    driver.reset();
    expect(driver.negotiate([0])).toBe(3);
    driver.reset();
    expect(driver.negotiate()).toBe(11);
  },
  "reset-never-clears": () => {
    const driver = rig({ faults: [{ name: "reset-never-clears" }] });
    driver.discover();
    driver.set("status", 0);
    for (let i = 0; i < 100; i += 1) expect(driver.get("status")).not.toBe(0);
    driver.set("status", 1);
    expect(broken(driver.machine)).toEqual(["G-RESET-WAIT"]);
  },
  "reset-slow": () => {
    const driver = rig({ faults: [{ name: "reset-slow", times: 3 }] });
    driver.discover();
    driver.set("status", 0);
    expect([0, 1, 2, 3].map(() => driver.get("status") === 0)).toEqual([false, false, false, true]);
    expect(driver.negotiate()).toBe(11);
    expect(driver.machine.verdicts).toEqual([]);
  },
  "queue-reset-slow": () => {
    const driver = resetQueueUnder({ name: "queue-reset-slow", times: 2 });
    expect([0, 1, 2, 3].map(() => driver.get("queueReset"))).toEqual([1, 1, 0, 0]);
    driver.setUpQueue(0);
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  },
  "queue-reset-never": () => {
    const driver = resetQueueUnder({ name: "queue-reset-never" });
    for (let i = 0; i < 100; i += 1) expect(driver.get("queueReset")).toBe(1);
    expect(driver.get("queueEnable")).toBe(1);
    driver.setUpQueue(0);
    expect(broken(driver.machine)).toEqual(["R-RESET-WAIT"]);
  },
  "vector-refused": () => {
    const { driver, msix } = withVector();
    driver.machine.inject({ name: "vector-refused", times: 2 });
    expect([0, 0, 0].map((vector) => msix.map("config", vector))).toEqual([0xffff, 0xffff, 0]);
    driver.machine.setTarget(1);
    expect(driver.machine.takeMessages()).toEqual([0]);
  },
  "message-lost": () => {
    const { driver, msix } = withVector();
    msix.map("config", 0);
    driver.machine.inject({ name: "message-lost" });
    driver.machine.setTarget(1);
    expect(driver.machine.interruptPending).toBe(false);
    driver.machine.setTarget(2);
    expect(driver.machine.takeMessages()).toEqual([0]);
  },
  gone: () => {
    const driver = goneUnder("gone");
    expect([driver.get("status"), driver.configRead(0)]).toEqual([0xff, 0xffff_ffff]);
    driver.machine.plug();
    expect(driver.configRead(0, 2)).toBe(0x1af4);
    driver.bringUp();
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  },
  "gone-zeros": () => {
    const driver = goneUnder("gone-zeros");
    expect([driver.get("status"), driver.configRead(0)]).toEqual([0, 0xffff_ffff]);
  },
  "generation-never-settles": () => {
    const driver = rig({ faults: [{ name: "generation-never-settles" }] }).bringUp();
    const seen = [0, 1, 2, 3].map(() => driver.get("generation"));
    expect(new Set(seen).size).toBe(4);
  },
  "needs-reset": () => {
    const driver = rig({ completion: { kind: "late", ms: 1 } }).bringUp();
    driver.post(0, frames(1));
    driver.kick(0);
    driver.machine.inject({ name: "needs-reset" });
    driver.machine.run();
    expect(driver.collect(0)).toEqual([]);
    expect(driver.interrupt()).toBe(2);
    expect(driver.get("status") & 0x40).toBe(0x40);
    driver.bringUp();
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
  },
};

describe("faults", () => {
  it.each(faults.map(({ name }) => name))("%s", (name) => {
    cases[name]();
  });

  it("say what they do and what is expected", () => {
    for (const { does, expected } of faults) expect(`${does}${expected}`).toMatch(/\..*\.$/s);
  });

  it("a slow reset that still shows DEVICE_NEEDS_RESET is not one that the next life owes", () => {
    const driver = rig().bringUp();
    driver.machine.inject({ name: "needs-reset" });
    driver.machine.inject({ name: "reset-slow", times: 2 });
    driver.bringUp();
    driver.machine.inject({ name: "needs-reset" });
    driver.kick(0);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it("never name as not in flight a buffer that waits to be taken, for it is the device's", () => {
    const driver = rig({ ringSize: 4, completion: { kind: "late", ms: 5 } }).bringUp();
    driver.machine.inject({ name: "used-id-not-in-flight", queue: 0 });
    driver.post(0, frames(1));
    driver.kick(0);
    driver.post(0, frames(1, 300), 1);
    driver.machine.run({ atRest: false });
    expect(driver.collect(0)).toEqual([2]);
  });

  it("wait for `after` buffers and can be armed later", () => {
    const driver = rig({ ringSize: 4 }).bringUp();
    driver.machine.inject({ name: "used-id-out-of-range", queue: 0, after: 1 });
    driver.post(0, frames(1));
    driver.post(0, frames(1, 300), 1);
    driver.kick(0);
    expect(driver.collect(0)).toEqual([0, 11]);
  });
});
