/** Results as TAP version 14, written line by line as they come. */
import type { CheckResult } from "./suite.ts";

/** The word by which TAP says that a failure is known. */
const KNOWN = "TODO";

/** Whether it breaks no MUST and no MUST NOT. */
export function isPass({ check, outcome }: CheckResult): boolean {
  return outcome !== "broken" || !check.level.startsWith("MUST");
}

/** The lines before the first result. */
export function tapHead(count: number): readonly string[] {
  return ["TAP version 14", `1..${count}`];
}

/** One result. A recommendation that is broken is no failure, so it is one that is known. */
export function tapLines(result: CheckResult, number: number): readonly string[] {
  const { check, outcome, seen } = result;
  const { id, section, level, says } = check;
  const point = `${outcome === "broken" ? "not ok" : "ok"} ${number} - ${id} a device ${says}`;
  if (outcome === "left out") return [`${point} # SKIP ${seen.replaceAll("#", "")}`];
  if (outcome === "holds") return [point];
  const known = isPass(result) ? ` # ${KNOWN} it is a ${level}` : "";
  const about = { section, level, seen };
  const block = Object.entries(about).map(([name, text]) => `  ${name}: ${JSON.stringify(text)}`);
  return [point + known, "  ---", ...block, "  ..."];
}

/** What follows the last result: a comment with the sums. */
export function tapSummary(results: readonly CheckResult[]): readonly string[] {
  const count = (outcome: CheckResult["outcome"]) =>
    results.filter((result) => result.outcome === outcome).length;
  return [`# ${count("holds")} hold, ${count("broken")} broken, ${count("left out")} left out`];
}
