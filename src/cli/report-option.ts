/** The option --report: in which formats a judge's report is written, and where. */

import { FailureError } from "../failure.ts";
import type { JudgeReport } from "../judge/judge-report.ts";
import { REPORTS, type ReportFormat } from "../judge/report/formats.ts";
import type { Paint } from "../text/style.ts";
import { formatBytes } from "../text/units.ts";
import type { Given, OptionSpec } from "./options.ts";
import { expectWritable, type OutputFile, writeOutput } from "./output-file.ts";
import { type Io, Screen } from "./terminal.ts";

/** An earlier report. */
export const BASELINE: OptionSpec = {
  name: "baseline",
  value: "FILE",
  text: "a report as JSON: only what is new since then fails",
};

/** What the commands with reports take. */
export const REPORT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "report",
    value: `${REPORTS.join("|")}[=FILE]`,
    choices: REPORTS,
    repeatable: true,
    withFile: true,
    text: "a format of the report, printed or written into a file; give it again for more (text)",
  },
  { name: "json", text: "the same as --report json" },
];

/** One report that is asked for; without a file it is printed. */
export interface ReportOutput {
  readonly format: ReportFormat;
  readonly file?: OutputFile;
}

/**
 * Returns what is asked for: one that is printed, text where none is named, and those for files.
 * @throws FailureError `usage` for two on one place, `missing` for a file that cannot be written.
 */
export async function reportOutputs(given: Given): Promise<readonly ReportOutput[]> {
  const named = given.values("report").map((value): ReportOutput => {
    const [format = "", ...path] = value.split("=");
    // The parser has refused every other name.
    const known = format as ReportFormat;
    if (path.length === 0) return { format: known };
    return { format: known, file: { path: path.join("="), option: `--report ${format}=` } };
  });
  if (given.has("json")) named.push({ format: "json" });
  const printed = named.filter(({ file }) => file === undefined);
  const files = named.flatMap(({ file }) => file ?? []);
  const paths = files.map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (printed.length > 1 || twice !== undefined) {
    throw new FailureError({
      kind: "usage",
      what: "option --report",
      seen: `two reports for ${twice ?? "standard output"}`,
      todo: "give all but one a file of its own: --report html=FILE",
    });
  }
  for (const file of files) await expectWritable(file);
  return printed.length === 0 ? [{ format: "text" }, ...named] : named;
}

/** Prints and writes a report in every format that is asked for; `lines` makes one of them. */
export async function writeReports(parts: {
  readonly report: JudgeReport;
  readonly outputs: readonly ReportOutput[];
  readonly lines: (report: JudgeReport, format: ReportFormat, paint?: Paint) => readonly string[];
  readonly io: Io;
}): Promise<void> {
  const { report, outputs, lines, io } = parts;
  const screen = new Screen(io.out, io.environment);
  for (const { format } of outputs.filter(({ file }) => file === undefined)) {
    for (const line of lines(report, format, screen.paint)) screen.line(line);
  }
  const isText = outputs.some(({ format, file }) => format === "text" && file === undefined);
  for (const { format, file } of outputs) {
    if (file === undefined) continue;
    const text = `${lines(report, format).join("\n")}\n`;
    await writeOutput(file, text);
    if (isText) screen.line(`report: ${file.path}, ${formatBytes(Buffer.byteLength(text))}`);
  }
}
