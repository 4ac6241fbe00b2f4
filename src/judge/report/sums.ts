/** What every format of a report has to count: each broken rule once, and the sum of all. */
import type { FoldedVerdict } from "../../device/index.ts";
import { counted } from "../../text/units.ts";
import type { JudgeReport, ScenarioResult } from "../judge-report.ts";

const LEVELS = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"];

/** A rule that is broken, with the evidence of the first scenario that broke it. */
export interface BrokenRule extends FoldedVerdict {
  /** The names of all scenarios that broke it. */
  readonly scenarios: readonly string[];
}

/** Returns each broken rule once, the worst first. */
export function worstFirst(results: readonly ScenarioResult[]): readonly BrokenRule[] {
  const byRule = new Map<string, BrokenRule>();
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

/** What a report's scenarios are called: one of a device has checks. */
export function unitOf({ platform }: JudgeReport): "check" | "scenario" {
  return platform === "check" ? "check" : "scenario";
}

/** Returns what came of all scenarios, in a line. */
export function sumUp(report: JudgeReport): string {
  const { results, baseline } = report;
  const ran = results.filter(({ outcome }) => outcome !== null);
  const rules = new Set(ran.flatMap(({ findings }) => findings.map(({ rule }) => rule)));
  const musts = new Set(
    ran.flatMap(({ findings }) =>
      findings.filter(({ level }) => level.startsWith("MUST")).map(({ rule }) => rule),
    ),
  );
  const out = results.length - ran.length;
  const { appeared = [], gone = [] } = baseline ?? {};
  return [
    `${counted(ran.length, unitOf(report))}${out > 0 ? `, ${out} left out` : ""}`,
    `${counted(rules.size, "rule")} broken, ${musts.size} of them MUST or MUST NOT`,
    ...(baseline ? [`${appeared.length} new, ${gone.length} gone`] : []),
  ].join("; ");
}
