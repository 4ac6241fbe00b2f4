/**
 * `ballonet judge`: a driver to a report of the rules that it breaks.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { profiles, type RuleId, rules } from "../../device/index.ts";
import { FailureError } from "../../failure.ts";
import { REPORTS, type ReportFormat } from "../../judge/report/formats.ts";
import { scenarios } from "../../judge/scenarios.ts";
import { parseDuration } from "../../text/units.ts";
import { type Call, type CommandSpec, choice, HELP, repeatable } from "../command.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import type { Given } from "../options.ts";
import { withCellProgress } from "../progress.ts";
import { Screen } from "../terminal.ts";

const TRANSPORTS = ["modern", "transitional", "legacy", "mmio", "legacy-mmio"] as const;
const NAMES = scenarios.map(({ name }) => name);
const DEFAULTS = scenarios.filter(({ isDefault }) => isDefault).map(({ name }) => name);

export const spec: CommandSpec = {
  name: "judge",
  text: "lead a driver through scenarios, and name each rule that it breaks",
  options: [
    { name: "wasm", value: "FILE", text: "a driver that is a WebAssembly module" },
    choice("profile", Object.keys(profiles), "the device to imitate (strict)"),
    choice("transport", TRANSPORTS, "how the driver reaches the device (modern)"),
    repeatable("scenario", NAMES, `only these; default: ${DEFAULTS.join(", ")}`),
    { name: "waive", value: "RULE", repeatable: true, text: "do not judge this rule" },
    { name: "timeout", value: "TIME", text: "longest time of one scenario (60s)" },
    choice("report", REPORTS, "the format of the report (text)"),
    { name: "json", text: "the same as --report json" },
    HELP,
  ],
  notes: [
    "A module exports `memory` and `step() -> f64`, and imports the hardware as six functions of " +
      "the module `hal`: port_read, port_write, mmio_read, mmio_write, now, log. GUIDE.md shows " +
      "one in C.",
    "JSON.md describes what --report json prints.",
    "The exit code is 0 when no MUST and no MUST NOT was broken and the driver stayed up, else 1.",
  ],
  examples: [
    ["ballonet judge --wasm driver.wasm", "every scenario, on the strict device"],
    ["ballonet judge --wasm driver.wasm --scenario targets --profile qemu", "one scenario"],
    ["ballonet judge --wasm driver.wasm --report junit > report.xml", "for a CI system"],
  ],
};

type Work = Pick<typeof import("../../judge/index.ts"), "judgeModule" | "reportLines">;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../judge/index.ts"),
): Promise<number> {
  const file = given.value("wasm");
  if (file === undefined) {
    throw new FailureError({
      kind: "usage",
      what: "`ballonet judge`",
      seen: "no driver",
      todo: "give --wasm FILE; see `ballonet judge --help`",
    });
  }
  const { judgeModule, reportLines } = await load();
  const bytes = await readFile(file);
  const timeout = given.value("timeout");
  const device = { ...chosen(given), waive: waived(given) };
  const report = await withCellProgress(io, (onScenario) =>
    judgeModule({
      name: basename(file),
      bytes,
      device,
      scenarios: given.values("scenario"),
      ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, "option --timeout") }),
      signal: io.signal,
      onScenario,
    }),
  );
  const format = given.has("json") ? "json" : ((given.value("report") ?? "text") as ReportFormat);
  const screen = new Screen(io.out, io.environment);
  for (const line of reportLines(report, format, screen.paint)) screen.line(line);
  return report.passed ? GOOD : exitCodeOf({ kind: "rule" });
}

function chosen(given: Given) {
  // The parser has refused every other name.
  return {
    profile: (given.value("profile") ?? "strict") as keyof typeof profiles,
    transport: (given.value("transport") ?? "modern") as (typeof TRANSPORTS)[number],
  };
}

function waived(given: Given): readonly RuleId[] {
  return given.values("waive").map((id) => {
    const found = rules.find((rule) => rule.id === id);
    if (found !== undefined) return found.id;
    throw new FailureError({
      kind: "usage",
      what: "option --waive",
      seen: `"${id}"`,
      todo: "give the id of a rule, as a report shows it",
    });
  });
}
