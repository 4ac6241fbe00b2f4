/** What all reports about a host have in common: its checks' results in the form of the judge's. */
import type { JudgeReport, ScenarioResult } from "../judge/judge-report.ts";
import type { Shard } from "../judge/shard.ts";
import type { CheckHostSystem } from "./hosts/host.ts";

type Finding = ScenarioResult["findings"][number];

/** What a report has besides its host. */
export interface ReportParts {
  readonly results: readonly ScenarioResult[];
  /** The names of all that was to run, also in other shards. */
  readonly scenarios: readonly string[];
  readonly shard?: Shard | undefined;
  /** Beside the host's own. */
  readonly settings?: JudgeReport["settings"];
}

/** Returns a report about a host. */
export function checkReport(
  host: CheckHostSystem,
  { results, scenarios, shard, settings }: ReportParts,
): JudgeReport {
  return {
    type: "judge",
    driver: host.name,
    platform: "check",
    profile: host.machine,
    transport: host.arch,
    settings: { ...host.settings, ...settings },
    scenarios,
    shard: shard ? `${shard.number}/${shard.of}` : null,
    results,
    passed: results.every(({ passed }) => passed),
  };
}

/** Returns what was found once. A report names rules; `rule` is one, of the other side. */
export function checkFinding(finding: {
  readonly rule: string;
  readonly level: string;
  readonly section: string;
  readonly title: string;
  readonly seen: string;
}): Finding {
  return { ...(finding as Finding), count: 1, firstMs: 0, lastMs: 0, lines: [] };
}
