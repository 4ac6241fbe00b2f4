/** Reports of a device, and what the guest itself prints, read by other people's parsers. */
import { parse } from "junit2json";
import { type FinalResults, Parser } from "tap-parser";
import { expect, it } from "vitest";
import { type CheckResult, checks } from "../../../runtime/check/suite.ts";
import { tapHead, tapLines, tapSummary } from "../../../runtime/check/tap.ts";
import { checkDevice } from "../../../src/check/index.ts";
import { reportLines } from "../../../src/judge/index.ts";

/** What a device may have in its answers, and a format might take for its own. */
const NASTY = `a "thing" # SKIP \\ <b> & ]]> 'x' ${"\n"}not ok 7`;
const results = checks.map((check, index): CheckResult => {
  if (index % 3 === 1) return { check, outcome: "broken", seen: `${index} ${NASTY}` };
  if (index % 3 === 2) return { check, outcome: "left out", seen: "feature # 35" };
  return { check, outcome: "holds", seen: "" };
});
const printed = [
  ...tapHead(checks.length),
  ...results.flatMap((result, index) => tapLines(result, index + 1)),
  ...tapSummary(results),
];
const report = await checkDevice({
  host: {
    ...{ name: 'a <VMM> "1.0"', arch: "i386", machine: "pc", settings: { transport: "legacy" } },
    launch: async () => ({
      lines: (async function* () {
        yield* printed;
      })(),
      ended: Promise.resolve("exit code 1"),
      kill: async () => undefined,
    }),
  },
  image: "none.elf",
});

const broken = results.filter(({ outcome }) => outcome === "broken");
const musts = broken.filter(({ check }) => check.level.startsWith("MUST")).length;
const ALL = { musts, shoulds: broken.length - musts };

function readTap(lines: readonly string[]): FinalResults & { readonly extra: string[] } {
  const extra: string[] = [];
  let final: FinalResults | undefined;
  const parser = new Parser({ strict: true }, (results) => {
    final = results;
  });
  parser.on("extra", (text: string) => extra.push(text));
  parser.end(`${lines.join("\n")}\n`);
  if (final === undefined) throw new Error("nothing was read");
  return Object.assign(final, { extra });
}

it("the guest's own TAP has each check once, and its recommendations as no failures", () => {
  const read = readTap(printed);
  expect(read).toMatchObject({ ok: false, count: checks.length, todo: ALL.shoulds, extra: [] });
  expect(read.fail - read.todo).toBe(ALL.musts);
  expect(read.skip).toBe(results.filter(({ outcome }) => outcome === "left out").length);
  const failures = read.failures.filter(({ todo }) => !todo);
  expect(failures).toHaveLength(ALL.musts);
  for (const { diag } of failures) expect(diag?.seen).toContain(NASTY);
});

it("a report as TAP has each check once, with what was seen", () => {
  const read = readTap(reportLines(report, "tap"));
  expect(read).toMatchObject({ ok: false, count: checks.length, fail: ALL.musts, extra: [] });
  const seen = JSON.stringify(read.failures.map(({ diag }) => diag));
  expect(seen).toContain(JSON.stringify(NASTY).slice(1, -1));
});

it("a report as JUnit has each check once, with what was seen", async () => {
  const read = await parse(reportLines(report, "junit").join("\n"));
  if (read === undefined || read === null || !("testcase" in read))
    throw new Error("no test suite");
  expect(read).toMatchObject({ tests: checks.length, failures: ALL.musts });
  const cases = read.testcase ?? [];
  expect(cases.map(({ name }) => name)).toEqual(checks.map(({ id }) => id));
  const failed = cases.filter(({ failure }) => failure !== undefined);
  expect(failed).toHaveLength(ALL.musts);
  expect(failed[0]?.failure?.[0]?.inner).toContain(NASTY);
  expect(cases.filter(({ skipped }) => skipped !== undefined)).toHaveLength(read.skipped ?? -1);
});

it("a report as a page names machine, processor and transport as what they are", () => {
  const facts = reportLines(report, "html")
    .join("")
    .matchAll(/<dt>(\w+)<\/dt><dd>(\w+)<\/dd>/g);
  const named = [...facts].map(([, name, value]) => [name, value]);
  expect(named.slice(0, 4)).toEqual([
    ["platform", "check"],
    ["machine", "pc"],
    ["arch", "i386"],
    ["transport", "legacy"],
  ]);
});
