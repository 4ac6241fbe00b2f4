/** What looks like a breach and is none. */
import { describe, expect, it } from "vitest";
import type { MachineOptions } from "../../../../src/device/index.ts";
import { legacyRig } from "../drivers/legacy-driver.ts";
import { mmioRig } from "../drivers/mmio-driver.ts";
import { packedRig } from "../drivers/packed-driver.ts";
import { broken, FIRST_FRAME, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

const system = { subject: "system" } as const;

describe("actual, written byte by byte", () => {
  const inBytes = (driver: RawDriver, value: number) => {
    for (let at = 0; at < 4; at += 1) driver.write(4, 4 + at, 1, (value >> (8 * at)) & 0xff);
  };

  it.each(["legacy", "transitional"] as const)("counts with its last byte, %s", (transport) => {
    const driver = legacyRig({ transport, profile: "qemu" }).bringUp();
    driver.machine.setTarget(300);
    driver.readTarget();
    driver.move("inflate", frames(256));
    driver.move("inflate", frames(44, FIRST_FRAME + 256));
    driver.interrupt();
    const before = driver.machine.verdicts.length;
    inBytes(driver, 300);
    driver.machine.setTarget(200);
    driver.readTarget();
    driver.interrupt();
    driver.move("deflate", frames(100));
    inBytes(driver, 200);
    driver.machine.check();
    const seen = driver.machine.verdicts.slice(before).map(({ rule }) => rule);
    expect(new Set(seen)).toEqual(new Set(["D17", "Q-ACTUAL-BURST"]));
    expect(driver.machine.broken("D17")).toBe(8);
    expect(driver.machine.broken("D9")).toBe(0);
    expect(driver.machine.broken("Q-ACTUAL-EARLY")).toBe(0);
    expect(driver.machine.actual).toBe(200);
  });

  it("is still judged as a whole", () => {
    const driver = legacyRig({ profile: "qemu" }).bringUp();
    inBytes(driver, 0);
    expect(broken(driver.machine)).toEqual(["D17", "Q-ACTUAL-BURST"]);
    inBytes(driver, 5);
    expect(broken(driver.machine)).toEqual(["D17", "Q-ACTUAL-BURST", "Q-ACTUAL-EARLY"]);
  });
});

describe("an operating system", () => {
  it("may touch other devices, on PCI and beside the balloon's registers", () => {
    const touch = (options: Partial<MachineOptions>) => {
      const driver = rig(options);
      driver.configWrite(4, 2, 7, 2 << 3);
      const slots = mmioRig(2, options);
      for (const at of [0, 4, 8, 12]) slots.machine.hal.mmioRead(0xfeb0_0e00 - 0x200 + at, 4);
      return [...broken(driver.machine), ...broken(slots.machine)];
    };
    expect(touch({})).toEqual(["P-WRONG-DEVICE", "M-WRONG-DEVICE"]);
    expect(touch(system)).toEqual([]);
  });

  it("may read all of configuration space, and is judged once it has set the window", () => {
    const dump = (options: Partial<MachineOptions>) => {
      const driver = rig(options);
      driver.bdf = driver.find();
      for (let at = 0; at < 256; at += 4) driver.configRead(at);
      return driver;
    };
    expect(broken(dump({}).machine)).toEqual(["P-PCI-CFG-ALIGN"]);
    const driver = dump(system);
    expect(broken(driver.machine)).toEqual([]);
    let cap = driver.configRead(0x34, 1);
    while (driver.configRead(cap + 3, 1) !== 5) cap = driver.configRead(cap + 1, 1);
    driver.configWrite(cap + 12, 4, 3);
    driver.configRead(cap + 16);
    expect(broken(driver.machine)).toEqual(["P-PCI-CFG-ALIGN"]);
  });

  it("may be between a buffer and its notification when time passes, and not at rest", () => {
    const owing = (options: Partial<MachineOptions>) => {
      const driver = rig(options).bringUp();
      driver.describe(0, 0, driver.array(0, 0), 4);
      driver.offer(0, 0);
      return driver;
    };
    const { machine } = owing(system);
    machine.advance(1);
    machine.run();
    expect(broken(machine)).toEqual([]);
    machine.advance(1, { atRest: true });
    expect(broken(machine)).toEqual(["R-KICK-MISSING"]);
    const alone = owing({}).machine;
    alone.advance(1, { atRest: false });
    alone.run({ atRest: false });
    expect(broken(alone)).toEqual([]);
    alone.advance(1);
    expect(broken(alone)).toEqual(["R-KICK-MISSING"]);
  });
});

describe("with posted writes", () => {
  const posted = { postedWrites: true };

  it("a packed ring may be full when queue_enable arrives", () => {
    const enable = (options: Partial<MachineOptions>) => {
      const driver = packedRig(options);
      driver.discover();
      driver.reset();
      driver.negotiate();
      driver.setUpQueue(0, false);
      driver.view.setUint16(driver.slot(0, 3) + 14, 0x80, true);
      driver.set("queueEnable", 1);
      return broken(driver.machine);
    };
    expect(enable({})).toEqual(["R-PACKED-ZERO"]);
    expect(enable(posted)).toEqual([]);
  });

  it("many notifications may find what the first of them has served", () => {
    const driver = rig(posted).bringUp();
    for (let n = 0; n < 200; n += 1) driver.kick(0);
    expect(broken(driver.machine)).toEqual([]);
    expect(driver.machine.counters.idleNotifications).toBe(200);
  });

  it("a notification may arrive after the device asked for silence, and after its position", () => {
    const late = (options: Partial<MachineOptions>) => {
      const completion = { kind: "late", ms: 5 } as const;
      const offer = { eventIdx: false, notificationData: true };
      const driver = rig({ quietWhileBusy: true, completion, offer, ...options });
      driver.accepts([38]);
      driver.bringUp([29]);
      driver.post(0, frames(1));
      driver.kick(0);
      driver.post(0, frames(1, FIRST_FRAME + 1), 1);
      driver.write(2, driver.ring(0).notifyOff * driver.multiplier, 4, 0);
      return broken(driver.machine);
    };
    expect(late({})).toEqual(["P-NOTIFY-DATA", "R-KICK-SUPPRESSED"]);
    expect(late(posted)).toEqual([]);
  });
});
