/** The statistics queue. One buffer, held until it is asked for. */
import { describe, expect, it } from "vitest";
import { broken, rig } from "../drivers/raw-driver.ts";

describe("statistics", () => {
  it("are held, asked for, and read as 64-bit numbers", () => {
    const driver = rig().bringUp();
    const { machine } = driver;
    expect(machine.stats).toMatchObject({ samples: 1, requests: 0, waiting: false });
    expect(driver.collect(2)).toEqual([]);
    expect(machine.requestStats()).toBe(true);
    expect(machine.stats.waiting).toBe(true);
    expect(driver.interrupt()).toBe(1);
    expect(driver.collect(2)).toEqual([0]);
    driver.postStats([4, 5, 6]);
    expect([...machine.stats.sample]).toEqual([
      [4, 1004n],
      [5, 1005n],
      [6, 1006n],
    ]);
    expect(machine.stats).toMatchObject({ samples: 2, requests: 1, waiting: false });
    expect(machine.check()).toEqual([]);
  });

  it("cannot be asked for twice without an answer, nor without the feature", () => {
    const driver = rig().bringUp();
    driver.machine.requestStats();
    expect(driver.machine.requestStats()).toBe(false);
    const without = rig({ offer: { statsVq: false } }).bringUp();
    expect(without.machine.requestStats()).toBe(false);
  });

  it("a second buffer sends the older one back", () => {
    const driver = rig().bringUp();
    driver.postStats([4, 5, 6], 1);
    expect(driver.collect(2)).toEqual([0]);
    expect(broken(driver.machine)).toEqual(["D18"]);
  });

  it("a buffer that is held stays as it is", () => {
    const driver = rig().bringUp();
    driver.view.setUint8(driver.array(2, 0) + 2, 77);
    driver.machine.requestStats();
    expect(broken(driver.machine)).toEqual(["R-BUFFER-CHANGED"]);
    driver.postStats();
    driver.view.setUint8(driver.array(2, 0) + 2, 77);
    driver.machine.audit();
    expect(driver.machine.broken("R-BUFFER-CHANGED")).toBe(2);
  });

  it("an empty buffer is not initialised", () => {
    const driver = rig().bringUp();
    driver.machine.requestStats();
    driver.postStats([]);
    expect(broken(driver.machine)).toEqual(["D20-INIT"]);
  });
});
