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
