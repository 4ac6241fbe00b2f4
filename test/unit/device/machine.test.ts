/** A driver that does everything right meets no verdict. Every test ends with a check. */
import { describe, expect, it } from "vitest";
import { profiles } from "../../../src/device/index.ts";
import { broken, FIRST_FRAME, frames, rig } from "./drivers/raw-driver.ts";

describe.each(Object.keys(profiles) as (keyof typeof profiles)[])("profile %s", (profile) => {
  it("comes up without a verdict", () => {
    const driver = rig({ profile }).bringUp();
    driver.machine.check();
    expect(driver.machine.status).toBe(15);
    expect(broken(driver.machine)).toEqual([]);
  });
});

describe.each(["strict", "qemu", "v86", "firecracker", "crosvm", "cloud-hypervisor"] as const)(
  "with profile %s",
  (profile) => {
    it.each([2, undefined])("inflates and deflates, ring size %s", (ringSize) => {
      const driver = rig({ profile, ...(ringSize ? { ringSize } : {}) }).bringUp();
      const { machine } = driver;
      machine.setTarget(256);
      expect(driver.readTarget()).toBe(256);
      driver.interrupt();
      driver.move("inflate", frames(256));
      expect(machine.heldPages).toBe(256);
      expect(machine.actual).toBe(256);
      expect(machine.check()).toEqual([]);
      machine.setTarget(56);
      driver.readTarget();
      driver.move("deflate", frames(200));
      driver.interrupt();
      expect(machine.heldPages).toBe(56);
      expect(machine.actual).toBe(56);
      expect(machine.pageState(FIRST_FRAME)).toBe("guest");
      expect(machine.pageState(FIRST_FRAME + 200)).toBe("held");
      expect(machine.check()).toEqual([]);
    });
  },
);

describe("what looks like a breach and is none", () => {
  it("a queue made smaller than offered", () => {
    const driver = rig();
    driver.discover();
    driver.reset();
    driver.negotiate();
    driver.set("queueSelect", 0);
    driver.set("queueSize", 4);
    driver.setUpQueues();
    driver.start();
    for (let i = 0; i < 9; i += 1) driver.move("inflate", frames(1, 300 + i));
    expect(driver.machine.heldPages).toBe(9);
    expect(driver.machine.check()).toEqual([]);
  });

  it("65,536 buffers and more: all indices wrap", () => {
    const driver = rig({ ringSize: 2, canary: false }).bringUp();
    for (let i = 0; i < 33_000; i += 1) {
      driver.move("inflate", frames(1));
      driver.move("inflate", frames(1, 300));
      driver.move("deflate", frames(1));
      driver.move("deflate", frames(1, 300));
    }
    expect(driver.rings[0]?.idx).toBe(66_000 % 65_536);
    expect(driver.machine.check()).toEqual([]);
  });

  it("config_generation changes once a value that was read has changed", () => {
    const driver = rig().bringUp();
    const before = driver.get("generation");
    driver.readTarget();
    expect(driver.get("generation")).toBe(before);
    driver.machine.setTarget(1);
    driver.machine.setTarget(2);
    const after = driver.get("generation");
    expect(after).not.toBe(before);
    driver.machine.setTarget(3);
    expect(driver.get("generation")).toBe(after);
  });
});
