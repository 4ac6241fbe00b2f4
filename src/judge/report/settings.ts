/** Under which settings a report was made, by name, as reports are compared by them. */
import type { JudgeReport } from "../judge-report.ts";

/**
 * Returns the settings that belong to a run, without what was judged in it. A check has its VMM's
 * machine and processor where a judge has profile and transport; how the device is reached is then
 * one of the other settings.
 */
export function settingsIn(report: JudgeReport): ReadonlyMap<string, string> {
  const { platform, profile, transport, settings } = report;
  const own = platform === "check" ? { machine: profile, arch: transport } : { profile, transport };
  return new Map([...Object.entries({ platform, ...own }), ...Object.entries(settings)]);
}
