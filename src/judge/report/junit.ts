/** A report as JUnit XML: one test case for each scenario. */
import { escaped } from "../../text/markup.ts";
import type { JudgeReport } from "../judge.ts";

/** Returns the report as lines of XML; broken rules are the text of their scenario's failure. */
export function reportJunit({ driver, platform, results }: JudgeReport): readonly string[] {
  const failures = results.filter(({ passed }) => !passed).length;
  const skipped = results.filter(({ outcome }) => outcome === null).length;
  const cases = results.flatMap((result) => {
    const { scenario, outcome, note, findings, lastSteps, tookMs } = result;
    const seconds = (tookMs / 1000).toFixed(3);
    const head = `  <testcase classname="${escaped(driver)}" name="${scenario}" time="${seconds}"`;
    if (outcome === null) {
      return [`${head}>`, `    <skipped message="${escaped(note ?? "")}"/>`, "  </testcase>"];
    }
    const text = [
      `outcome: ${outcome}${note === null ? "" : `, ${note}`}`,
      ...findings.map(
        ({ rule, level, section, count, seen }) =>
          `${rule} (${level}, ${section}) x${count}: ${seen}`,
      ),
      ...lastSteps,
    ].map(escaped);
    const kind = result.passed ? "system-out" : "failure";
    return [`${head}>`, `    <${kind}>${text.join("\n")}</${kind}>`, "  </testcase>"];
  });
  const counts = `tests="${results.length}" failures="${failures}" skipped="${skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="ballonet judge, ${escaped(platform)}" ${counts}>`,
    ...cases,
    "</testsuite>",
  ];
}
