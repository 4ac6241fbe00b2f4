/** The PCI face. What a wrong access meets is asserted, not only that it is a breach. */
import { describe, expect, it } from "vitest";
import { broken, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

const finds = (driver: RawDriver): string[] => {
  const found: string[] = [];
  for (let bdf = 0; bdf < 512; bdf += 1) {
    const id = driver.configRead(0, 4, bdf);
    if (id !== 0xffffffff) found.push(`${bdf.toString(16)} ${id.toString(16)}`);
  }
  return found;
};

describe("configuration space", () => {
  it("shows the host bridge, decoys and the balloon, and ones elsewhere", () => {
    const driver = rig();
    expect(finds(driver)).toEqual(["0 12378086", "10 10051af4", "20 10451af4", "27 10441af4"]);
  });

  it("shows a bridge when the balloon stands behind it", () => {
    const driver = rig({ profile: "qemu", pci: { bus: 1, device: 3, function: 2 } }).bringUp();
    expect(finds(driver)).toEqual([
      "0 12378086",
      "10 10051af4",
      "e0 11b36",
      "118 10441af4",
      "11a 10451af4",
    ]);
    expect(driver.configRead(0x18, 4, 0xe0)).toBe(0x00010100);
    expect(driver.configRead(0x0e, 1, 0xe0)).toBe(1);
    expect(driver.configRead(0x0e, 1, 0x118)).toBe(0x80);
    driver.move("inflate", frames(1));
    expect(driver.machine.heldPages).toBe(1);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("is read and written by bytes and words", () => {
    const driver = rig();
    driver.discover();
    expect(driver.configRead(0, 2)).toBe(0x1af4);
    expect(driver.configRead(2, 2)).toBe(0x1045);
    expect(driver.configRead(3, 1)).toBe(0x10);
    driver.configWrite(0x3c, 1, 11);
    expect(driver.configRead(0x3c, 4) & 0xff).toBe(11);
  });

  it("is silent while the enable bit of the address is 0", () => {
    const driver = rig();
    driver.machine.hal.portWrite(0xcf8, 4, 0x2000);
    expect(driver.machine.hal.portRead(0xcfc, 4)).toBe(0xffffffff);
    expect(driver.machine.hal.portRead(0xcf8, 4)).toBe(0x2000);
  });
});

describe("BARs", () => {
  it("are sized by writing ones, and can be moved", () => {
    const driver = rig();
    driver.discover();
    const sizes = [0, 1, 2, 4, 5].map((bar) => {
      const was = driver.configRead(0x10 + bar * 4);
      driver.configWrite(0x10 + bar * 4, 4, 0xffffffff);
      const mask = driver.configRead(0x10 + bar * 4);
      driver.configWrite(0x10 + bar * 4, 4, was);
      return mask;
    });
    expect(sizes).toEqual([0xffffff01, 0xfffff000, 0, 0xffffc00c, 0xffffffff]);
    driver.configWrite(0x20, 4, 0x80000000);
    driver.configWrite(0x24, 4, 1);
    driver.structures.set(1, { kind: "memory", base: 0x1_8000_0000 });
    expect(driver.get("numQueues")).toBe(3);
  });

  it("lie above 4 GiB with some hosts", () => {
    const driver = rig({ profile: "firecracker" }).bringUp();
    expect(driver.structures.get(1)?.base).toBe(0x40_0000_0000);
  });

  it("answer ones while decoding is off", () => {
    const driver = rig().bringUp();
    driver.configWrite(4, 2, 0);
    expect(driver.get("status")).toBe(0xff);
    driver.set("status", 0);
    driver.configWrite(4, 2, 7);
    expect(driver.get("status")).toBe(15);
    expect(broken(driver.machine)).toEqual(["P-DECODE-OFF"]);
  });

  it("answer ones where nobody is, which is only noted", () => {
    const driver = rig().bringUp();
    expect(driver.machine.hal.mmioRead(0x5000_0000, 2)).toBe(0xffff);
    expect(driver.machine.hal.portRead(0x60, 1)).toBe(0xff);
    driver.machine.hal.portWrite(0x60, 1, 0);
    expect(driver.machine.trace.entries().filter(({ kind }) => kind === "hole")).toHaveLength(3);
    expect(driver.machine.verdicts).toEqual([]);
  });
});

describe("bus mastering", () => {
  it("a queue is not read while it is off", () => {
    const driver = rig().bringUp();
    driver.configWrite(4, 2, 3);
    driver.post(0, frames(1));
    driver.kick(0);
    expect(driver.collect(0)).toEqual([]);
    driver.configWrite(4, 2, 7);
    driver.kick(0);
    expect(driver.collect(0)).toEqual([0]);
    expect(broken(driver.machine)).toEqual(["P-BUS-MASTER"]);
  });
});

describe("the configuration access window", () => {
  it("reaches the structures", () => {
    const driver = rig({ profile: "qemu" }).bringUp();
    const at = driver.configRead(0x34, 1);
    expect(driver.configRead(at + 3, 1)).toBe(5);
    driver.configWrite(at + 4, 1, 4);
    driver.configWrite(at + 8, 4, 0x12);
    driver.configWrite(at + 12, 4, 2);
    expect(driver.configRead(at + 16, 2)).toBe(3);
    driver.configWrite(at + 8, 4, 0x2004);
    driver.configWrite(at + 12, 4, 4);
    driver.move("inflate", frames(1));
    driver.machine.setTarget(2);
    driver.move("inflate", frames(1, 300));
    expect(driver.configRead(at + 16, 4)).toBe(2);
    expect(driver.machine.verdicts).toEqual([]);
  });
});

describe("odd widths", () => {
  it("strict answers ones; others answer bytes", () => {
    const strict = rig().bringUp();
    expect(strict.read(1, 18, 1)).toBe(0xff);
    strict.write(4, 4, 2, 9);
    expect(strict.machine.actual).toBe(0);
    expect(broken(strict.machine)).toEqual(["P-WIDTH", "D17"]);
    const qemu = rig({ profile: "qemu" }).bringUp();
    expect(qemu.read(1, 18, 1)).toBe(3);
    qemu.write(4, 4, 2, 9);
    expect(qemu.machine.actual).toBe(9);
  });
});

describe("options", () => {
  it.each([1, 3, 2048])("ring size %i is refused", (ringSize) => {
    expect(() => rig({ ringSize })).toThrow(/ringSize/);
  });

  it("an unknown profile and a bad target are refused", () => {
    expect(() => rig({ profile: "nobody" as "qemu" })).toThrow(/nobody/);
    expect(() => rig().machine.setTarget(-1)).toThrow(/setTarget/);
  });
});
