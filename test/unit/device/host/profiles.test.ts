/** Each profile has the quirks of its original. What is asserted differs from `strict`. */
import { describe, expect, it } from "vitest";
import { profiles } from "../../../../src/device/index.ts";
import { broken, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

const bits = (driver: RawDriver): number[] => {
  const offer = driver.readOffer();
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (offer >> BigInt(bit)) & 1n);
};

const queueSizes = (driver: RawDriver): number[] => {
  const count = driver.get("numQueues");
  return Array.from({ length: count }, (_, n) => {
    driver.set("queueSelect", n);
    return driver.get("queueSize");
  });
};

describe.each([
  ["strict", [0, 1, 2, 28, 29, 32], [128, 128, 128], 8],
  ["qemu", [1, 4, 28, 29, 32, 40], [128, 128, 128], 16],
  ["v86", [1, 3, 32], [32, 32, 2, 64], 12],
  ["firecracker", [1, 2, 32], [256, 256, 256], 12],
  ["crosvm", [0, 1, 2, 29, 32], [128, 128, 128], 20],
  ["cloud-hypervisor", [2, 32], [128, 128], 8],
  ["libkrun", [1, 3, 5, 32], [256, 256, 256, 256, 256], 16],
] as const)("%s", (profile, offer, sizes, configBytes) => {
  it("offers its features and queues, and has its configuration length", () => {
    const driver = rig({ profile, waive: ["G-CONFIG-FEATURE"] }).bringUp();
    expect(bits(driver)).toEqual(offer);
    expect(queueSizes(driver)).toEqual(sizes);
    expect(driver.read(4, configBytes - 4, 4)).not.toBe(0xffffffff);
    expect(driver.machine.verdicts).toEqual([]);
    expect(driver.read(4, configBytes, 4)).toBe(0xffffffff);
    expect(["P-CONFIG-LENGTH", "P-HOLE"]).toContain(broken(driver.machine)[0]);
  });
});

describe("actual", () => {
  it.each([
    ["strict", 5, 0],
    ["qemu", 5, 5],
    ["crosvm", 5, 5],
    ["cloud-hypervisor", 5, 5],
    ["firecracker", 5, 0],
    ["v86", 1, 1],
    ["libkrun", 0, 0],
  ] as const)("%s: shows %i after a write, %i after a reset", (profile, written, afterReset) => {
    const driver = rig({ profile }).bringUp();
    driver.post(0, frames(1));
    driver.kick(0);
    driver.writeActual(5);
    expect(driver.read(4, 4, 4)).toBe(written);
    driver.set("status", 0);
    expect(driver.machine.actual).toBe(afterReset);
  });

  it("can be left over from an earlier guest", () => {
    const driver = rig({ profile: "qemu", staleActual: 77 });
    driver.discover();
    driver.reset();
    expect(driver.read(4, 4, 4)).toBe(77);
  });
});

describe("a buffer of 257 pages", () => {
  it.each([
    ["qemu", [0], 257],
    ["crosvm", [0], 257],
    ["firecracker", [], 0],
    ["cloud-hypervisor", [0], 0],
  ] as const)("%s returns %j and holds %i pages", (profile, back, held) => {
    const driver = rig({ profile }).bringUp();
    driver.post(0, frames(257));
    driver.kick(0);
    expect(driver.collect(0)).toEqual(back);
    expect(driver.machine.heldPages).toBe(held);
    expect(broken(driver.machine)).toEqual(["Q-BUFFER-CAP"]);
  });
});

describe("a chain of two descriptors", () => {
  it.each([
    ["qemu", 2],
    ["firecracker", 1],
  ] as const)("%s reads %i of them", (profile, read) => {
    const driver = rig({ profile }).bringUp();
    for (const i of [0, 1]) driver.view.setUint32(driver.array(0, i), 300 + i, true);
    driver.describe(0, 0, driver.array(0, 0), 4, 1, 1);
    driver.describe(0, 1, driver.array(0, 1), 4);
    driver.offer(0, 0);
    driver.kick(0);
    expect(driver.machine.heldPages).toBe(read);
  });
});

describe("libkrun", () => {
  it("never returns anything and asks for no statistics", () => {
    const driver = rig({ profile: "libkrun" }).bringUp();
    driver.post(0, frames(1));
    driver.kick(0);
    driver.machine.run();
    expect(driver.collect(0)).toEqual([]);
    expect(driver.machine.inflatingPages).toBe(1);
    expect(driver.machine.requestStats()).toBe(false);
    expect(driver.machine.check()).toEqual([]);
    driver.view.setUint32(driver.array(0, 0), 301, true);
    driver.machine.check();
    expect(broken(driver.machine)).toEqual(["R-BUFFER-CHANGED"]);
  });
});

describe("v86", () => {
  it("sits at 00:0b.0 with four I/O BARs and one notify address for two queues", () => {
    const driver = rig({ profile: "v86" }).bringUp();
    expect(driver.bdf).toBe(0x0b << 3);
    const bases = [0, 1, 2, 3].map((bar) => driver.configRead(0x10 + bar * 4));
    expect(bases).toEqual([0xd801, 0xd901, 0xd701, 0xd601]);
    expect(driver.rings.map(({ notifyOff }) => notifyOff)).toEqual([0, 0, 1]);
    expect(driver.multiplier).toBe(2);
    driver.machine.setTarget(1);
    driver.readTarget();
    driver.machine.setTarget(2);
    expect(driver.get("generation")).toBe(0);
  });

  it("answers odd widths as its port handlers do, and they are breaches all the same", () => {
    const driver = rig({ profile: "v86" }).bringUp();
    const { hal } = driver.machine;
    hal.portWrite(0xd800, 4, 1);
    expect(hal.portRead(0xd804, 1)).toBe(1);
    expect(hal.portRead(0xd804, 2)).toBe(0xffff);
    expect(hal.portRead(0xd812, 4)).toBe(4);
    hal.portWrite(0xd800, 1, 0);
    expect(hal.portRead(0xd800, 4)).toBe(1);
    expect(broken(driver.machine)).toEqual(["P-WIDTH"]);
    expect(driver.machine.broken("P-WIDTH")).toBe(4);
  });

  it("looks at the lower half of a statistic only", () => {
    for (const [profile, seen] of [
      ["v86", 7n],
      ["qemu", 0x1_0000_0007n],
    ] as const) {
      const driver = rig({ profile }).bringUp();
      driver.machine.requestStats();
      driver.view.setBigUint64(driver.array(2, 0) + 2, 0x1_0000_0007n, true);
      driver.offer(2, 0);
      driver.kick(2);
      expect(driver.machine.stats.sample.get(4)).toBe(seen);
    }
  });

  it("starts with all features accepted and ignores the upper half of addresses", () => {
    const driver = rig({ profile: "v86" });
    driver.discover();
    driver.reset();
    driver.set("featureSelect", 0);
    expect(driver.get("features")).toBe(0b1010);
    driver.set("queueSelect", 0);
    driver.set("desc", 0x1000);
    driver.set("descHigh", 7);
    expect([driver.get("desc"), driver.get("descHigh")]).toEqual([0x1000, 0]);
  });
});

describe("a profile of one's own", () => {
  it("is plain values", () => {
    const { strict } = profiles;
    const mine = { ...strict, name: "mine", balloon: { ...strict.balloon, configBytes: 16 } };
    const driver = rig({ profile: mine }).bringUp();
    expect(driver.machine.profile.name).toBe("mine");
    expect(driver.machine.check()).toEqual([]);
  });
});
