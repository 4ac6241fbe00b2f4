/** A report beside an earlier one: what is new fails; what is gone and what differs is told. */
import { fc, it as property } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import {
  type JudgeReport,
  REPORTS,
  readReport,
  reportLines,
  reportPasses,
  type ScenarioResult,
  withBaseline,
} from "../../../src/judge/index.ts";
import { nestingFault } from "../../support/html.ts";
import { REPORT } from "./report.ts";

const [targets, hints, start] = REPORT.results as [ScenarioResult, ScenarioResult, ScenarioResult];
const [d12, d4] = targets.findings as [(typeof targets.findings)[0], (typeof targets.findings)[0]];
const UP = { outcome: "up", note: null, lastSteps: [] } as const;
const good = { ...start, ...UP, passed: true };

function report(results: readonly ScenarioResult[], rest: Partial<JudgeReport> = {}): JudgeReport {
  return { ...REPORT, results, passed: results.every(({ passed }) => passed), ...rest };
}

const inShort = (one: JudgeReport) =>
  [...(one.baseline?.appeared ?? []), "/", ...(one.baseline?.gone ?? [])].map((difference) =>
    typeof difference === "string" ? "/" : `${difference.rule}@${difference.scenario}`,
  );

describe("beside an earlier report", () => {
  it("nothing is new in the same one, and it passes though it failed", () => {
    const beside = withBaseline(REPORT, REPORT, "old.json");
    expect(beside.baseline).toEqual({
      ...{ file: "old.json", driver: "a <driver>", unequal: [], appeared: [], gone: [] },
      passed: true,
    });
    expect([REPORT.passed, reportPasses(REPORT), reportPasses(beside)]).toEqual([
      ...[false, false, true],
    ]);
  });

  it.each<[string, ScenarioResult[], ScenarioResult[], string, boolean]>([
    ["a MUST", [{ ...targets, findings: [d4] }], [targets], "D12@targets /", false],
    ["a SHOULD", [{ ...targets, findings: [d12] }], [targets], "D4@targets /", true],
    ["a breach more", [{ ...targets, findings: [{ ...d12, count: 1 }, d4] }], [targets], "/", true],
    ["a rule that is kept now", [targets], [{ ...targets, findings: [d12] }], "/ D4@targets", true],
    ["a bad end", [good], [start], "null@start /", false],
    ["a bad end that was there", [start], [start], "/", true],
    [
      "another bad end",
      [{ ...start, outcome: "crashed" }],
      [start],
      "null@start / null@start",
      false,
    ],
    ["a good end at last", [start], [good], "/ null@start", true],
    ["a scenario that was not run then", [], [targets], "D12@targets D4@targets /", false],
    ["a scenario that is not run now", [targets], [], "/", true],
    [
      "a scenario that is left out now",
      [targets],
      [{ ...hints, ...{ scenario: "targets" } }],
      "/",
      true,
    ],
  ])("%s", (_what, then, now, expected, passes) => {
    const beside = withBaseline(report(now), report(then), "old.json");
    expect(inShort(beside).join(" ")).toBe(expected);
    expect(reportPasses(beside)).toBe(passes);
  });

  it("an outcome that the scenario allows is not a bad one", () => {
    const lost = { ...good, scenario: "needs-reset", outcome: "lost" } as const;
    const was = { ...good, scenario: "needs-reset" };
    expect(inShort(withBaseline(report([lost]), report([was]), "old.json"))).toEqual(["/"]);
  });

  it("other settings and other scenarios are told", () => {
    const then = { profile: "qemu", settings: { waive: "D7" }, scenarios: ["targets", "oom"] };
    const now = report([{ ...hints, scenario: "targets", findings: [] }]);
    expect(withBaseline(now, report([targets], then), "old.json").baseline.unequal).toEqual([
      "profile: qemu, now strict",
      "waive: D7, now none",
      "vectors: none, now 3",
      "scenarios of the baseline alone: oom",
      "scenarios that the baseline has not: hints, start",
      "scenarios left out now: targets",
    ]);
  });

  it("every format tells what is new, and takes the rest for known", () => {
    const then = report([{ ...targets, findings: [d4] }, start, { ...hints, findings: [d12] }]);
    const beside = withBaseline(REPORT, { ...then, driver: "an older one" }, "o#ld.json");
    const lines = (format: "text" | "tap" | "junit") => reportLines(beside, format).join("\n");
    expect(lines("text")).toContain(`beside an older one in o#ld.json
  new      D12 (MUST NOT) in targets: page 1124

failed: 2 scenarios, 1 left out; 2 rules broken, 1 of them MUST or MUST NOT; 1 new, 0 gone; failed in targets`);
    expect(lines("tap")).toMatch(/^not ok 1 - targets$/m);
    expect(lines("tap")).toMatch(/^not ok 3 - start # \w{4} known from o\\#ld\.json$/m);
    expect(lines("junit")).toContain('tests="3" failures="1" skipped="1"');
    expect(lines("junit")).toContain(
      "<system-out>known: nothing new since o#ld.json\noutcome: hung",
    );
  });
});

describe("a report that is read", () => {
  it("is the one that was written, also with a baseline", () => {
    for (const one of [REPORT, withBaseline(REPORT, report([]), "old.json")]) {
      expect(readReport(reportLines(one, "json").join("\n"), "a.json")).toEqual(one);
    }
  });

  it.each([
    ["", "an empty file"],
    ["ok 1\nno", "no JSON: Unexpected token"],
    ["[]", "no object"],
    ["{}", "an object of no type"],
    ['{"type":"comparison"}', 'an object of type "comparison"'],
    [JSON.stringify({ ...REPORT, shard: 2 }), 'its field "shard" is missing or wrong'],
    [JSON.stringify({ ...REPORT, results: [{ ...start, outcome: "won" }] }), 'its field "results"'],
    [JSON.stringify({ ...REPORT, settings: { a: 1 } }), 'its field "settings"'],
    [JSON.stringify({ ...REPORT, scenarios: undefined }), 'its field "scenarios"'],
  ])("is refused in one line: %j", (text, seen) => {
    const read = () => readReport(text, "a.json");
    expect(read).toThrow(`the report a.json: seen ${seen}`);
    expect(read).toThrow(/^[^\n]*$/);
  });

  const withOneFieldWrong = fc
    .tuple(fc.constantFrom(...Object.keys(REPORT)), fc.jsonValue())
    .map(([name, value]) => ({ ...REPORT, [name]: value }));

  property.prop([
    fc.oneof(
      fc.json(),
      withOneFieldWrong.map((it) => JSON.stringify(it)),
    ),
  ])("is shown in every format, or refused", (text) => {
    let read: JudgeReport;
    try {
      read = readReport(text, "a.json");
    } catch (error) {
      expect(String(error)).toContain("give a file that `ballonet judge --report json=FILE`");
      return;
    }
    for (const format of REPORTS) {
      const lines = reportLines(withBaseline(read, REPORT, "b"), format);
      expect(lines.length).toBeGreaterThan(0);
      if (format === "html") expect(nestingFault(lines.join("\n"))).toBe("");
    }
  });
});
