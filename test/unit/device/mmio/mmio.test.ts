/** The MMIO transport. What an access meets is asserted, not only that it is a breach. */
import { describe, expect, it } from "vitest";
import { profiles } from "../../../../src/device/index.ts";
import { BASE, type MmioDriver, mmioRig, NEIGHBOUR } from "../drivers/mmio-driver.ts";
import { broken, frames, rig } from "../drivers/raw-driver.ts";

const ONES = 0xffff_ffff;

/** Inflates and deflates once; the driver is up. */
function work(driver: MmioDriver): void {
  const { machine } = driver;
  machine.setTarget(256);
  expect(driver.readTarget()).toBe(256);
  driver.interrupt();
  driver.move("inflate", frames(256));
  expect(machine.heldPages).toBe(256);
  machine.setTarget(56);
  driver.interrupt();
  driver.move("deflate", frames(200));
  driver.interrupt();
  expect(machine.heldPages).toBe(56);
  expect(machine.actual).toBe(56);
  expect(machine.check()).toEqual([]);
}

describe.each([1, 2] as const)("version %i", (version) => {
  it.each(Object.keys(profiles) as (keyof typeof profiles)[])("comes up, profile %s", (profile) => {
    const driver = mmioRig(version, { profile }).bringUp();
    driver.machine.check();
    expect(driver.machine.status).toBe(version === 1 ? 7 : 15);
    expect(broken(driver.machine)).toEqual([]);
  });

  it.each([2, 128, 1024])("inflates and deflates with rings of %i", (ringSize) => {
    work(mmioRig(version, { ringSize }).bringUp());
  });

  it("says who it is", () => {
    const driver = mmioRig(version);
    const registers = ["magic", "version", "deviceId", "vendorId"] as const;
    const seen = registers.map((register) => driver.look(register));
    expect(seen).toEqual([0x7472_6976, version, 5, 0x1af4]);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("has one wire, up until every event is acknowledged", () => {
    const driver = mmioRig(version).bringUp();
    const { machine } = driver;
    machine.setTarget(1);
    driver.post(0, frames(1));
    driver.kick(0);
    machine.run();
    expect(driver.look("interruptStatus")).toBe(3);
    expect(driver.look("interruptStatus")).toBe(3);
    driver.put("interruptAck", 1);
    expect(machine.interruptPending).toBe(true);
    expect(driver.look("interruptStatus")).toBe(2);
    driver.put("interruptAck", 2);
    expect(machine.interruptPending).toBe(false);
    expect(broken(machine)).toEqual([]);
  });

  it("clears events and queues at a reset", () => {
    const driver = mmioRig(version).bringUp();
    driver.machine.setTarget(1);
    driver.reset();
    expect(driver.look("interruptStatus")).toBe(0);
    driver.put("queueSelect", 0);
    expect(driver.look(version === 1 ? "queuePfn" : "queueReady")).toBe(0);
    driver.negotiate();
    driver.setUpQueues();
    driver.start();
    driver.move("inflate", frames(1));
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("has the registers of its version and no other, and none for features not accepted", () => {
    const driver = mmioRig(version).bringUp();
    const foreign =
      version === 1
        ? (["queueReady", "desc", "sharedLength", "queueReset", "generation"] as const)
        : (["pageSize", "queueAlign", "queuePfn", "queueReset"] as const);
    expect(foreign.map((register) => driver.look(register))).toEqual(foreign.map(() => ONES));
    expect(broken(driver.machine)).toEqual(["M-NO-REGISTER"]);
    expect(driver.machine.broken("M-NO-REGISTER")).toBe(foreign.length);
  });

  it("keeps what an access in parts or against a direction would change", () => {
    const driver = mmioRig(version).bringUp();
    const { machine } = driver;
    machine.hal.mmioWrite(BASE + 0x70, 1, 0);
    driver.put("magic", 7);
    driver.write(4, 4, 2, 9);
    expect(machine.status).toBe(version === 1 ? 7 : 15);
    expect(driver.look("magic")).toBe(0x7472_6976);
    expect(machine.actual).toBe(0);
    expect(driver.look("queueSelect")).toBe(0);
    expect(driver.read(4, 8, 4)).toBe(ONES);
    expect(broken(machine)).toEqual([
      "M-WIDTH",
      "M-READ-ONLY",
      "D17",
      "M-WRITE-ONLY",
      "P-CONFIG-LENGTH",
    ]);
  });
});

describe("version 2", () => {
  it("takes a queue out of use, and in again", () => {
    const driver = mmioRig(2).bringUp();
    driver.put("queueSelect", 0);
    expect(driver.look("queueReady")).toBe(1);
    driver.put("queueReady", 0);
    expect(driver.look("queueReady")).toBe(0);
    driver.setUpQueue(0);
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("minds at rest that a queue out of use was not looked at", () => {
    const driver = mmioRig(2).bringUp();
    driver.put("queueSelect", 1);
    driver.put("queueReady", 0);
    expect(broken(driver.machine)).toEqual([]);
    driver.machine.check();
    expect(broken(driver.machine)).toEqual(["M-READY-READ-BACK"]);
  });

  it("shows no shared memory by all ones", () => {
    const driver = mmioRig(2).bringUp();
    driver.put("sharedSelect", 0);
    const parts = ["sharedLength", "sharedLengthHigh", "sharedBase", "sharedBaseHigh"] as const;
    expect(parts.map((part) => driver.look(part))).toEqual([ONES, ONES, ONES, ONES]);
    expect(broken(driver.machine)).toEqual(["M-SHARED-MEMORY"]);
  });

  it("shows another generation once a configuration that was read has changed", () => {
    const driver = mmioRig(2).bringUp();
    const before = driver.look("generation");
    driver.readTarget();
    expect(driver.look("generation")).toBe(before);
    driver.machine.setTarget(1);
    expect(driver.look("generation")).not.toBe(before);
  });

  it("takes both halves of an address", () => {
    const driver = mmioRig(2);
    driver.discover();
    driver.reset();
    driver.negotiate();
    driver.setUpQueue(0, false);
    driver.put("deviceHigh", 1);
    driver.put("queueReady", 1);
    expect(driver.look("queueReady")).toBe(0);
    expect(broken(driver.machine)).toEqual(["R-MEMORY"]);
  });

  it("resets one queue by itself, with the register for it", () => {
    const driver = mmioRig(2, { offer: { ringReset: true } })
      .accepts([40])
      .bringUp() as MmioDriver;
    driver.machine.inject({ name: "queue-reset-slow", times: 2 });
    driver.put("queueSelect", 0);
    driver.put("queueReset", 1);
    expect([1, 2, 3].map(() => driver.look("queueReset"))).toEqual([1, 1, 0]);
    expect(driver.look("queueReady")).toBe(0);
    driver.setUpQueue(0);
    driver.move("inflate", frames(1));
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("resets none without that register, as one host has it: QueueReady stays 1", () => {
    const driver = mmioRig(2, { profile: "qemu" }).accepts([40]).bringUp() as MmioDriver;
    expect(driver.has(40)).toBe(true);
    driver.put("queueSelect", 0);
    driver.put("queueReset", 1);
    expect(driver.look("queueReset")).toBe(0);
    expect(driver.look("queueReady")).toBe(1);
    driver.move("inflate", frames(1));
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });
});

/** Brings version 1 up to queue 0, which is placed although `leaveOut` was not written. */
function placed(leaveOut: "pageSize" | "queueSize" | "queueAlign"): MmioDriver {
  const driver = mmioRig(1);
  driver.look("magic");
  driver.version = driver.look("version");
  driver.look("deviceId");
  if (leaveOut !== "pageSize") driver.put("pageSize", 4096);
  driver.reset();
  driver.negotiate();
  driver.put("queueSelect", 0);
  driver.look("queueSizeMax");
  if (leaveOut !== "queueSize") driver.put("queueSize", 128);
  if (leaveOut !== "queueAlign") driver.put("queueAlign", 4096);
  driver.put("queuePfn", 1);
  return driver;
}

describe("version 1", () => {
  it("has one word of features, and no FEATURES_OK", () => {
    const driver = mmioRig(1);
    driver.discover();
    driver.reset();
    expect(driver.readOffer() >> 32n).toBe(0n);
    expect(driver.negotiate()).toBe(3);
  });

  it("finds queues by pages of the guest's size and aligns used rings as told", () => {
    const driver = mmioRig(1, { offer: { statsVq: false } });
    driver.discover();
    driver.put("pageSize", 0x8000);
    driver.reset();
    driver.negotiate();
    for (const n of [0, 1]) {
      driver.setUpQueue(n, false);
      driver.put("queueAlign", 64);
      const desc = 0x8000 * (n + 1);
      const available = desc + 128 * 16;
      const used = Math.ceil((available + 6 + 128 * 2) / 64) * 64;
      Object.assign(driver.ring(n), { desc, driver: available, device: used });
      new Uint8Array(driver.memory.buffer, desc, 0x8000).fill(0);
      driver.put("queuePfn", n + 1);
      expect(driver.look("queuePfn")).toBe(n + 1);
    }
    driver.start();
    driver.move("inflate", frames(3));
    expect(driver.machine.heldPages).toBe(3);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it("counts it against a driver that takes a queue out of use by page 0, and does it", () => {
    const driver = mmioRig(1).bringUp();
    driver.put("queueSelect", 0);
    driver.put("queuePfn", 0);
    expect(driver.look("queuePfn")).toBe(0);
    expect(broken(driver.machine)).toEqual(["L-QUEUE-MOVED"]);
  });

  it("keeps the page size over a reset", () => {
    const driver = mmioRig(1).bringUp();
    driver.reset();
    driver.negotiate();
    driver.setUpQueues();
    expect(driver.look("queuePfn")).toBeGreaterThan(0);
    expect(broken(driver.machine)).toEqual([]);
  });

  it.each([
    ["pageSize", "M-PAGE-SIZE"],
    ["queueSize", "M-QUEUE-UNSET"],
    ["queueAlign", "M-QUEUE-UNSET"],
  ] as const)("places no queue without %s", (leaveOut, rule) => {
    const driver = placed(leaveOut);
    expect(driver.look("queuePfn")).toBe(0);
    expect(broken(driver.machine)).toEqual([rule]);
  });

  it("shows the largest size only while the queue is free", () => {
    const driver = mmioRig(1).bringUp();
    driver.put("queueSelect", 1);
    expect(driver.look("queueSizeMax")).toBe(128);
    expect(broken(driver.machine)).toEqual(["M-QUEUE-BUSY"]);
  });
});

describe("around the balloon", () => {
  it("stand slots to be left alone, and nobody elsewhere", () => {
    const driver = mmioRig(2);
    const { hal } = driver.machine;
    const identities = Object.values(NEIGHBOUR).map((at) =>
      [0, 4].map((offset) => hal.mmioRead(at + offset, 4)),
    );
    const magic = 0x7472_6976;
    const expected = [
      [0x1234_5678, 2],
      [magic, 3],
      [magic, 2],
      [magic, 2],
    ];
    expect(identities).toEqual(expected);
    expect(hal.mmioRead(NEIGHBOUR.empty + 8, 4)).toBe(0);
    expect(hal.mmioRead(NEIGHBOUR.entropy + 8, 4)).toBe(4);
    expect(hal.mmioRead(BASE + 0x200, 4)).toBe(ONES);
    expect(hal.portRead(0xcfc, 4)).toBe(ONES);
    hal.mmioWrite(BASE - 0x1000, 4, 1);
    hal.portWrite(0xcf8, 4, 0x8000_0000);
    expect(broken(driver.machine)).toEqual([]);
  });

  it.each([
    ["magic", 8, "M-FOREIGN"],
    ["version", 8, "M-FOREIGN"],
    ["empty", 0x70, "M-PLACEHOLDER"],
    ["entropy", 0x70, "M-WRONG-DEVICE"],
  ] as const)("%s: a touch at offset %i is minded", (name, offset, rule) => {
    const driver = mmioRig(2);
    driver.base = NEIGHBOUR[name];
    if (offset === 8) for (const register of ["magic", "version"] as const) driver.look(register);
    else driver.discover();
    driver.machine.hal.mmioRead(NEIGHBOUR[name] + offset, 4);
    expect(broken(driver.machine)).toEqual([rule]);
    driver.machine.hal.mmioWrite(NEIGHBOUR[name] + 0x70, 4, 0);
    expect(driver.machine.broken(rule)).toBe(2);
  });

  it("may be nothing, and the balloon elsewhere, also above 4 GiB", () => {
    const base = 0x12_0000_1000;
    const driver = mmioRig(2, { mmio: { base, bytes: 0x1000, decoys: false } });
    driver.base = base;
    driver.bringUp();
    work(driver);
    expect(driver.machine.hal.mmioRead(BASE, 4)).toBe(ONES);
  });

  it("stay when the balloon is taken out; nothing is in its place, by ones or by zeros", () => {
    for (const [absent, seen] of [
      ["ones", ONES],
      ["zeros", 0],
    ] as const) {
      const driver = mmioRig(2).bringUp() as MmioDriver;
      driver.machine.unplug(absent);
      expect(driver.look("status")).toBe(seen);
      expect(driver.machine.hal.mmioRead(NEIGHBOUR.empty, 4)).toBe(0x7472_6976);
      driver.machine.plug();
      driver.bringUp();
      expect(driver.machine.check({ memoryShort: true })).toEqual([]);
    }
  });

  it.each([{ base: 0x10_0000 }, { base: 0xfeb0_0e02 }, { bytes: 0x104 }])(
    "is no place for %o",
    (mmio) => {
      expect(() => rig({ transport: "mmio", mmio })).toThrow(/mmio: seen slots .* multiple of 4/);
    },
  );

  it("are no messages", () => {
    expect(() => rig({ transport: "mmio", vectors: 2 })).toThrow(/mmio has one wire/);
  });
});
