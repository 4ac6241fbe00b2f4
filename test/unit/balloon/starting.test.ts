/**
 * What is asked of a driver while its device is on the way up, by a device that takes its time or
 * does not come up again.
 */
import { expect, it } from "vitest";
import type { MachineOptions } from "../../../src/device/index.ts";
import type { SettingsInput } from "../../../src/index.ts";
import { createTestVm, verdictLines, watch } from "../../support/vm.ts";

const FRAMES = 1024;
const PAUSE_MS = 500;

/** A balloon of some pages, whose device then wants a reset. */
async function resetAmid(settings: SettingsInput, machine: Omit<MachineOptions, "memory"> = {}) {
  const vm = await createTestVm({ frames: FRAMES, settings, machine });
  watch(vm, PAUSE_MS + 10);
  vm.machine.setTarget(700);
  watch(vm, 10);
  expect(vm.balloon.counts().held).toBe(700);
  vm.machine.inject({ name: "needs-reset" });
  return vm;
}

it("a pause between reading features and accepting them leaves every page to the guest", async () => {
  const { machine, balloon } = await resetAmid({ pauseAfterFeaturesMs: PAUSE_MS });
  balloon.interrupt();
  expect(balloon.status().state).toBe("starting");
  expect(balloon.counts()).toMatchObject({ held: 0, free: FRAMES });
  expect(balloon.allocate(FRAMES)?.length).toBeGreaterThan(0);
  expect(machine.verdicts).toEqual([]);
});

it("a device that does not come up after its reset has no page left", async () => {
  const { machine, balloon } = await resetAmid({});
  machine.inject({ name: "refuse-features", times: 9 });
  balloon.interrupt();
  expect(balloon.status()).toMatchObject({ state: "failed", lastError: { code: "features" } });
  expect(balloon.counts()).toMatchObject({ held: 0, free: FRAMES });
});

it("a device that never ends its reset keeps what it may still use", async () => {
  const vm = await resetAmid({});
  vm.machine.inject({ name: "reset-never-clears" });
  watch(vm, 2000);
  const { state, lastError } = vm.balloon.status();
  expect([state, lastError?.code]).toEqual(["failed", "reset-timeout"]);
  expect(vm.balloon.counts().held).toBe(700);
});

it("a deflate mode that is changed meanwhile is what features are asked for by", async () => {
  const settings: SettingsInput = { dialect: "two-bit", pauseAfterFeaturesMs: PAUSE_MS };
  const machine = { hostDesign: "two-bit" } as const;
  const vm = await createTestVm({ frames: FRAMES, settings, machine });
  vm.balloon.setDeflateMode("silent");
  watch(vm, PAUSE_MS + 10);
  expect(vm.balloon.status()).toMatchObject({ state: "running", deflateMode: "silent" });
  expect(vm.balloon.status().negotiated).toContain("SILENT_DEFLATE");
  vm.machine.setTarget(300);
  watch(vm, 10);
  vm.machine.setTarget(0);
  watch(vm, 10);
  expect(vm.balloon.status()).toMatchObject({ state: "running", actualPages: 0 });
  expect(verdictLines(vm.machine)).toEqual([]);
});

it("a failed driver promises no memory to a guest that lacks some", async () => {
  const settings: SettingsInput = { persona: "nanos", reservePages: 0 };
  const vm = await createTestVm({ frames: FRAMES, settings });
  vm.machine.setTarget(FRAMES);
  watch(vm, 10);
  vm.machine.inject({ name: "used-id-out-of-range" });
  vm.machine.setTarget(0);
  watch(vm, 10);
  const { state, frames } = vm.balloon.status();
  expect(state).toBe("failed");
  expect(frames.held + frames.deflating).toBeGreaterThan(0);
  while (vm.balloon.counts().free > 0) vm.balloon.allocate(FRAMES);
  const before = vm.machine.trace.last;
  expect(vm.balloon.allocate(1)).toBeUndefined();
  expect(vm.machine.trace.last).toBe(before);
});
