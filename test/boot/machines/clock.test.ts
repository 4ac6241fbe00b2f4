/**
 * The guest's clock against the host's: within 1 % on each machine, within 5 % on one that boots
 * beside busy processes, and never back.
 *
 * `npm run test:long` takes each machine and prints its rate.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import type { QemuMachine } from "../../../src/vmm/qemu/arguments.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { ClockWatch, expectRate } from "../../support/clock-rate.ts";
import { ARCHITECTURES, type Arch, ask, MIB, qemuGuest, useGuests } from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";

useGuests();

const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;
const LIMIT_MS = 30_000;
const READS = 20_000;

interface Row {
  readonly machine: QemuMachine;
  readonly with?: string;
  readonly args?: readonly string[];
  readonly qemu10?: boolean;
}

/** What has a counter of its own: each other one alone, then none but the processor's. */
const SOME: readonly Row[] = [
  { machine: "q35" },
  { machine: "microvm", with: "pit=off,pic=off,rtc=off,acpi=off" },
];
const PARTS = ["pit=off", "pic=off", "rtc=off", "acpi=off", "pcie=on"];
const MICROVMS = Array.from({ length: 2 ** PARTS.length }, (_, set): Row => {
  const parts = PARTS.filter((_part, at) => (set & (1 << at)) !== 0);
  return { machine: "microvm", ...(parts.length > 0 && { with: parts.join(",") }) };
  // Without ACPI it has no PCI, whatever is asked for.
}).filter((row) => !/acpi=off.*pcie=on/.test(row.with ?? ""));
const ALL: readonly Row[] = [
  ...(["pc", "q35"] as const).flatMap((machine): Row[] => [
    { machine },
    { machine, with: "hpet=off" },
    { machine, with: "acpi=off" },
    { machine, with: "acpi=off,hpet=off" },
    { machine, args: ["-cpu", "max"] },
    { machine, args: ["-cpu", "qemu64,-apic"] },
    { machine, with: "pit=off,pic=off,i8042=off", qemu10: true },
  ]),
  ...MICROVMS,
];

const rates: string[] = [];
afterAll(() => {
  if (IS_LONG) console.log(rates.sort().join("\n"));
});

function nameOf({ machine, with: properties, args = [] }: Row): string {
  return [machine, properties, ...args].filter(Boolean).join(" ");
}

function boot(context: TestContext, arch: Arch, row: Row): Promise<QemuVmm> {
  const { machine, with: properties, args = [], qemu10 } = row;
  const binary = qemu10 ? { binary: qemu10OrSkip(context, arch) } : {};
  // With 32 address bits QEMU lays a window for PCI where the devices on MMIO are.
  const cpu = machine === "microvm" ? ["-cpu", "qemu64"] : [];
  const extraArgs = [...(properties ? ["-M", properties] : []), ...cpu, ...args];
  return qemuGuest(context, { arch, machine, memoryBytes: 64 * MIB, ...binary, extraArgs });
}

const evaluate = (vm: QemuVmm, script: string) => ask(vm, "evaluate", { script });

async function rateOf(vm: QemuVmm, apart: number) {
  const now = async () => Number(await evaluate(vm, "machine.now()"));
  return await (await ClockWatch.start(now)).rate({ apart, limitMs: LIMIT_MS });
}

/** Reads in a row that were below the one before. */
const BACK = `(() => {
  let back = 0;
  for (let left = ${READS}, last = machine.now(); left > 0; left--) {
    const now = machine.now();
    if (now < last) back++;
    last = now;
  }
  return back;
})()`;

describe.concurrent.each(ARCHITECTURES)("%s", (arch) => {
  const rows = (IS_LONG ? ALL : SOME).map((row) => ({ ...row, name: nameOf(row) }));
  it.for(rows)("within 1 %% on $name", async (row, context) => {
    const vm = await boot(context, arch, row);
    const rate = await rateOf(vm, 0.01);
    const { low, high } = rate;
    rates.push(`${arch} ${row.name}: ${((low + high) / 2).toFixed(4)}`);
    expect(high - low).toBeLessThan(0.02);
    expectRate(rate, 0.01);
    expect(await evaluate(vm, BACK)).toBe(0);
  });
});

describe("beside a busy process for each processor", () => {
  it.for(IS_LONG ? [...SOME, { machine: "pc" as const }] : SOME.slice(0, 1))(
    "within 5 %% on $machine",
    async (row, context) => {
      for (let left = availableParallelism(); left > 0; left--) {
        const busy = spawn(process.execPath, ["-e", "for (;;);"]);
        context.onTestFinished(() => {
          busy.kill("SIGKILL");
        });
      }
      const vm = await boot(context, "x86_64", row);
      const rate = await rateOf(vm, 0.02);
      const { low, high } = rate;
      rates.push(`x86_64 ${nameOf(row)}, busy: ${((low + high) / 2).toFixed(4)}`);
      expectRate(rate, 0.05);
    },
  );
});
