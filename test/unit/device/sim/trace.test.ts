/** Trace, clock and repeatability. Equal options and equal acts give equal traces. */
import { describe, expect, it } from "vitest";
import { frames, rig } from "../drivers/raw-driver.ts";

const act = (seed: number): string[] => {
  const driver = rig({ seed, completion: { kind: "scattered", ms: 9 } }).bringUp();
  for (let i = 0; i < 8; i += 1) driver.post(0, frames(2, 300 + 2 * i), i);
  driver.kick(0);
  driver.machine.run();
  driver.collect(0);
  return driver.machine.trace.lines();
};

describe("the trace", () => {
  it("is the same for the same seed and another for another", () => {
    expect(act(5)).toEqual(act(5));
    expect(act(6)).not.toEqual(act(5));
  });

  it("names fields, numbers entries and takes in the driver's log", () => {
    const driver = rig().bringUp();
    driver.machine.hal.log("info", "hello");
    const lines = driver.machine.trace.lines().join("\n");
    expect(lines).toMatch(/common write device_status width=1 value=0xf/);
    expect(lines).toMatch(/device write actual/);
    expect(lines).toMatch(/log info: hello/);
    expect(driver.machine.counters.logLines).toBe(1);
  });

  it("is bounded and counts what fell out", () => {
    const driver = rig().bringUp();
    for (let i = 0; i < 6000; i += 1) driver.machine.hal.log("debug", `${i}`);
    const { trace } = driver.machine;
    expect(trace.entries()).toHaveLength(4096);
    expect(trace.lost).toBe(trace.last - 4096);
    expect(trace.lines()[0]).toContain(`${trace.lost} earlier`);
    expect(trace.at(1)).toBeUndefined();
  });
});

describe("the clock", () => {
  it("moves by accesses and by advance, and never back", () => {
    const { machine } = rig({ accessMs: 0.5 });
    machine.hal.portRead(0x60, 1);
    expect(machine.hal.now()).toBe(1);
    machine.advance(10);
    expect(machine.nowMs).toBe(11);
  });
});

describe("the counters", () => {
  it("count accesses, notifications and interrupts", () => {
    const driver = rig().bringUp();
    const before = driver.machine.counters;
    driver.kick(0);
    driver.post(0, frames(1));
    driver.kick(0);
    const { accesses, notifications, idleNotifications, interrupts } = driver.machine.counters;
    expect(accesses - before.accesses).toBe(2);
    expect(notifications - before.notifications).toBe(2);
    expect(idleNotifications - before.idleNotifications).toBe(1);
    expect(interrupts - before.interrupts).toBe(1);
  });
});

describe("memory that grows", () => {
  it("is fetched anew", () => {
    const driver = rig().bringUp();
    driver.memory.grow(16);
    driver.move("inflate", frames(3));
    driver.machine.setTarget(3);
    driver.readTarget();
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
    expect(driver.view.getUint32(256 * 4096, true)).not.toBe(0);
  });
});
