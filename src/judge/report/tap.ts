/** A report as TAP version 14: one test point for each scenario. */
import type { JudgeReport } from "../judge.ts";

/** Returns the report as lines of TAP; broken rules are the YAML block of their scenario. */
export function reportTap({ results }: JudgeReport): readonly string[] {
  const points = results.flatMap((result, index) => {
    const { scenario, outcome, note, findings, lastSteps } = result;
    const skip = outcome === null ? ` # SKIP ${note ?? ""}` : "";
    const point = `${result.passed ? "ok" : "not ok"} ${index + 1} - ${scenario}${skip}`;
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
