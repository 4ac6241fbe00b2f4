/** The formats of a report, by name. */
import type { Paint } from "../../text/style.ts";
import type { JudgeReport } from "../judge-report.ts";
import { reportJunit } from "./junit.ts";
import { reportPage } from "./page.ts";
import { reportTap } from "./tap.ts";
import { reportText } from "./text.ts";

/** What `--report` takes. */
export const REPORTS = ["text", "json", "junit", "tap", "html"] as const;

/** The name of a format. */
export type ReportFormat = (typeof REPORTS)[number];

/** Returns the report as lines; `paint` colours text for people. */
export function reportLines(
  report: JudgeReport,
  format: ReportFormat,
  paint?: Paint,
): readonly string[] {
  switch (format) {
    case "text":
      return reportText(report, paint);
    case "json":
      return [JSON.stringify(report)];
    case "junit":
      return reportJunit(report);
    case "tap":
      return reportTap(report);
    case "html":
      return reportPage(report).trimEnd().split("\n");
  }
}
