/** A report as lines for people. */

import type { Paint } from "../../text/style.ts";
import type { Baseline, Difference, JudgeReport, ScenarioResult } from "../judge-report.ts";
import { reportPasses, resultPasses } from "./baseline.ts";
import { type BrokenRule, sumUp, worstFirst } from "./sums.ts";

const plain: Paint = (_style, text) => text;

/** Returns lines: one for each scenario, then each broken rule once, the worst first. */
export function reportText(report: JudgeReport, paint: Paint = plain): readonly string[] {
  const { driver, platform, profile, transport, results, shard, baseline } = report;
  const width = Math.max(0, ...results.map(({ scenario }) => scenario.length));
  const scenarios = results.flatMap((result) => scenarioLines(result, width, paint));
  const findings = worstFirst(results).flatMap((finding) => ["", ...findingLines(finding, paint)]);
  const [colour, word] = reportPasses(report)
    ? (["green", "passed"] as const)
    : (["red", "failed"] as const);
  return [
    [
      `${paint("bold", driver)}, ${platform}, device ${profile}, ${transport}`,
      ...(shard === null ? [] : [`shard ${shard}`]),
    ].join(", "),
    "",
    ...scenarios,
    ...findings,
    ...(baseline === undefined ? [] : ["", ...baselineLines(baseline, paint)]),
    "",
    `${paint(colour, word)}: ${sumUp(report)}${failedIn(report)}`,
  ];
}

/** Names the scenarios that failed: the last line is what is read first, and may be all. */
function failedIn(report: JudgeReport): string {
  const ran = report.results.filter(({ outcome }) => outcome !== null);
  const failed = ran.filter((result) => !resultPasses(report, result));
  if (failed.length === 0) return "";
  return `; failed in ${places(failed.map(({ scenario }) => scenario))}`;
}

function scenarioLines(result: ScenarioResult, width: number, paint: Paint): string[] {
  const { scenario, outcome, note, findings, passed, lastSteps } = result;
  const rules = findings.map(({ rule, count }) => (count > 1 ? `${rule} x${count}` : rule));
  const said = rules.length === 0 ? "" : `: ${rules.join(", ")}`;
  const why = note === null ? "" : ` (${note})`;
  const colour = passed ? (outcome === null ? "dim" : "green") : "red";
  const steps = passed ? [] : lastSteps;
  return [
    `  ${scenario.padEnd(width)}  ${paint(colour, outcome ?? "left out")}${said}${why}`,
    ...steps.map((step) => paint("dim", `    ${step}`)),
  ];
}

function findingLines(finding: BrokenRule, paint: Paint): string[] {
  const { rule, level, section, title, count, pages, seen, cause, lines, scenarios } = finding;
  const colour = level.startsWith("MUST") ? "red" : "yellow";
  return [
    `${paint(colour, rule)} (${level}, ${section}): ${title}`,
    `  ${count === 1 ? "once" : `${count} times`}, in ${places(scenarios)}`,
    `  seen: ${seen}`,
    ...(pages && pages.count > 1 ? [`  ${pages.count} pages: ${pages.ranges}`] : []),
    ...(cause === undefined ? [] : [`  follows from: ${cause}`]),
    ...lines.map((line) => paint("dim", `  ${line}`)),
  ];
}

/** More names than these help nobody. */
const PLACES_MAX = 4;

function places(scenarios: readonly string[]): string {
  if (scenarios.length <= PLACES_MAX) return scenarios.join(", ");
  return `${scenarios.slice(0, PLACES_MAX).join(", ")} and ${scenarios.length - PLACES_MAX} more`;
}

function baselineLines(baseline: Baseline, paint: Paint): string[] {
  const { file, driver, unequal, appeared, gone } = baseline;
  const line = (mark: string, { scenario, rule, level, seen }: Difference) =>
    `  ${mark}  ${rule === null ? "outcome" : `${rule} (${level})`} in ${scenario}: ${seen}`;
  return [
    `beside ${paint("bold", driver)} in ${file}`,
    ...unequal.map((one) => `  ${paint("yellow", "unequal")}  ${one}`),
    ...appeared.map((one) => line(paint("red", "new    "), one)),
    ...gone.map((one) => line(paint("green", "gone   "), one)),
    ...(appeared.length + gone.length === 0 ? ["  nothing is new, and nothing is gone"] : []),
  ];
}
