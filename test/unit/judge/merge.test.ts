/** Scenarios in shards, and the reports of all shards as one. */
import { fc, it as property } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import {
  type JudgeReport,
  mergeReports,
  parseShard,
  type ScenarioResult,
  scenarios,
} from "../../../src/judge/index.ts";
import { judge } from "../../../src/judge/judge.ts";
import { partOf } from "../../../src/judge/shard.ts";
import { REPORT } from "./report.ts";

const NAMES = scenarios.map(({ name }) => name);
const names = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 12 });
const count = fc.integer({ min: 1, max: 8 });

/** A run that finds nothing; what it takes hangs on the scenario's name. */
function ran(chosen: readonly string[], shard?: { number: number; of: number }) {
  return judge({
    ...{ driver: "d", platform: "p", profile: "strict", transport: "mmio" },
    ...{ settings: { waive: "D7" }, scenarios: chosen, shard },
    run: async ({ name, text }): Promise<ScenarioResult> => ({
      ...{ scenario: name, text, outcome: "up", note: null, lastSteps: [], findings: [] },
      ...{ passed: name !== "hints", tookMs: name.length },
    }),
  });
}

function named(...reports: readonly JudgeReport[]) {
  return reports.map((report, index) => ({ file: `${index + 1}.json`, report }));
}

describe("shards", () => {
  property.prop([fc.array(fc.anything()), count])(
    "have nothing in common, are all together, and are of about one size",
    (all, of) => {
      const parts = Array.from({ length: of }, (_, index) =>
        partOf(all, { number: index + 1, of }),
      );
      expect(all.map((_, index) => parts[index % of]?.[Math.floor(index / of)])).toEqual(all);
      const sizes = parts.map(({ length }) => length);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(all.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    },
  );

  property.prop([names, count, fc.integer()])(
    "of a run are one report together, in whatever order they come",
    async (chosen, of, turn) => {
      const shards = Array.from({ length: of }, (_, index) => ({ number: index + 1, of }));
      const parts = await Promise.all(shards.map((shard) => ran(chosen, shard)));
      const turned = parts.map(
        (_, index) => parts[(((index + turn) % of) + of) % of] as JudgeReport,
      );
      expect(mergeReports(named(...turned))).toEqual(await ran(chosen));
    },
  );

  it.each(["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "1/1001", "-1/2", "1.5/2"])(
    "are not named by %j",
    (text) => {
      expect(() => parseShard(text)).toThrow(/write K\/N with 1 <= K <= N <= 1000/);
    },
  );

  it("may be empty where there are more of them than scenarios", async () => {
    const report = await ran(["start"], parseShard("2/2"));
    expect([report.results, report.passed, report.shard]).toEqual([[], true, "2/2"]);
  });
});

describe("reports", () => {
  const changed = (rest: Partial<JudgeReport>) => [REPORT, { ...REPORT, results: [], ...rest }];
  const shards = (...list: string[]) =>
    list.map((shard, index) => ({
      ...REPORT,
      shard,
      results: REPORT.results.slice(index, index + 1),
    }));

  it("of other scenarios under the same settings are one, in the table's order", async () => {
    const merged = mergeReports(named(await ran(["oom", "start"]), await ran(["targets"])));
    expect(merged.scenarios).toEqual(["start", "targets", "oom"]);
    expect(merged.results.map(({ scenario }) => scenario)).toEqual(merged.scenarios);
  });

  it.each<[string, readonly JudgeReport[], string]>([
    ["none", [], "no report"],
    ["one twice", [REPORT, REPORT], "scenario targets in 1.json, and again in 2.json"],
    ["another driver", changed({ driver: "b" }), "driver a <driver> in 1.json, b in 2.json"],
    ["another platform", changed({ platform: "v86" }), "platform in process in 1.json, v86"],
    ["another profile", changed({ profile: "qemu" }), "profile strict in 1.json, qemu in 2.json"],
    ["another transport", changed({ transport: "legacy" }), "transport mmio in 1.json, legacy"],
    ["other settings", changed({ settings: {} }), "vectors 3 in 1.json, none in 2.json"],
    ["more settings", changed({ settings: { vectors: "3", waive: "D7" } }), "waive none in 1.json"],
    ["a shard among whole ones", changed({ shard: "1/2" }), "shards none in 1.json, 2 in 2.json"],
    ["other shards", shards("1/2", "2/3"), "shards 2 in 1.json, 3 in 2.json"],
    ["a shard twice", shards("1/2", "1/2"), "shard 1/2 in 1.json, and again in 2.json"],
    ["too few shards", shards("3/4", "1/4"), "no shard 2/4, 4/4"],
    ["no shard at all", shards("x"), '"x"'],
    [
      "shards of other scenarios",
      shards("1/2", "2/2").map((one, at) => (at === 0 ? one : { ...one, scenarios: ["oom"] })),
      "scenarios targets, hints, start in 1.json, oom in 2.json",
    ],
  ])("are refused when there is %s", (_what, reports, seen) => {
    expect(() => mergeReports(named(...reports))).toThrow(`seen ${seen}`);
  });
});
