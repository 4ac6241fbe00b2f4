/**
 * The guest's clock against the host's: within 1 % on a machine with all counters and on one with
 * none but the processor's, and within 5 % on one that boots beside busy processes.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { describe, expect, it, type TestContext } from "vitest";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { ClockWatch, expectRate } from "../../support/clock-rate.ts";
import {
  ARCHITECTURES,
  type Arch,
  MIB,
  qemuGuest,
  statusOf,
  useGuests,
} from "../../support/guests.ts";
import { type Row, rowName } from "./rows.ts";

useGuests();

const LIMIT_MS = 30_000;
/** The machines of `npm run test:long` that boot on a busy host. */
const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;

const rowOf = (row: Row) => ({ ...row, name: rowName(row) });
const WITHOUT = { machine: "microvm", with: "pit=off,pic=off,rtc=off,acpi=off" } as const;
const ROWS = [rowOf({ machine: "q35" }), rowOf(WITHOUT)];

function boot(context: TestContext, arch: Arch, { machine, with: parts }: Row): Promise<QemuVmm> {
  const extraArgs = parts ? ["-M", parts] : [];
  return qemuGuest(context, { arch, machine, memoryBytes: 64 * MIB, extraArgs });
}

async function rateOf(vm: QemuVmm, apart: number) {
  const watch = await ClockWatch.start(async () => (await statusOf(vm)).uptimeMs);
  return await watch.rate({ apart, limitMs: LIMIT_MS });
}

describe.concurrent.each(ARCHITECTURES)("%s", (arch) => {
  it.for(ROWS)("within 1 %% on $name", async (row, context) => {
    const rate = await rateOf(await boot(context, arch, row), 0.01);
    expect(rate.high - rate.low).toBeLessThan(0.02);
    expectRate(rate, 0.01);
  });
});

describe("beside a busy process for each processor", () => {
  const rows = IS_LONG ? [...ROWS, rowOf({ machine: "pc" })] : ROWS.slice(0, 1);
  it.for(rows)("within 5 %% on $name", async (row, context) => {
    for (let left = availableParallelism(); left > 0; left--) {
      const busy = spawn(process.execPath, ["-e", "for (;;);"]);
      context.onTestFinished(() => {
        busy.kill("SIGKILL");
      });
    }
    expectRate(await rateOf(await boot(context, "x86_64", row), 0.02), 0.05);
  });
});
