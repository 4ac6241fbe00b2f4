/** Hinting and reporting over the end of a run and of a device: what one leaves to the next. */
import { expect, it } from "vitest";
import { createTestVm, verdictLines, watch } from "../../support/vm.ts";

const FRAMES = 4096;

it("a run that begins while the last one's hints are away keeps its own until it is done", async () => {
  const machine = {
    offer: { freePageHint: true },
    completion: { freePage: { kind: "late", ms: 200 } },
  } as const;
  const vm = await createTestVm({ frames: FRAMES, machine });
  vm.machine.startHinting();
  watch(vm, 10);
  vm.machine.finishHinting();
  watch(vm, 10);
  vm.guest.grow(100, 1);
  vm.machine.startHinting();
  watch(vm, 2000);
  const { hinted } = vm.balloon.counts();
  expect(hinted).toBeGreaterThan(0);
  expect(vm.machine.hintedPages).toBe(hinted);
  vm.machine.finishHinting();
  watch(vm, 1000);
  expect(vm.balloon.counts().hinted).toBe(0);
  expect(verdictLines(vm.machine)).toEqual([]);
});

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
