/**
 * The twenty-two bugs that balloon drivers are known for: each row says what a driver without the
 * bug does, and shows it by scenarios, by checks of its own, or both.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as check from "./checks/driver-bug-checks.ts";
import { type ScenarioName, scenarios } from "./scenarios/scenarios.ts";
import { judge } from "./testbed.ts";

interface Row {
  readonly id: `B${number}`;
  readonly title: string;
  /** Scenarios that the driver passes without a verdict. */
  readonly scenarios?: readonly ScenarioName[];
  /** Checks that no scenario makes, by what they try. */
  readonly checks?: Readonly<Record<string, () => Promise<void>>>;
  /** Tests that show it on real hosts, or in more ways: file, and title as written there. */
  readonly beside?: Readonly<Record<string, string>>;
}

const withPrefix = (prefix: string) =>
  (Object.keys(scenarios) as ScenarioName[]).filter((name) => name.startsWith(prefix));

const rows: readonly Row[] = [
  {
    id: "B01",
    title: "0, N, 0: actual is 0 again and free memory what it was",
    checks: { "three sizes": check.backToNothing },
    beside: { "test/conformance/targets.test.ts": "0 -> %i -> 0" },
  },
  {
    id: "B02",
    title: "targets that are no multiple of anything are met exactly",
    checks: { "1, 255, 257, 1281, 3": check.oddTargets },
    beside: { "test/conformance/targets.test.ts": "0 -> %i -> 0" },
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
    checks: { "an hour at the floor": check.beyondMemory },
  },
  {
    id: "B05",
    title: "an allocation that fails, wherever it does",
    checks: { "after 0 to 700 pages": check.failingAllocations },
  },
  {
    id: "B06",
    title: "actual: one aligned 32-bit store, after the acknowledgement, and one at the start",
    scenarios: ["several targets", "targets, registers in memory"],
    checks: { "the stores themselves": check.actualInOneStore },
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
    beside: {
      "test/conformance/modes.test.ts": "tell-first: pages come back with the acknowledgement",
      "test/property/driver.test.ts":
        "agree on every page after every step, and reach every target within reach",
    },
  },
  {
    id: "B08",
    title: "a buffer names at most 256 pages in one descriptor of whole page numbers",
    checks: { "the buffers themselves": check.smallBuffers },
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
    checks: { "an hour of it": check.inflateNeverAnswered },
    beside: {
      "test/conformance/faults.test.ts":
        "an inflate queue that hangs: statistics at once, deflates all the same",
    },
  },
  {
    id: "B11",
    title: "statistics: one buffer, filled again at once, whole entries, the same tags",
    scenarios: ["statistics", "statistics while an inflate is slow"],
    checks: { "two requests amid an inflate": check.statisticsAtOnce },
  },
  {
    id: "B12",
    title: "an actual that an earlier guest left behind",
    scenarios: ["targets, an old actual"],
    checks: { "three hosts": check.oldActual },
  },
  {
    id: "B13",
    title: "a driver that is bound again reaches the target by itself",
    scenarios: ["stop"],
    checks: { "stop and start": check.boundAgain },
    beside: {
      "test/boot/guest/restart.test.ts":
        "after a reset the driver comes up again and reaches the same target",
    },
  },
  {
    id: "B14",
    title: "stopped and continued, saved and restored, with requests in flight",
    checks: { "an hour's sleep": check.stoppedAndContinued },
    beside: {
      "test/boot/guest/restart.test.ts": "v86: a state saved with a half-inflated balloon goes on",
      "test/boot/vmm/v86.test.ts": "a state is restored in the same machine and in another one",
    },
  },
  {
    id: "B15",
    title: "queue numbers: seven sets of features under three conventions",
    checks: { "every queue used": check.numberedQueues },
    beside: {
      "test/conformance/numbering.test.ts":
        "{$set} and $strange strange ones, $convention, $rings rings",
    },
  },
  {
    id: "B16",
    title: "hinting: one start, STOP from either side, DONE, ids that come again, pages kept",
    scenarios: withPrefix("hinting"),
    beside: {
      "test/conformance/faults.test.ts":
        "hint-id-stale: an id that comes again after DONE is a run of its own",
      "test/boot/guest/features.test.ts": "makes the saved state smaller, in every run of a boot",
    },
  },
  {
    id: "B17",
    title: "reporting: nothing touched before the acknowledgement, large ranges, poison",
    scenarios: withPrefix("reporting"),
    checks: { "2 MiB and more": check.largeRanges },
    beside: {
      "test/boot/guest/features.test.ts":
        "gives memory back without a balloon, and what is in use stays whole",
    },
  },
  {
    id: "B18",
    title: "a guest out of memory gets pages back, and keeps them for a while",
    scenarios: ["a guest out of memory"],
    beside: {
      "test/unit/embed/pressure.test.ts":
        "is then left alone for the hold-off, though the target is unchanged",
    },
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
    checks: { "poison and reporting": check.acceptedFeatures },
  },
  {
    id: "B21",
    title: "over every transport the balloon does the same, buffer by buffer and page by page",
    checks: { "modern, legacy, transitional and MMIO": check.sameDeeds },
    beside: {
      "test/unit/virtio/pci/legacy.test.ts": "has every step but FEATURES_OK",
      "test/boot/vmm/qtest-transports.test.ts": "%s, %s preferred, is %s",
    },
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
    beside: {
      "test/conformance/matrix.test.ts":
        "over every transport, with every kind of interrupt, on every kind of ring",
      "test/boot/guest/qemu-matrix.test.ts": "agrees with QEMU on what was negotiated",
    },
  },
];

const shown = new Map<string, string[]>();

describe.each(rows)("$id: $title", ({ id, scenarios: names = [], checks = {} }) => {
  const passed = (what: string) => shown.set(id, [...(shown.get(id) ?? []), what]);

  it.each(names.map((name) => [name] as const))(`${id}: %s`, async (name) => {
    const { lines, thrown } = await judge(scenarios[name]);
    if (thrown !== undefined) throw thrown;
    expect(lines).toEqual([]);
    passed(name);
  });

  it.each(Object.entries(checks))(`${id}: %s`, async (what, run) => {
    await run();
    passed(what);
  });
});

describe("the table", () => {
  it("has B01 to B22, each with something to show", () => {
    const ids = Array.from({ length: 22 }, (_, n) => `B${String(n + 1).padStart(2, "0")}`);
    expect(rows.map(({ id }) => id)).toEqual(ids);
    const empty = rows.filter((row) => (row.scenarios ?? []).length + count(row.checks) === 0);
    expect(empty).toEqual([]);
  });

  it("names tests that are there", () => {
    const root = resolve(import.meta.dirname, "../..");
    const missing = rows.flatMap(({ id, beside = {} }) =>
      Object.entries(beside)
        .filter(([file, title]) => {
          const quoted = `"${title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}"`;
          const call = new RegExp(`^ *(?:\\)|(?:it|test|describe)\\b.*)\\(\\s*${quoted},`, "m");
          return !call.test(readFileSync(resolve(root, file), "utf8"));
        })
        .map((missed) => [id, ...missed]),
    );
    expect(missing).toEqual([]);
  });
});

function count(checks: Row["checks"] = {}): number {
  return Object.keys(checks).length;
}

afterAll(() => {
  const lines = ["| id | a driver without the bug | seen here | also in |", "|---|---|---|---|"];
  for (const { id, title, beside = {} } of rows) {
    const seen = shown.get(id)?.join("; ") ?? "nothing";
    lines.push(`| ${id} | ${title} | ${seen} | ${Object.keys(beside).join(", ")} |`);
  }
  const directory = resolve(import.meta.dirname, "../../build");
  mkdirSync(directory, { recursive: true });
  writeFileSync(resolve(directory, "known-driver-bugs.md"), `${lines.join("\n")}\n`);
  console.log(lines.join("\n"));
});
