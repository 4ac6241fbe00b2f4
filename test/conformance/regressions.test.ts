/**
 * Bugs that the driver once had, each as the shortest script that showed it.
 *
 * A test here is named after what went wrong, and fails on the driver of that day.
 */
import { describe, expect, it } from "vitest";
import { createTestVm, verdictLines } from "../support/vm.ts";

describe("bugs of the past", () => {
  it("a target lowered amid an inflate took pages back for those still on their way", async () => {
    const vm = await createTestVm({
      settings: { reservePages: 0 },
      machine: { offer: { deflateOnOom: false }, completion: { kind: "late", ms: 5 } },
    });
    vm.machine.setTarget(1);
    vm.settle();
    vm.machine.setTarget(2);
    vm.balloon.interrupt();
    expect(vm.balloon.status().inFlight.inflatePages).toBe(1);

    vm.machine.setTarget(1);
    vm.balloon.interrupt();
    expect(vm.balloon.status().inFlight.deflatePages).toBe(0);
    vm.settle();
    expect(vm.machine.heldPages).toBe(1);
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it("a stopped driver still showed the actual of the device that it had reset", async () => {
    const vm = await createTestVm({ settings: { reservePages: 0 } });
    vm.machine.setTarget(9);
    vm.settle();
    expect(vm.balloon.status().actualPages).toBe(9);

    await vm.balloon.stop();
    const { state, actualPages, queues } = vm.balloon.status();
    expect({ state, actualPages, queues }).toEqual({
      state: "stopped",
      actualPages: 0,
      queues: [],
    });
  });

  it("amid a slow reset the status counted fewer than no pages in flight", async () => {
    const vm = await createTestVm({
      settings: { reservePages: 0 },
      machine: { completion: { kind: "never" } },
    });
    vm.machine.setTarget(3);
    vm.balloon.interrupt();
    vm.machine.inject({ name: "reset-slow", times: 1 });
    vm.machine.inject({ name: "needs-reset" });
    vm.balloon.interrupt();
    const { state, inFlight, frames } = vm.balloon.status();
    expect({ state, inflating: frames.inflating }).toEqual({ state: "starting", inflating: 3 });
    expect(inFlight).toEqual({ inflatePages: 3, deflatePages: 0 });
    vm.settle();
    expect(vm.balloon.status().inFlight).toEqual({ inflatePages: 3, deflatePages: 0 });
  });

  it("after a reset a target out of reach was chased by one buffer every half minute", async () => {
    const vm = await createTestVm({
      frames: 64,
      settings: { reservePages: 0, buffersInFlight: 1, pfnsPerBuffer: 1 },
    });
    vm.machine.setTarget(255);
    vm.settle();
    expect(vm.balloon.status().actualPages).toBe(64);

    vm.machine.inject({ name: "needs-reset" });
    vm.settle();
    expect(vm.balloon.status().restarts).toBe(1);
    expect(vm.machine.heldPages).toBe(64);
  });

  it("with IN_ORDER a split queue's descriptors were used in any order", async () => {
    const vm = await createTestVm({
      machine: { offer: { inOrder: true }, completion: { kind: "late", ms: 5 }, ringSize: 4 },
    });
    for (const target of [1, 600, 20, 900, 0]) {
      vm.machine.setTarget(target);
      vm.settle();
      expect(vm.machine.heldPages).toBe(target);
    }
    expect(vm.machine.broken("R-IN-ORDER-HEAD")).toBe(0);
    expect(verdictLines(vm.machine)).toEqual([]);
  });
});
