/** `ballonet report`: reports of `ballonet judge` to one report, in every format. */
import { readFile } from "node:fs/promises";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import { BASELINE, REPORT_OPTIONS, reportOutputs, writeReports } from "../report-option.ts";

export const spec: CommandSpec = {
  name: "report",
  text: "make one report of several, or of one another format",
  operand: {
    value: "ACTION",
    choices: ["merge"],
    required: true,
    text: "merge: one report of all shards of a run, or of other scenarios",
  },
  files: { value: "FILE...", text: "reports of `ballonet judge --report json=FILE`" },
  options: [BASELINE, ...REPORT_OPTIONS, HELP],
  notes: [
    "Driver and settings of all have to be the same, no scenario may be there twice, and no " +
      "shard may be missing. One file alone is shown in another format.",
    "The exit code is that of a run of all scenarios: 0 when no MUST and no MUST NOT was broken " +
      "and the driver stayed up, else 1; with --baseline only what is new counts.",
  ],
  examples: [
    ["ballonet report merge 1.json 2.json 3.json", "the report of three shards as text"],
    ["ballonet report merge *.json --report html=a.html --report junit=a.xml", "for CI"],
    ["ballonet report merge a.json --report html=a.html", "another format"],
  ],
};

type Work = Pick<
  typeof import("../../judge/index.ts"),
  "mergeReports" | "readReport" | "reportLines" | "reportPasses" | "withBaseline"
>;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../judge/index.ts"),
): Promise<number> {
  const outputs = await reportOutputs(given);
  const work = await load();
  const read = async (file: string) => ({
    file,
    report: work.readReport(await readFile(file, "utf8"), file),
  });
  const merged = work.mergeReports(await Promise.all(given.files.map(read)));
  const baseline = given.value("baseline");
  const report =
    baseline === undefined
      ? merged
      : work.withBaseline(merged, (await read(baseline)).report, baseline);
  await writeReports({ report, outputs, lines: work.reportLines, io });
  return work.reportPasses(report) ? GOOD : exitCodeOf({ kind: "rule" });
}
