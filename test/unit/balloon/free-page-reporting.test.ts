/** Reporting to one device after the other. */
import { expect, it } from "vitest";
import { createTestVm, watch } from "../../support/vm.ts";

const FRAMES = 4096;

it("reports keep their pace when the device is brought up again", async () => {
  const settings = { reportPagesPerSecond: 2048 };
  const machine = { offer: { pageReporting: true } };
  const vm = await createTestVm({ frames: FRAMES, settings, machine });
  watch(vm, 10);
  const { reported: before } = vm.balloon.status().totals;
  expect(before).toBe(512);
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 10);
  const { reported: after } = vm.balloon.status().totals;
  expect(after - before).toBeLessThanOrEqual(512);
  watch(vm, 5000);
  expect(vm.balloon.status().totals.reported).toBeGreaterThan(after);
});
