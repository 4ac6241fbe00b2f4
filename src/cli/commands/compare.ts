/**
 * `ballonet compare`: options to a comparison, the comparison to text, JSON or a page.
 */
import { DIALECTS, PERSONA_NAMES } from "../../../runtime/index.ts";
import { HOST_NAMES, PATH_NAMES } from "../../lab/cell-names.ts";
import type { CompareOptions } from "../../lab/compare.ts";
import { formatBytes } from "../../text/units.ts";
import { type Call, type CommandSpec, HELP, repeatable } from "../command.ts";
import { GOOD } from "../exit-codes.ts";
import type { Given } from "../options.ts";
import { expectWritable, writeOutput } from "../output-file.ts";
import { withCellProgress } from "../progress.ts";
import { Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "compare",
  text: "run drivers against hosts, and show in a table what happened",
  operand: {
    value: "QUESTION",
    choices: ["deflate"],
    required: true,
    text: "deflate: must a driver tell the host before it uses a page again?",
  },
  options: [
    repeatable("persona", PERSONA_NAMES, `only these drivers: ${PERSONA_NAMES.join(", ")}`),
    repeatable("host", HOST_NAMES, `only these hosts: ${HOST_NAMES.join(", ")}`),
    repeatable("dialect", DIALECTS, `only these dialects of the driver: ${DIALECTS.join(", ")}`),
    repeatable("path", PATH_NAMES, "only these migrations; `ballonet explain` lists them"),
    { name: "html", value: "FILE", text: "also write a page with a timeline of every pair" },
    { name: "json", text: "print one JSON object with every fact of every pair" },
    HELP,
  ],
  notes: [
    "Every pair is a run of the driver on the reference device, in this process. All of them " +
      "take half a minute. The numbers in the table are counted by the device and the guest.",
    "Without options: every driver on every host, the two-bit dialect where the host knows it, " +
      "and every migration of the host `locked`. Give --host with --path, or --host with " +
      "--dialect, for other combinations.",
    "JSON.md describes what --json prints.",
    "The exit code is 0 even where data was lost.",
  ],
  examples: [
    ["ballonet compare deflate", "every driver on every host"],
    ["ballonet compare deflate --host locked,locked-always", "two hosts"],
    ["ballonet compare deflate --host two-bit --path to-old", "one host, one migration"],
    ["ballonet compare deflate --persona windows,linux --json", "JSON for programs"],
    ["ballonet compare deflate --html deflate.html", "a page in one file"],
  ],
};

function compareOptions(given: Given): CompareOptions {
  // The parser has refused every other name.
  return {
    personas: given.values("persona") as NonNullable<CompareOptions["personas"]>,
    hosts: given.values("host") as NonNullable<CompareOptions["hosts"]>,
    paths: given.values("path") as NonNullable<CompareOptions["paths"]>,
    dialects: given.values("dialect") as NonNullable<CompareOptions["dialects"]>,
  };
}

type Work = typeof import("../../lab/index.ts");

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../lab/index.ts"),
): Promise<number> {
  const file = given.value("html");
  const output = file === undefined ? undefined : { path: file, option: "--html" };
  if (output !== undefined) await expectWritable(output);
  const lab = await load();
  const comparison = await withCellProgress(io, (onCell) =>
    lab.compareDeflate({ ...compareOptions(given), signal: io.signal, onCell }),
  );
  const page = output === undefined ? "" : lab.comparisonPage(comparison);
  if (output !== undefined) await writeOutput(output, page);
  if (given.has("json")) io.out.write(`${JSON.stringify(comparison)}\n`);
  else {
    const screen = new Screen(io.out, io.environment);
    for (const line of lab.comparisonLines(comparison, screen.paint)) screen.line(line);
    if (file !== undefined) screen.line(`\npage: ${file}, ${formatBytes(Buffer.byteLength(page))}`);
  }
  return GOOD;
}
