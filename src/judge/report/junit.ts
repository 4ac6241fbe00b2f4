/** A report as JUnit XML: one test case for each scenario. */
import { escaped } from "../../text/markup.ts";
import type { JudgeReport } from "../judge-report.ts";
import { resultPasses } from "./baseline.ts";
import { unitOf } from "./sums.ts";

/** Returns the report as lines of XML; broken rules are the text of their scenario's failure. */
export function reportJunit(report: JudgeReport): readonly string[] {
  const { driver, platform, results, baseline } = report;
  const failures = results.filter((result) => !resultPasses(report, result)).length;
  const skipped = results.filter(({ outcome }) => outcome === null).length;
  const cases = results.flatMap((result) => {
    const { scenario, outcome, note, findings, lastSteps, tookMs } = result;
    const seconds = (tookMs / 1000).toFixed(3);
    const about = `classname="${escaped(driver)}" name="${escaped(scenario)}"`;
    const head = `  <testcase ${about} time="${seconds}"`;
    if (outcome === null) {
      return [`${head}>`, `    <skipped message="${escaped(note ?? "")}"/>`, "  </testcase>"];
    }
    const passes = resultPasses(report, result);
    const text = [
      ...(passes && !result.passed ? [`known: nothing new since ${baseline?.file}`] : []),
      `outcome: ${outcome}${note === null ? "" : `, ${note}`}`,
      ...findings.map(
        ({ rule, level, section, count, seen }) =>
          `${rule} (${level}, ${section}) x${count}: ${seen}`,
      ),
      ...lastSteps,
    ].map(escaped);
    const kind = passes ? "system-out" : "failure";
    return [`${head}>`, `    <${kind}>${text.join("\n")}</${kind}>`, "  </testcase>"];
  });
  const suite =
    unitOf(report) === "check" ? "ballonet check" : `ballonet judge, ${escaped(platform)}`;
  const counts = `tests="${results.length}" failures="${failures}" skipped="${skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${suite}" ${counts}>`,
    ...cases,
    "</testsuite>",
  ];
}
