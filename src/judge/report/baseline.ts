/** A report beside an earlier one: what is new, what is gone, and what cannot be compared. */
import {
  type Baseline,
  type Difference,
  endsWell,
  type JudgeReport,
  type ScenarioResult,
} from "../judge-report.ts";
import { scenarios } from "../scenarios.ts";
import { settingsIn } from "./settings.ts";

/**
 * Returns the report with what differs from an earlier one. A broken rule is known when the same
 * scenario broke it then, however often. What a scenario that did not run would have found is
 * neither new nor gone.
 */
export function withBaseline(
  report: JudgeReport,
  earlier: JudgeReport,
  file: string,
): JudgeReport & { readonly baseline: Baseline } {
  const appeared = missingIn(earlier, report, true);
  const gone = missingIn(report, earlier, false);
  const { driver } = earlier;
  const unequal = [...otherSettings(earlier, report), ...otherScenarios(earlier, report)];
  const passed = !appeared.some(failsBy);
  return { ...report, baseline: { file, driver, unequal, appeared, gone, passed } };
}

/** Whether a report passes: where it has a baseline, only what is new counts. */
export function reportPasses({ passed, baseline }: JudgeReport): boolean {
  return baseline?.passed ?? passed;
}

/** Whether a scenario passes: where the report has a baseline, only what is new counts. */
export function resultPasses(
  { baseline }: JudgeReport,
  { scenario, passed }: ScenarioResult,
): boolean {
  if (baseline === undefined) return passed;
  return !baseline.appeared.some((one) => one.scenario === scenario && failsBy(one));
}

/** Whether a difference that is new is more than a recommendation or a habit. */
export function failsBy({ rule, level }: Difference): boolean {
  return rule === null || Boolean(level?.startsWith("MUST"));
}

/** What `found` has, and `other` has not. */
function missingIn(other: JudgeReport, found: JudgeReport, ifNotRun: boolean): Difference[] {
  return found.results.flatMap((result) => {
    const { scenario } = result;
    const then = other.results.find((one) => one.scenario === scenario);
    const ran = then !== undefined && then.outcome !== null;
    if (!ran && !ifNotRun) return [];
    const known = new Set(then?.findings.map(({ rule }) => rule));
    const rules = result.findings
      .filter(({ rule }) => !known.has(rule))
      .map(({ rule, level, seen }) => ({ scenario, rule, level, seen }));
    const bad = badOutcome(result);
    if (bad === null || bad === (then && badOutcome(then))) return rules;
    const seen = result.note === null ? bad : `${bad}, ${result.note}`;
    return [{ scenario, rule: null, level: null, seen }, ...rules];
  });
}

function badOutcome({ scenario, outcome }: ScenarioResult): ScenarioResult["outcome"] {
  const known = scenarios.find(({ name }) => name === scenario);
  return endsWell(outcome, known?.mayEnd) ? null : outcome;
}

function otherSettings(earlier: JudgeReport, report: JudgeReport): string[] {
  const [then, now] = [settingsIn(earlier), settingsIn(report)];
  const names = [...new Set([...then.keys(), ...now.keys()])];
  return names
    .filter((name) => then.get(name) !== now.get(name))
    .map((name) => `${name}: ${then.get(name) ?? "none"}, now ${now.get(name) ?? "none"}`);
}

function otherScenarios(earlier: JudgeReport, report: JudgeReport): string[] {
  const without = (all: JudgeReport, some: JudgeReport) =>
    all.scenarios.filter((name) => !some.scenarios.includes(name));
  const leftOut = ({ results }: JudgeReport) =>
    results.filter(({ outcome }) => outcome === null).map(({ scenario }) => scenario);
  const ranThen = earlier.results
    .filter(({ outcome }) => outcome !== null)
    .map(({ scenario }) => scenario);
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ["scenarios of the baseline alone", without(earlier, report)],
    ["scenarios that the baseline has not", without(report, earlier)],
    ["scenarios left out now", leftOut(report).filter((name) => ranThen.includes(name))],
  ];
  return lines
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${names.join(", ")}`);
}
