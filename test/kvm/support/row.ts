/**
 * What the real guest does on KVM, inside a machine with KVM that QEMU emulates: on each machine it
 * boots, moves its balloon, gives statistics, answers, idles and ends.
 *
 * An exit from the guest costs some 50 to 150 us here, fifty times as much as on hardware. Each file
 * of tests has an emulated machine of its own, so that two run at the same time.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import type { QemuMachine } from "../../../src/vmm/qemu/arguments.ts";
import { ClockWatch, expectRate } from "../../support/clock-rate.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { kernelOrSkip, toolOrSkip } from "../../support/tools.ts";
import { type KvmGuest, NestedKvm } from "./nested.ts";

/** `npm run test:long` takes each set of parts that a microvm can have or lack, and more of a PC. */
export const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;

const MIB = 1024 * 1024;
const SLOW_MS = 60_000;
const PAGES = 5000;
const FRAMES = 500;
const IDLE_MS = 6000;
/** A second: half a look of the guest, of some eight exits, and what a busy host interrupts. */
const IDLE_EXITS_MAX = 5;
const IDLE_TURNS_MAX = 8;
const CLOCK_APART = IS_LONG ? 0.01 : 0.02;
const CLOCK_MS = 20_000;
const CODE = 77;
/** isa-debug-exit makes this of it. */
const STATUS = 2 * CODE + 1;

export interface Row {
  readonly arch: "i386" | "x86_64";
  readonly machine: QemuMachine;
  /** Further properties of the machine. */
  readonly with?: string;
  readonly args?: readonly string[];
  readonly control?: "com1";
  /** Exits a second while idle, where that is no machine of today. */
  readonly idleExitsMax?: number;
}

const rowName = ({ arch, machine, with: properties, args = [], control }: Row) =>
  [arch, machine, properties, ...args, control].filter(Boolean).join(" ");

const evaluate = (guest: KvmGuest, script: string) =>
  guest.control.request({ method: "evaluate", params: { script }, timeoutMs: SLOW_MS });

/**
 * Counts what the guest does in a second without work. Where the host was busy meanwhile, which
 * interrupts the guest, it counts anew, a few times.
 */
async function whileIdle(nested: NestedKvm, most: number): Promise<(name: string) => number> {
  for (let turn = 1; ; turn++) {
    const before = await nested.counts();
    const beforeMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const after = await nested.counts();
    const seconds = (performance.now() - beforeMs) / 1000;
    const perSecond = (name: string) => ((after[name] ?? 0) - (before[name] ?? 0)) / seconds;
    if (perSecond("exits") < most || turn === IDLE_TURNS_MAX) return perSecond;
  }
}

/** Defines a test for each of these machines. */
export function testRows(rows: readonly Row[]): void {
  let nested: NestedKvm | undefined;
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

  const cases = rows.map((row) => ({ ...row, name: rowName(row) }));
  // An emulated KVM loses an interrupt in some thousands: a row may begin once more.
  it.for(cases)("$name", { timeout: 400_000, retry: 1 }, async (row, context) => {
    const qemu = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
    const kernel = kernelOrSkip(context, "linux-6.1-x86_64");
    nested ??= await NestedKvm.start({ kernel, qemu, images: Object.values(images) });
    try {
      const startedMs = performance.now();
      const guest = await start(nested, images[row.arch], row);
      table.push(await follow(nested, guest, row, startedMs));
    } catch (error) {
      table.push(`${rowName(row)} | ${error}`);
      // Its guest, or the machine itself, may be in any state: the next try has another machine.
      await nested.stop();
      nested = undefined;
      throw error;
    }
  });
}

const start = (nested: NestedKvm, image: string, row: Row): Promise<KvmGuest> =>
  nested.boot({
    arch: row.arch,
    machine: row.machine,
    image,
    memoryBytes: 64 * MIB,
    ...(row.control && { control: row.control }),
    extraArgs: [...(row.with ? ["-M", row.with] : []), ...(row.args ?? [])],
  });

/** Does all of it on a machine that starts, and returns the machine's line of the table. */
async function follow(
  nested: NestedKvm,
  guest: KvmGuest,
  row: Row,
  startedMs: number,
): Promise<string> {
  await guest.log.waitForLine({ pattern: /^ballonet: ready/, timeoutMs: SLOW_MS });
  const readyMs = performance.now() - startedMs;

  const ask = (method: string, params = {}) =>
    guest.control.request({ method, params, timeoutMs: SLOW_MS }) as Promise<never>;
  expect(await ask("workload.allocate", { frames: FRAMES, seed: 3 })).toEqual({ handle: 1 });
  const clock = await ClockWatch.start(async () => Number(await evaluate(guest, "machine.now()")));
  const { idleExitsMax = IDLE_EXITS_MAX } = row;
  const perSecond = await whileIdle(nested, idleExitsMax);

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
  const rate = await clock.rate({ apart: CLOCK_APART, limitMs: CLOCK_MS });

  evaluate(guest, `machine.exit(${CODE})`).catch(() => {});
  expect(await guest.ended()).toBe(STATUS);
  const figures = [
    readyMs.toFixed(0),
    ...["exits", "io_exits", "mmio_exits", "halt_exits"].map((it) => perSecond(it).toFixed(1)),
    ...[((rate.low + rate.high) / 2).toFixed(3), movedMs.toFixed(0)],
  ];
  expect(perSecond("exits"), figures.join(" | ")).toBeLessThan(idleExitsMax);
  expectRate(rate, 0.01);
  return [rowName(row), ...figures].join(" | ");
}
