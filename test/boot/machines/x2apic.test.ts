/**
 * Machines whose firmware has turned the local APIC's registers into MSRs, x2APIC: the real guest
 * boots, moves its balloon, answers, keeps time and ends.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, type TestContext } from "vitest";
import { launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { ClockWatch, expectRate } from "../../support/clock-rate.ts";
import {
  ARCHITECTURES,
  type Arch,
  ask,
  BOOT_MS,
  guestImage,
  inflateTo,
  MIB,
  ready,
  statusOf,
  useGuests,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";
import { withLinuxLoader } from "../support/linux-loader.ts";

useGuests();

const MEMORY_BYTES = 64 * MIB;
const PAGES = 5000;
const CLOCK_APART = 0.1;
const CODE = 77;

async function boot(context: TestContext, arch: Arch): Promise<QemuVmm> {
  const binary = qemu10OrSkip(context, "x86_64");
  const folder = await mkdtemp(join(tmpdir(), "x2apic-test-"));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const flags = ["-DX2APIC", ...(arch === "i386" ? ["-DFLAT"] : [])];
  const options = {
    image: guestImage(context, arch).path,
    memoryBytes: MEMORY_BYTES,
    folder,
    flags,
  };
  const image = await withLinuxLoader(options);
  const machine = {
    machine: "q35",
    memoryBytes: MEMORY_BYTES,
    extraArgs: ["-cpu", "max"],
  } as const;
  const vm = await launchQemu({ timeoutMs: BOOT_MS, arch: "x86_64", binary, image, ...machine });
  context.onTestFinished(async () => {
    await vm.kill();
  });
  await ready(vm);
  return vm;
}

it.for(ARCHITECTURES.map((arch) => ({ arch })))("$arch", async ({ arch }, context) => {
  const vm = await boot(context, arch);
  await inflateTo(vm, PAGES);
  await inflateTo(vm, 0);
  const status = await statusOf(vm);
  expect(status).toMatchObject({ state: "running", restarts: 0, actualPages: 0 });
  expect(status.interrupts).toBe("msix");
  const clock = await ClockWatch.start(async () => (await statusOf(vm)).uptimeMs);
  expectRate(await clock.rate({ apart: CLOCK_APART, limitMs: BOOT_MS }), 0.05);

  await expect(ask(vm, "evaluate", { script: `machine.exit(${CODE})` })).rejects.toMatchObject({
    code: "exited",
  });
  expect((await vm.exited).guestExitCode).toBe(CODE);
});
