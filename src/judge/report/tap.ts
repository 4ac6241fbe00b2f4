/** A report as TAP version 14: one test point for each scenario. */
import type { JudgeReport, ScenarioResult } from "../judge-report.ts";
import { resultPasses } from "./baseline.ts";

/**
 * Returns the report as lines of TAP; broken rules are the YAML block of their scenario. One that
 * fails by what is known from a baseline has a directive that makes it no failure.
 */
export function reportTap(report: JudgeReport): readonly string[] {
  const { results } = report;
  const points = results.flatMap((result, index) => {
    const { scenario, outcome, note, findings, lastSteps } = result;
    const ok = result.passed ? "ok" : "not ok";
    const directive = directiveOf(report, result);
    const point = `${ok} ${index + 1} - ${hashless(scenario)}${directive}`;
    if (outcome === null) return [point];
    const rules = findings.map(({ rule, level, count, seen }) => {
      return `    - ${JSON.stringify({ rule, level, count, seen })}`;
    });
    const said = note === null ? [] : [`  note: ${JSON.stringify(note)}`];
    const broken = rules.length === 0 ? [] : ["  broken:", ...rules];
    const last = lastSteps.map((step) => `    - ${JSON.stringify(step)}`);
    const steps = last.length === 0 ? [] : ["  last_steps:", ...last];
    return [point, "  ---", `  outcome: ${outcome}`, ...said, ...broken, ...steps, "  ..."];
  });
  return ["TAP version 14", `1..${results.length}`, ...points];
}

/** The word by which TAP says that a failure is known. */
const KNOWN = "TODO";

function directiveOf(report: JudgeReport, result: ScenarioResult): string {
  if (result.outcome === null) return ` # SKIP ${hashless(result.note ?? "")}`;
  if (result.passed || !resultPasses(report, result)) return "";
  return ` # ${KNOWN} known from ${hashless(report.baseline?.file)}`;
}

/** A directive's reason; a number sign in it would begin another one. */
function hashless(text = ""): string {
  return text.replaceAll("#", "\\#").replaceAll("\n", " ");
}
