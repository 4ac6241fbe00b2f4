/**
 * Machines that lack parts of the old PC, or have newer ones: on each the real guest boots, moves its
 * balloon, answers, idles and ends. `npm run test:long` takes many more, with a clock within 1 %, and
 * writes build/machines.md.
 */
import { writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { packageFolder } from "../../../src/package.ts";
import type { QemuMachine } from "../../../src/vmm/qemu/arguments.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { ClockWatch, expectRate } from "../../support/clock-rate.ts";
import {
  ARCHITECTURES,
  type Arch,
  ask,
  BOOT_MS,
  GIB,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  pressPowerButton,
  qemuGuest,
  statusOf,
  until,
  useGuests,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";
import { machineRows, type Row } from "./rows.ts";

useGuests();

const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;
const PAGES = 5000;
const IDLE_MS = 2000;
const SECOND_MS = 1100;
/** So close the bounds of a clock's rate come, which takes longer on a busy host. */
const CLOCK_APART = IS_LONG ? 0.01 : 0.1;
const CLOCK_WITHIN = IS_LONG ? 0.01 : 0.05;
const CLOCK_MS = 30_000;
/** What the end of the machine is asked for. */
const CODE = 77;
/** Reads in a row that were below the one before. */
const BACK = `(() => {
  let back = 0;
  for (let left = 20_000, last = machine.now(); left > 0; left--) {
    const now = machine.now();
    if (now < last) back++;
    last = now;
  }
  return back;
})()`;

const table: string[] = [];
afterAll(() => {
  if (!IS_LONG) return;
  const heads = ["| machine | boots, s | idles, wake-ups a second | clock |", "|---|---|---|---|"];
  writeFileSync(
    join(packageFolder(), "build", "machines.md"),
    [...heads, ...table.sort(), ""].join("\n"),
  );
});

function boot(context: TestContext, arch: Arch, row: Row): Promise<QemuVmm> {
  const { machine, with: properties, args = [], qemu10, model } = row;
  const binary = qemu10 ? { binary: qemu10OrSkip(context, arch) } : {};
  const extraArgs = [...(properties ? ["-M", properties] : []), ...args];
  const rest = {
    memoryBytes: 64 * MIB,
    ...binary,
    extraArgs,
    ...(model && { balloon: { model } }),
  };
  return qemuGuest(context, { arch, machine, ...rest });
}

function askForEnd(vm: QemuVmm): Promise<unknown> {
  return ask(vm, "evaluate", { script: `machine.exit(${CODE})` });
}

async function monitor(vm: QemuVmm, line: string): Promise<void> {
  await vm.execute({ command: "human-monitor-command", args: { "command-line": line } });
}

/** Interrupts that an idle guest takes in `ms`. */
async function wakeUps(context: TestContext, vm: QemuVmm, ms: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "machines-test-"));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "log");
  await monitor(vm, `logfile ${file}`);
  await monitor(vm, "log int");
  await new Promise((resolve) => setTimeout(resolve, ms));
  await monitor(vm, "log none");
  return [...(await readFile(file, "utf8")).matchAll(/^ *\d+: v=/gm)].length;
}

describe.concurrent.each(ARCHITECTURES)("%s", (arch) => {
  it.for(machineRows({ long: IS_LONG }))("$name", async (row, context) => {
    const startedMs = performance.now();
    const vm = await boot(context, arch, row);
    const readyMs = performance.now() - startedMs;
    const clock = await ClockWatch.start(async () => (await statusOf(vm)).uptimeMs);
    if (row.hearsDate) await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    // The driver looks at its device once a second.
    const idle = await wakeUps(context, vm, IDLE_MS);
    expect(idle).toBeLessThanOrEqual(3);

    await inflateTo(vm, PAGES);
    await inflateTo(vm, 0);
    const { tags } = await vm.balloon.statistics({ timeoutMs: BOOT_MS });
    expect(tags.totalMemory).toBeGreaterThan(32 * MIB);
    const status = await statusOf(vm);
    expect(status).toMatchObject({ state: "running", restarts: 0, actualPages: 0 });
    expect(status.interrupts).toBe(row.interrupts ?? "line");

    const rate = await clock.rate({ apart: CLOCK_APART, limitMs: CLOCK_MS });
    expectRate(rate, CLOCK_WITHIN);
    expect(await ask(vm, "evaluate", { script: BACK })).toBe(0);

    if (row.button) await pressPowerButton(vm);
    else await expect(askForEnd(vm)).rejects.toMatchObject({ code: "exited" });
    const guestExitCode = row.button ? 0 : CODE;
    expect(await vm.exited).toMatchObject({ reason: "guest", guestExitCode });
    const perSecond = (idle * 1000) / IDLE_MS;
    const seconds = (readyMs / 1000).toFixed(1);
    const clockRate = ((rate.low + rate.high) / 2).toFixed(3);
    table.push(`| ${arch} ${row.name} | ${seconds} | ${perSecond} | ${clockRate} |`);
  });

  it.for([
    ["q35", ["pxb-pcie,bus=pcie.0", "pcie-root-port,bus=pxb,id=rp0"], "rp0"],
    ["pc", ["pxb,bus=pci.0"], "pxb"],
    ["q35,acpi=off", ["pxb-pcie,bus=pcie.0", "pcie-root-port,bus=pxb,id=rp0"], "rp0"],
  ] as const)("%s with its balloon behind a second root", async ([words, path, bus], context) => {
    const [machine, ...properties] = words.split(",");
    const [root, ...ports] = path;
    const devices = [`${root},id=pxb,bus_nr=128`, ...ports, `virtio-balloon-pci,bus=${bus}`];
    const vm = await qemuGuest(context, {
      arch,
      machine: machine as QemuMachine,
      memoryBytes: 64 * MIB,
      balloon: false,
      extraArgs: [
        ...properties.flatMap((it) => ["-M", it]),
        ...devices.flatMap((device) => ["-device", device]),
      ],
    });
    expect((await statusOf(vm)).transport).toMatch(/ at 8\d:/);
    const actual = 48 * MIB;
    await vm.execute({ command: "balloon", args: { value: actual } });
    await until(async () => {
      const seen = (await vm.execute({ command: "query-balloon" })) as { actual: number };
      return seen.actual === actual;
    });
  });
});

it.concurrent.for(ARCHITECTURES)(
  "%s follows its host without any interrupt",
  async (arch, context) => {
    const vm = await qemuGuest(context, {
      arch,
      machine: "pc",
      memoryBytes: 64 * MIB,
      binary: qemu10OrSkip(context, arch),
      extraArgs: ["-M", "pic=off", "-cpu", "qemu64,-apic"],
    });
    await inflateTo(vm, 16 * PAGES_PER_MIB);
    await inflateTo(vm, 0);
    await statusOf(vm);
  },
);

/** With memory above 4 GiB the firmware of newer QEMUs puts BARs there. */
it.concurrent.for([
  ["q35", "virtio-balloon-pci", []],
  ["q35,acpi=off", "virtio-balloon-pci", []],
  ["pc", "virtio-balloon-pci-non-transitional,bus=bridge", ["pci-bridge,id=bridge,chassis_nr=1"]],
] as const)("i386 %s reaches the registers of %s", async ([machine, balloon, others], context) => {
  const devices = [...others, balloon].flatMap((device) => ["-device", device]);
  const [name, ...properties] = machine.split(",");
  const vm = await qemuGuest(context, {
    arch: "i386",
    binary: qemu10OrSkip(context, "x86_64"),
    machine: name as QemuMachine,
    memoryBytes: 6 * GIB,
    balloon: false,
    extraArgs: [...properties.flatMap((it) => ["-M", it]), "-cpu", "qemu64", ...devices],
  });
  expect((await statusOf(vm)).transport).toMatch(/^modern PCI at /);
  const actual = 5 * GIB;
  await vm.execute({ command: "balloon", args: { value: actual } });
  await until(async () => {
    const seen = (await vm.execute({ command: "query-balloon" })) as { actual: number };
    return seen.actual === actual;
  });
});
