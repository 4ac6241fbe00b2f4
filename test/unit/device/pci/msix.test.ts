/** MSI-X of the device, step by step. What is sent is asserted, and what is kept back. */
import { describe, expect, it } from "vitest";
import type { MachineOptions } from "../../../../src/device/index.ts";
import { broken, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";
import { RawMsix } from "../drivers/raw-msix.ts";

const NO_VECTOR = 0xffff;

/** A driver that is up, with MSI-X off. */
const withMsix = (options: Partial<MachineOptions> = {}): { driver: RawDriver; msix: RawMsix } => {
  const driver = rig({ vectors: 4, ...options }).bringUp();
  return { driver, msix: new RawMsix(driver) };
};

/** The same with four messages: 0 for the configuration, 1 for inflateq, 2 and 3 for nobody. */
const live = (): { driver: RawDriver; msix: RawMsix } => {
  const driver = rig({ vectors: 4, offer: { ringReset: true } });
  driver.discover();
  driver.reset();
  driver.knows |= 1n << 40n;
  driver.negotiate();
  const msix = new RawMsix(driver);
  msix.setUp(4);
  expect([msix.map("config", 0), msix.map(0, 1)]).toEqual([0, 1]);
  driver.setUpQueues();
  driver.start();
  driver.machine.takeMessages();
  return { driver, msix };
};

const inflate = (driver: RawDriver, first: number): void => {
  driver.post(0, frames(1, first));
  driver.kick(0);
  expect(driver.collect(0)).toHaveLength(1);
};

describe("the capability", () => {
  it.each([1, 2, 64, 128])("says %i vectors", (vectors) => {
    const { driver, msix } = withMsix({ vectors });
    expect(msix.vectors).toBe(vectors);
    expect(msix.pending).toBe(msix.table + 0x800);
    expect(msix.read(vectors - 1, 3)).toBe(1);
    expect(driver.machine.hal.mmioRead(msix.pending + Math.ceil(vectors / 64) * 8 - 4, 4)).toBe(0);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("is not there without vectors, and its BAR is where there is room", () => {
    expect(() => new RawMsix(rig().bringUp())).toThrow("no MSI-X");
    for (const profile of ["qemu", "v86", "firecracker", "libkrun"] as const) {
      expect(new RawMsix(rig({ profile, vectors: 2 }).bringUp()).vectors).toBe(2);
    }
    const bars = [0, 2, 4].map((index) => {
      return { index, kind: "mem64", bytes: 0x4000, base: 0x1_0000_0000 * (1 + index) } as const;
    });
    expect(() => rig({ vectors: 1, pci: { bars } })).toThrow(/no room/);
    for (const vectors of [-1, 0.5, 129]) expect(() => rig({ vectors })).toThrow(/vectors/);
  });

  it("takes writes to its control alone", () => {
    const { driver, msix } = withMsix();
    driver.configWrite(msix.at + 2, 2, 0xffff);
    expect(driver.configRead(msix.at + 2, 2)).toBe(0xc003);
    driver.configWrite(msix.at + 4, 4, 0);
    expect(driver.configRead(msix.at + 4)).not.toBe(0);
  });
});

describe("messages", () => {
  it("are sent for what they are mapped to, and the line stays down", () => {
    const { driver } = live();
    driver.machine.setTarget(3);
    expect(driver.machine.takeMessages()).toEqual([0]);
    inflate(driver, 300);
    expect(driver.machine.takeMessages()).toEqual([1]);
    expect(driver.machine.interruptPending).toBe(false);
    driver.writeActual(1);
    expect(driver.machine.check({ memoryShort: true })).toEqual([]);
  });

  it("are told to the listener, as a line is", () => {
    const { driver } = live();
    const heard: (readonly number[])[] = [];
    driver.machine.onInterrupt = () => heard.push(driver.machine.takeMessages());
    driver.machine.setTarget(3);
    driver.machine.spuriousInterrupt();
    expect(heard).toEqual([[0], [0], [1]]);
  });

  it("do not touch the queue's bit of the ISR status, and the line is back without them", () => {
    const { driver, msix } = live();
    inflate(driver, 300);
    msix.disable();
    expect(driver.machine.interruptPending).toBe(true);
    expect(driver.machine.takeMessages()).toEqual([1]);
    expect(driver.machine.interruptPending).toBe(false);
    driver.machine.setTarget(3);
    expect(driver.interrupt()).toBe(2);
    inflate(driver, 301);
    expect(driver.interrupt()).toBe(1);
  });

  it("wait behind the mask of their entry, once", () => {
    const { driver, msix } = live();
    msix.write(0, 3, 1);
    driver.machine.setTarget(3);
    driver.machine.setTarget(4);
    expect(driver.machine.takeMessages()).toEqual([]);
    expect(driver.machine.hal.mmioRead(msix.pending, 4)).toBe(1);
    msix.unmask(0);
    expect(driver.machine.takeMessages()).toEqual([0]);
    expect(driver.machine.hal.mmioRead(msix.pending, 4)).toBe(0);
  });

  it("wait behind the mask of the function", () => {
    const { driver, msix } = live();
    msix.mask();
    driver.machine.setTarget(3);
    inflate(driver, 300);
    expect(driver.machine.hal.mmioRead(msix.pending, 4)).toBe(3);
    msix.enable();
    expect(driver.machine.takeMessages()).toEqual([0, 1]);
  });

  it("go where an entry says that was rewritten behind its mask", () => {
    const { driver, msix } = live();
    const [more] = driver.machine.hal.interrupts?.allocate(1) ?? [];
    msix.write(0, 3, 1);
    msix.fill(0, more as NonNullable<typeof more>);
    msix.unmask(0);
    driver.machine.setTarget(3);
    expect(driver.machine.takeMessages()).toEqual([4]);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("are not sent while bus mastering is off", () => {
    const { driver } = live();
    driver.configWrite(4, 2, 3);
    driver.machine.setTarget(3);
    driver.configWrite(4, 2, 7);
    driver.machine.setTarget(4);
    expect(driver.machine.takeMessages()).toEqual([0]);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it("are as many as the machine has", () => {
    const { hal } = rig({ messages: 3 }).machine;
    const first = hal.interrupts?.allocate(2) ?? [];
    expect(hal.interrupts?.allocate(2)).toBeUndefined();
    const all = [...first, ...(hal.interrupts?.allocate(1) ?? [])];
    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(3);
    expect(rig({ messages: 0 }).machine.hal.interrupts).toBeUndefined();
  });
});

describe("vectors", () => {
  it("are forgotten by a reset of the device, and of a queue", () => {
    const { driver, msix } = live();
    driver.set("queueSelect", 0);
    driver.set("queueReset", 1);
    expect(driver.get("queueReset")).toBe(0);
    expect(driver.get("queueVector")).toBe(NO_VECTOR);
    expect(driver.get("configVector")).toBe(0);
    driver.reset();
    expect(driver.get("configVector")).toBe(NO_VECTOR);
    expect(msix.read(0, 2)).not.toBe(0);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it("are unmapped by NO_VECTOR: then nothing is sent", () => {
    const { driver, msix } = live();
    expect(msix.map("config", NO_VECTOR)).toBe(NO_VECTOR);
    driver.machine.setTarget(3);
    expect(driver.machine.takeMessages()).toEqual([]);
    expect(driver.machine.interruptPending).toBe(false);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it("beyond the table are refused", () => {
    const { driver, msix } = live();
    expect(msix.map("config", 4)).toBe(NO_VECTOR);
    expect(broken(driver.machine)).toEqual(["P-MSIX-VECTOR"]);
  });

  it("of a queue come before it is enabled", () => {
    const { driver, msix } = live();
    expect(msix.map(0, 2)).toBe(1);
    expect(broken(driver.machine)).toEqual(["P-ENABLE-ORDER"]);
  });
});

describe("pending bits", () => {
  it("are not written", () => {
    const { driver, msix } = live();
    driver.machine.hal.mmioWrite(msix.pending, 4, 1);
    expect(broken(driver.machine)).toEqual(["P-PENDING-WRITE"]);
  });
});
