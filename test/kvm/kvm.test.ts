/**
 * The real guest on KVM, inside a machine with KVM that QEMU emulates: on each machine it boots, moves
 * its balloon, gives statistics, answers, idles and ends.
 *
 * An exit from the guest costs some 50 to 150 us here, fifty times as much as on hardware.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildImage } from "../../src/image/build-image.ts";
import type { QemuMachine } from "../../src/vmm/qemu/arguments.ts";
import { ClockWatch } from "../support/clock-rate.ts";
import { findOnPath } from "../support/process-tree.ts";
import { kernelOrSkip, toolOrSkip } from "../support/tools.ts";
import { type KvmGuest, NestedKvm } from "./support/nested.ts";

const MIB = 1024 * 1024;
const SLOW_MS = 60_000;
const PAGES = 5000;
const FRAMES = 500;
const IDLE_MS = 3000;
/** A second: two looks of the guest in that time, and what a busy host interrupts. */
const IDLE_EXITS_MAX = 8;
const IDLE_TURNS_MAX = 8;
const CLOCK_APART = 0.01;
const CLOCK_MS = 20_000;
const CODE = 77;
/** isa-debug-exit makes this of it. */
const STATUS = 2 * CODE + 1;

interface Row {
  readonly arch: "i386" | "x86_64";
  readonly machine: QemuMachine;
  /** Further properties of the machine. */
  readonly with?: string;
  readonly control?: "com1";
}

const SOME: readonly Row[] = [
  { arch: "x86_64", machine: "q35" },
  { arch: "x86_64", machine: "q35", with: "hpet=off", control: "com1" },
  { arch: "x86_64", machine: "pc" },
  { arch: "x86_64", machine: "microvm" },
  { arch: "x86_64", machine: "microvm", control: "com1" },
  { arch: "x86_64", machine: "microvm", with: "acpi=off" },
  { arch: "x86_64", machine: "microvm", with: "pit=off" },
  { arch: "x86_64", machine: "microvm", with: "pic=off" },
  { arch: "x86_64", machine: "microvm", with: "pit=off,pic=off,rtc=off" },
  { arch: "i386", machine: "q35" },
  { arch: "i386", machine: "pc", control: "com1" },
  { arch: "i386", machine: "microvm", with: "pit=off,pic=off,acpi=off" },
];

/** `npm run test:long` takes each set of parts that a microvm can have or lack, and more of a PC. */
const PARTS = ["pit=off", "pic=off", "rtc=off", "acpi=off", "pcie=on"];
const MORE: readonly Row[] = (["x86_64", "i386"] as const).flatMap((arch): Row[] => [
  { arch, machine: "q35", with: "acpi=off" },
  { arch, machine: "pc", with: "acpi=off,hpet=off" },
  ...Array.from({ length: 2 ** PARTS.length }, (_, set): Row => {
    const parts = PARTS.filter((_part, at) => (set & (1 << at)) !== 0);
    return { arch, machine: "microvm", with: parts.join(",") };
    // Without ACPI it has no PCI, whatever is asked for.
  }).filter((row) => !/acpi=off.*pcie=on/.test(row.with ?? "")),
]);
const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;
const ROWS = IS_LONG ? [...SOME, ...MORE] : SOME;

let nested: NestedKvm | undefined;
/** The guest of a row that failed, or of this one. */
let running: KvmGuest | undefined;
let images: Readonly<Record<"i386" | "x86_64", string>>;
const table: string[] = [];

beforeAll(async () => {
  images = {
    i386: (await buildImage({ arch: "i386" })).path,
    x86_64: (await buildImage({ arch: "x86_64" })).path,
  };
}, 600_000);

afterAll(async () => {
  await nested?.stop();
  const heads = "ready ms | exits/s: all | ports | device memory | halts | clock | moved ms";
  console.log([`machine | ${heads}`, ...table].join("\n"));
});

const rowName = ({ arch, machine, with: properties, control }: Row) =>
  [arch, machine, properties, control].filter(Boolean).join(" ");

const evaluate = (guest: KvmGuest, script: string) =>
  guest.control.request({ method: "evaluate", params: { script }, timeoutMs: SLOW_MS });

/**
 * Counts what the guest does in a second without work. Where the host was busy meanwhile, which
 * interrupts the guest, it counts anew, a few times.
 */
async function whileIdle(nested: NestedKvm): Promise<(name: string) => number> {
  for (let turn = 1; ; turn++) {
    const before = await nested.counts();
    const beforeMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const after = await nested.counts();
    const seconds = (performance.now() - beforeMs) / 1000;
    const perSecond = (name: string) => ((after[name] ?? 0) - (before[name] ?? 0)) / seconds;
    if (perSecond("exits") < IDLE_EXITS_MAX || turn === IDLE_TURNS_MAX) return perSecond;
  }
}

it.for(ROWS.map((row) => ({ ...row, name: rowName(row) })))(
  "$name",
  // An emulated KVM loses an interrupt in some thousands: a row may begin once more.
  { timeout: 400_000, retry: 1 },
  async (row, context) => {
    const qemu = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
    const kernel = kernelOrSkip(context, "linux-6.1-x86_64");
    nested ??= await NestedKvm.start({ kernel, qemu, images: Object.values(images) });
    await running?.kill();
    const startedMs = performance.now();
    const guest = await nested.boot({
      arch: row.arch,
      machine: row.machine,
      image: images[row.arch],
      memoryBytes: 64 * MIB,
      ...(row.control && { control: row.control }),
      extraArgs: row.with ? ["-M", row.with] : [],
    });
    running = guest;
    await guest.log.waitForLine({ pattern: /^ballonet: ready/, timeoutMs: SLOW_MS });
    const readyMs = performance.now() - startedMs;

    const ask = (method: string, params = {}) =>
      guest.control.request({ method, params, timeoutMs: SLOW_MS }) as Promise<never>;
    expect(await ask("workload.allocate", { frames: FRAMES, seed: 3 })).toEqual({ handle: 1 });
    const clock = await ClockWatch.start(async () =>
      Number(await evaluate(guest, "machine.now()")),
    );
    const perSecond = await whileIdle(nested);

    const inflateMs = performance.now();
    for (const pages of [PAGES, 0]) {
      await guest.balloon.setTarget({ pages, timeoutMs: SLOW_MS });
      await guest.balloon.waitForActual({ pages, timeoutMs: SLOW_MS });
    }
    const movedMs = performance.now() - inflateMs;
    expect(await ask("workload.verify")).toEqual({ bytes: FRAMES * 4096, mismatches: 0 });
    const { tags } = await guest.balloon.statistics({ timeoutMs: SLOW_MS });
    expect(tags.totalMemory).toBeGreaterThan(32 * MIB);
    expect(await ask("status")).toMatchObject({ state: "running", restarts: 0, actualPages: 0 });
    const { low, high, wentBack } = await clock.rate({ apart: CLOCK_APART, limitMs: CLOCK_MS });

    evaluate(guest, `machine.exit(${CODE})`).catch(() => {});
    const status = await guest.ended();
    running = undefined;
    expect(status).toBe(STATUS);
    const figures = [
      readyMs.toFixed(0),
      ...["exits", "io_exits", "mmio_exits", "halt_exits"].map((it) => perSecond(it).toFixed(1)),
      ...[((low + high) / 2).toFixed(3), movedMs.toFixed(0)],
    ];
    table.push([row.name, ...figures].join(" | "));
    expect(perSecond("exits")).toBeLessThan(IDLE_EXITS_MAX);
    expect(low).toBeLessThanOrEqual(1.01);
    expect(high).toBeGreaterThanOrEqual(0.99);
    expect(wentBack).toBe(false);
  },
);
