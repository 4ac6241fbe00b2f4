/** A report as lines for people. */

import type { FoldedVerdict } from "../../device/index.ts";
import type { Paint } from "../../text/style.ts";
import type { JudgeReport, ScenarioResult } from "../judge.ts";

const plain: Paint = (_style, text) => text;

/** Returns lines: one for each scenario, then each broken rule once, the worst first. */
export function reportText(report: JudgeReport, paint: Paint = plain): readonly string[] {
  const { driver, platform, profile, transport, results, passed } = report;
  const width = Math.max(...results.map(({ scenario }) => scenario.length));
  const scenarios = results.flatMap((result) => scenarioLines(result, width, paint));
  const findings = worstFirst(results).flatMap((finding) => ["", ...findingLines(finding, paint)]);
  const [colour, word] = passed ? (["green", "passed"] as const) : (["red", "failed"] as const);
  return [
    `${paint("bold", driver)}, ${platform}, device ${profile}, ${transport}`,
    "",
    ...scenarios,
    ...findings,
    "",
    `${paint(colour, word)}: ${sumUp(results)}`,
  ];
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

function findingLines(
  finding: FoldedVerdict & { scenarios: readonly string[] },
  paint: Paint,
): string[] {
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

const LEVELS = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"];

/** Each broken rule once, with the evidence of the first scenario that broke it. */
function worstFirst(results: readonly ScenarioResult[]) {
  const byRule = new Map<string, FoldedVerdict & { scenarios: string[] }>();
  for (const { scenario, findings } of results) {
    for (const finding of findings) {
      const known = byRule.get(finding.rule);
      const count = finding.count + (known?.count ?? 0);
      const scenarios = [...(known?.scenarios ?? []), scenario];
      byRule.set(finding.rule, { ...(known ?? finding), count, scenarios });
    }
  }
  const rank = ({ level }: FoldedVerdict) =>
    (LEVELS.indexOf(level) + LEVELS.length + 1) % (LEVELS.length + 1);
  return [...byRule.values()].sort((a, b) => rank(a) - rank(b));
}

function sumUp(results: readonly ScenarioResult[]): string {
  const ran = results.filter(({ outcome }) => outcome !== null);
  const rules = new Set(ran.flatMap(({ findings }) => findings.map(({ rule }) => rule)));
  const musts = new Set(
    ran.flatMap(({ findings }) =>
      findings.filter(({ level }) => level.startsWith("MUST")).map(({ rule }) => rule),
    ),
  );
  const out = results.length - ran.length;
  return [
    `${ran.length} scenarios${out > 0 ? `, ${out} left out` : ""}`,
    `${rules.size} rules broken, ${musts.size} of them MUST or MUST NOT`,
  ].join("; ");
}
