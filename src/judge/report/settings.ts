/** Under which settings a report was made, by name, as reports are compared by them. */
import type { JudgeReport } from "../judge-report.ts";

/** Returns the settings that belong to a run, without what was judged in it. */
export function settingsIn(report: JudgeReport): ReadonlyMap<string, string> {
  const { platform, profile, transport, settings } = report;
  return new Map([
    ...Object.entries({ platform, profile, transport }),
    ...Object.entries(settings),
  ]);
}
