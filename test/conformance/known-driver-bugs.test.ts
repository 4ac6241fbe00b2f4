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
import { judge } from "../support/testbed.ts";
import * as look from "./checks/behaviour-checks.ts";
import { type ScenarioName, scenarios } from "./scenarios/scenarios.ts";

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

const withPrefix = (prefix: string) =>
  (Object.keys(scenarios) as ScenarioName[]).filter((name) => name.startsWith(prefix));

const BOOT = "test/boot/";

const rows: readonly Row[] = [
  {
    id: "B01",
    title: "0, N, 0: actual is 0 again and free memory what it was",
    looks: { "three sizes": look.backToNothing },
    beside: ["test/conformance/targets.test.ts"],
  },
  {
    id: "B02",
    title: "targets that are no multiple of anything are met exactly",
    looks: { "1, 255, 257, 1281, 3": look.oddTargets },
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
    looks: { "an hour at the floor": look.beyondMemory },
  },
  {
    id: "B05",
    title: "an allocation that fails, wherever it does",
    looks: { "after 0 to 700 pages": look.failingAllocations },
  },
  {
    id: "B06",
    title: "actual: one aligned 32-bit store, after the acknowledgement, and one at the start",
    scenarios: ["several targets", "targets, registers in memory"],
    looks: { "the stores themselves": look.actualInOneStore },
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
    looks: { "the buffers themselves": look.smallBuffers },
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
    looks: { "an hour of it": look.inflateNeverAnswered },
    beside: ["test/conformance/faults.test.ts"],
  },
  {
    id: "B11",
    title: "statistics: one buffer, filled again at once, whole entries, the same tags",
    scenarios: ["statistics", "statistics while an inflate is slow"],
    looks: { "two requests amid an inflate": look.statisticsAtOnce },
  },
  {
    id: "B12",
    title: "an actual that an earlier guest left behind",
    scenarios: ["targets, an old actual"],
    looks: { "three hosts": look.oldActual },
  },
  {
    id: "B13",
    title: "a driver that is bound again reaches the target by itself",
    scenarios: ["stop"],
    looks: { "stop and start": look.boundAgain },
    beside: [`${BOOT}restart.test.ts`],
  },
  {
    id: "B14",
    title: "stopped and continued, saved and restored, with requests in flight",
    looks: { "an hour's sleep": look.stoppedAndContinued },
    beside: [`${BOOT}restart.test.ts`, `${BOOT}vmm-v86.test.ts`],
  },
  {
    id: "B15",
    title: "queue numbers: seven sets of features under three conventions",
    looks: { "every queue used": look.numberedQueues },
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
    looks: { "2 MiB and more": look.largeRanges },
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
    looks: { "poison and reporting": look.acceptedFeatures },
  },
  {
    id: "B21",
    title: "over every transport the balloon does the same, buffer by buffer and page by page",
    looks: { "modern, legacy, transitional and MMIO": look.sameDeeds },
    beside: ["test/unit/virtio/pci/legacy.test.ts", `${BOOT}qtest-transports.test.ts`],
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

  it.each(Object.entries(looks))(`${id}: %s`, async (what, run) => {
    await run();
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
