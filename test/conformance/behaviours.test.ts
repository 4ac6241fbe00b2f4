/**
 * The twenty-two behaviours that makers of hosts and guests look for in a balloon driver, by name.
 *
 * It must not repeat what a scenario shows already: most rows name scenarios, some look for
 * themselves. Invariant: a row is shown here by something that can fail, and a file that a row names
 * beside is there.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Machine, profiles } from "../../src/device/index.ts";
import { balloonArenaBytes } from "../../src/embed/balloon.ts";
import { createBalloon } from "../../src/index.ts";
import { createTestVm, type TestVm, verdictLines, watch } from "../support/vm.ts";
import { judge } from "./bench.ts";
import { numberings, useEveryQueue } from "./numbering.ts";
import { late } from "./play.ts";
import { type ScenarioName, scenarios } from "./scenarios.ts";

interface Row {
  readonly id: `B${number}`;
  readonly title: string;
  /** Scenarios that the driver passes without a verdict. */
  readonly scenarios?: readonly ScenarioName[];
  /** More looks, by what they look at. */
  readonly looks?: Readonly<Record<string, () => Promise<void>>>;
  /** Files that show it on real hosts, or in more ways. */
  readonly beside?: readonly string[];
}

const FRAMES = 2048;
const GUEST_FRAMES = 300;
const RESERVE = 256;
const FRAME_BYTES = 4096;
const BUFFER_BYTES_MAX = 1024;
const HOUR_MS = 3_600_000;

const withPrefix = (prefix: string) =>
  (Object.keys(scenarios) as ScenarioName[]).filter((name) => name.startsWith(prefix));

function sound(vm: TestVm, memoryShort = false): void {
  expect(vm.guest.verify()).toBe(0);
  vm.machine.check({ memoryShort });
  expect(verdictLines(vm.machine)).toEqual([]);
}

function reach(vm: TestVm, target: number, held = target): void {
  vm.machine.setTarget(target);
  vm.settle();
  expect(vm.machine.heldPages).toBe(held);
  expect(vm.machine.actual).toBe(held);
  sound(vm, held < target);
}

/** A number of the lines of a trace that hold these words. */
function numbersIn(machine: Machine, words: string, field: string): number[] {
  return machine.trace.entries().flatMap(({ kind, what, fields }) => {
    const value = fields?.[field];
    return `${kind} ${what}`.includes(words) && typeof value === "number" ? [value] : [];
  });
}

async function backToNothing() {
  const vm = await createTestVm({ frames: FRAMES });
  vm.guest.grow(GUEST_FRAMES, 1);
  const { free } = vm.balloon.counts();
  for (const target of [256, 1000, FRAMES - GUEST_FRAMES - RESERVE]) {
    reach(vm, target);
    reach(vm, 0);
    expect(vm.balloon.counts().free).toBe(free);
  }
}

async function oddTargets() {
  const vm = await createTestVm({ frames: FRAMES });
  for (const target of [1, 255, 257, 5 * 256 + 1, 3]) reach(vm, target);
}

async function beyondMemory() {
  const vm = await createTestVm({ frames: FRAMES });
  vm.guest.grow(GUEST_FRAMES, 1);
  const most = FRAMES - GUEST_FRAMES - RESERVE;
  reach(vm, 0xffff_ffff, most);
  const { actualWrites } = vm.balloon.status().totals;
  watch(vm, HOUR_MS);
  expect(vm.machine.actual).toBe(most);
  expect(vm.balloon.status().totals.actualWrites).toBe(actualWrites);
  expect(vm.guest.grow(100, 2)).toBe(100);
  vm.machine.requestStats();
  vm.balloon.interrupt();
  expect(vm.machine.stats.waiting).toBe(false);
  sound(vm, true);
}

/** The guest leaves so many frames, so that taking the next one fails. */
async function failingAllocations() {
  for (const left of [0, 1, 2, 255, 256, 257, 511, 512, 513, 700]) {
    const vm = await createTestVm({ frames: FRAMES, settings: { reservePages: 0 } });
    expect(vm.guest.grow(FRAMES - left, 1)).toBe(FRAMES - left);
    reach(vm, 1000, left);
    vm.guest.shrink(1000 - left);
    watch(vm, HOUR_MS);
    reach(vm, 1000);
  }
}

async function actualInOneStore() {
  const vm = await createTestVm({ frames: FRAMES, machine: { completion: late } });
  vm.machine.setTarget(600);
  vm.balloon.interrupt();
  vm.balloon.step();
  expect(numbersIn(vm.machine, "device write actual", "value")).toEqual([0]);
  vm.settle();
  expect(numbersIn(vm.machine, "device write actual", "value").at(-1)).toBe(600);
  expect(new Set(numbersIn(vm.machine, "device write actual", "width"))).toEqual(new Set([4]));
  sound(vm);
}

async function smallBuffers() {
  const vm = await createTestVm({ frames: FRAMES });
  for (const target of [1, 700, 1400, 3]) reach(vm, target);
  for (const queue of ["inflateq", "deflateq"]) {
    const lengths = numbersIn(vm.machine, `queue ${queue} take`, "bytes");
    expect(lengths.length).toBeGreaterThan(1);
    expect(lengths.filter((bytes) => bytes % 4 !== 0 || bytes > BUFFER_BYTES_MAX)).toEqual([]);
  }
}

async function inflateNeverAnswered() {
  const vm = await createTestVm({
    frames: FRAMES,
    machine: { completion: { inflate: { kind: "never" } }, offer: { pageReporting: true } },
  });
  vm.machine.setTarget(500);
  const { steps, notifications } = watch(vm, HOUR_MS);
  expect(steps).toBeLessThan(2 * (HOUR_MS / 1000));
  expect(notifications).toBeLessThan(20);
  expect(vm.machine.inflatingPages).toBe(500);
  expect(vm.machine.reportedPages.pages).toBeGreaterThan(0);
  vm.machine.requestStats();
  vm.balloon.interrupt();
  expect(vm.machine.stats).toMatchObject({ samples: 2, waiting: false });
  sound(vm, true);
}

async function statisticsAtOnce() {
  const vm = await createTestVm({ frames: FRAMES, machine: { completion: { inflate: late } } });
  vm.machine.setTarget(1000);
  vm.balloon.interrupt();
  for (const samples of [2, 3]) {
    const before = vm.machine.nowMs;
    expect(vm.machine.requestStats()).toBe(true);
    vm.balloon.interrupt();
    expect(vm.machine.stats).toMatchObject({ samples, waiting: false });
    expect(vm.machine.nowMs - before).toBeLessThan(100);
  }
  const lengths = numbersIn(vm.machine, "queue statsq take", "bytes");
  expect(new Set(lengths).size).toBe(1);
  expect(lengths[0]).toBeGreaterThan(0);
  expect((lengths[0] ?? 0) % 10).toBe(0);
  vm.settle();
  sound(vm);
}

/** Not on v86, whose value is the device's own: it ignores what a driver writes. */
async function oldActual() {
  for (const profile of ["qemu", "crosvm", "strict"] as const) {
    const vm = await createTestVm({ frames: FRAMES, machine: { profile, staleActual: 77 } });
    vm.settle();
    expect(vm.machine.actual).toBe(0);
    reach(vm, 50);
    reach(vm, 0);
  }
}

/** The driver stops, another instance starts on the same device, and the host says nothing new. */
async function boundAgain() {
  const vm = await createTestVm({ frames: FRAMES });
  reach(vm, 700);
  await vm.balloon.stop();
  expect(vm.machine.status).toBe(0);
  const { memory } = vm;
  const ram = [{ start: FRAME_BYTES, bytes: FRAMES * FRAME_BYTES }];
  const bytes = await balloonArenaBytes({ ram });
  const arena = { start: FRAME_BYTES + FRAMES * FRAME_BYTES, bytes };
  const { hal } = vm.machine;
  const balloon = await createBalloon({ memory, hal, arena, ram });
  watch({ ...vm, balloon }, 1000);
  expect(vm.machine.heldPages).toBe(700);
  expect(balloon.status().actualPages).toBe(700);
  vm.machine.check();
  expect(verdictLines(vm.machine)).toEqual([]);
}

/** Neither side runs for an hour, requests in flight; then both go on. */
async function stoppedAndContinued() {
  const vm = await createTestVm({
    frames: FRAMES,
    machine: { completion: late, offer: { pageReporting: true, freePageHint: true } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  reach(vm, 500);
  for (const target of [900, 200]) {
    vm.machine.setTarget(target);
    vm.balloon.interrupt();
    const { inFlight } = vm.balloon.status();
    expect(inFlight.inflatePages + inFlight.deflatePages).toBeGreaterThan(0);
    vm.machine.advance(HOUR_MS);
    vm.machine.spuriousInterrupt();
    vm.settle();
    expect(vm.machine.heldPages).toBe(target);
    sound(vm);
  }
}

async function largeRanges() {
  const vm = await createTestVm({ frames: 8192, machine: { offer: { pageReporting: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  watch(vm, 5000);
  const { pages, ranges } = vm.machine.reportedPages;
  expect(ranges).toBeGreaterThan(0);
  expect(pages / ranges).toBeGreaterThanOrEqual(512);
  expect(pages % 512).toBe(0);
  sound(vm);
}

async function acceptedFeatures() {
  const offer = { pagePoison: true, pageReporting: true, extra: [6, 8, 16, 50] };
  const accepted = async (settings: { poison?: number }, pagePoison = true) => {
    const vm = await createTestVm({
      frames: FRAMES,
      settings,
      machine: { offer: { ...offer, pagePoison }, queueNumbering: "fixed" },
    });
    vm.settle();
    sound(vm);
    return vm.machine.negotiated;
  };
  const bit = (n: number) => 1n << BigInt(n);
  const strange = bit(6) | bit(8) | bit(16) | bit(50);
  const plain = await accepted({});
  expect(plain & (strange | bit(4))).toBe(0n);
  expect(plain & bit(5)).toBe(bit(5));
  expect((await accepted({ poison: 0 })) & (bit(4) | bit(5))).toBe(bit(4) | bit(5));
  expect((await accepted({ poison: 0 }, false)) & bit(5)).toBe(0n);
}

/** What host and rings saw, without times and without how registers are reached. */
async function queueTrace(profile: "v86" | "firecracker"): Promise<string[]> {
  const vm = await createTestVm({
    frames: FRAMES,
    machine: { profile: { ...profiles.strict, pci: profiles[profile].pci }, completion: late },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const target of [900, 1, 400]) reach(vm, target);
  const lines = vm.machine.trace.entries().map(({ kind, what, fields }) => {
    return kind === "queue" || kind === "device" ? `${kind} ${what} ${JSON.stringify(fields)}` : "";
  });
  return lines.filter((line) => line !== "" && !line.includes("window"));
}

async function sameTrace() {
  const io = await queueTrace("v86");
  expect(io.length).toBeGreaterThan(20);
  expect(await queueTrace("firecracker")).toEqual(io);
}

async function numberedQueues() {
  for (const row of numberings) await useEveryQueue(row);
}

const BOOT = "test/boot/";

const rows: readonly Row[] = [
  {
    id: "B01",
    title: "0, N, 0: actual is 0 again and free memory what it was",
    looks: { "three sizes": backToNothing },
    beside: ["test/conformance/targets.test.ts"],
  },
  {
    id: "B02",
    title: "targets that are no multiple of anything are met exactly",
    looks: { "1, 255, 257, 1281, 3": oddTargets },
    beside: ["test/conformance/targets.test.ts"],
  },
  {
    id: "B03",
    title: "a target that moves while pages are in flight",
    scenarios: [...withPrefix("reversals"), ...withPrefix("packed rings, reversals")],
  },
  {
    id: "B04",
    title: "a target beyond memory ends at a floor, actual is stable, the guest goes on",
    scenarios: ["a target out of reach"],
    looks: { "an hour at the floor": beyondMemory },
  },
  {
    id: "B05",
    title: "an allocation that fails, wherever it does",
    looks: { "after 0 to 700 pages": failingAllocations },
  },
  {
    id: "B06",
    title: "actual: one aligned 32-bit store, after the acknowledgement, and one at the start",
    scenarios: ["several targets", "targets, registers in memory"],
    looks: { "the stores themselves": actualInOneStore },
  },
  {
    id: "B07",
    title: "no page twice in flight, none taken back or used before its acknowledgement",
    scenarios: [
      ...withPrefix("reversals"),
      "a guest that takes all while an inflate is in flight",
      "targets, without MUST_TELL_HOST",
      "targets, use-first",
    ],
    beside: ["test/conformance/modes.test.ts", "test/property/driver.test.ts"],
  },
  {
    id: "B08",
    title: "a buffer names at most 256 pages in one descriptor of whole page numbers",
    looks: { "the buffers themselves": smallBuffers },
  },
  {
    id: "B09",
    title: "acknowledgements late, out of order and in batches, used.len whatever it likes",
    scenarios: [
      "targets, every buffer at its own time",
      "targets, buffers out of order",
      "targets, buffers in batches",
      "targets, used.len a page count",
      "targets, used.len the total",
      "packed rings, scattered",
    ],
  },
  {
    id: "B10",
    title: "inflates that are never acknowledged: statistics and reports work, nothing spins",
    scenarios: ["statistics while an inflate hangs"],
    looks: { "an hour of it": inflateNeverAnswered },
    beside: ["test/conformance/faults.test.ts"],
  },
  {
    id: "B11",
    title: "statistics: one buffer, filled again at once, whole entries, the same tags",
    scenarios: ["statistics", "statistics while an inflate is slow"],
    looks: { "two requests amid an inflate": statisticsAtOnce },
  },
  {
    id: "B12",
    title: "an actual that an earlier guest left behind",
    scenarios: ["targets, an old actual"],
    looks: { "three hosts": oldActual },
  },
  {
    id: "B13",
    title: "a driver that is bound again reaches the target by itself",
    scenarios: ["stop"],
    looks: { "stop and start": boundAgain },
    beside: [`${BOOT}restart.test.ts`],
  },
  {
    id: "B14",
    title: "stopped and continued, saved and restored, with requests in flight",
    looks: { "an hour's sleep": stoppedAndContinued },
    beside: [`${BOOT}restart.test.ts`, `${BOOT}vmm-v86.test.ts`],
  },
  {
    id: "B15",
    title: "queue numbers: seven sets of features under three conventions",
    looks: { "every queue used": numberedQueues },
    beside: ["test/conformance/numbering.test.ts"],
  },
  {
    id: "B16",
    title: "hinting: one start, STOP from either side, DONE, ids that come again, pages kept",
    scenarios: withPrefix("hinting"),
    beside: ["test/conformance/faults.test.ts", `${BOOT}features.test.ts`],
  },
  {
    id: "B17",
    title: "reporting: nothing touched before the acknowledgement, large ranges, poison",
    scenarios: withPrefix("reporting"),
    looks: { "2 MiB and more": largeRanges },
    beside: [`${BOOT}features.test.ts`],
  },
  {
    id: "B18",
    title: "a guest out of memory gets pages back, and keeps them for a while",
    scenarios: ["a guest out of memory"],
    beside: ["test/unit/embed/pressure.test.ts"],
  },
  {
    id: "B19",
    title: "a device that wants a reset while it holds pages",
    scenarios: [
      "a device that asks for a reset",
      "packed rings, a device that asks for a reset",
      "hinting, a device that asks for a reset",
    ],
  },
  {
    id: "B20",
    title: "features: only what is carried out; no poison unless pages are filled",
    scenarios: ["targets, bits without a meaning offered"],
    looks: { "poison and reporting": acceptedFeatures },
  },
  {
    id: "B21",
    title: "every way to the registers gives the same trace",
    looks: { "I/O BARs and a memory BAR": sameTrace },
    beside: ["test/unit/virtio/legacy-pci.test.ts", `${BOOT}qtest-transports.test.ts`],
  },
  {
    id: "B22",
    title: "EVENT_IDX, indirect tables and packed rings, each on and off",
    scenarios: [
      "several targets",
      "targets, without EVENT_IDX",
      "packed rings",
      "packed rings, without EVENT_IDX",
      "reporting",
      "reporting, no indirect tables",
      "all that rings can be",
    ],
    beside: ["test/conformance/matrix.test.ts", `${BOOT}qemu-matrix.test.ts`],
  },
];

const shown = new Map<string, string[]>();

describe.each(rows)("$id: $title", ({ id, scenarios: names = [], looks = {} }) => {
  const passed = (what: string) => shown.set(id, [...(shown.get(id) ?? []), what]);

  it.each(names.map((name) => [name] as const))(`${id}: %s`, async (name) => {
    const { lines, thrown } = await judge(scenarios[name]);
    if (thrown !== undefined) throw thrown;
    expect(lines).toEqual([]);
    passed(name);
  });

  it.each(Object.entries(looks))(`${id}: %s`, async (what, look) => {
    await look();
    passed(what);
  });
});

describe("the table", () => {
  it("has B01 to B22, each with something to show", () => {
    const ids = Array.from({ length: 22 }, (_, n) => `B${String(n + 1).padStart(2, "0")}`);
    expect(rows.map(({ id }) => id)).toEqual(ids);
    const empty = rows.filter((row) => (row.scenarios ?? []).length + count(row.looks) === 0);
    expect(empty).toEqual([]);
  });

  it("names files that are there", () => {
    const named = rows.flatMap(({ beside = [] }) => beside);
    const root = resolve(import.meta.dirname, "../..");
    expect(named.filter((file) => !existsSync(resolve(root, file)))).toEqual([]);
  });
});

function count(looks: Row["looks"] = {}): number {
  return Object.keys(looks).length;
}

afterAll(() => {
  const lines = ["| id | behaviour | seen here | also in |", "|---|---|---|---|"];
  for (const { id, title, beside = [] } of rows) {
    const seen = shown.get(id)?.join("; ") ?? "nothing";
    lines.push(`| ${id} | ${title} | ${seen} | ${beside.join(", ")} |`);
  }
  const directory = resolve(import.meta.dirname, "../../build");
  mkdirSync(directory, { recursive: true });
  writeFileSync(resolve(directory, "behaviours.md"), `${lines.join("\n")}\n`);
  console.log(lines.join("\n"));
});
