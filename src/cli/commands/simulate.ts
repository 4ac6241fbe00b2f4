/**
 * `ballonet simulate`: a policy on a trace of demand, in virtual time.
 */
import { FailureError } from "../../failure.ts";
import { TRACE_NAMES, type TraceName } from "../../lab/traces.ts";
import { parseDuration, parsePages } from "../../text/units.ts";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { GOOD } from "../exit-codes.ts";
import { readInput } from "../input-file.ts";
import { policyChoice, policyOption } from "../machine-options.ts";
import { Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "simulate",
  text: "play a policy on a trace of demand, in virtual time",
  options: [
    policyOption("how the driver follows a target (follow)"),
    {
      name: "trace",
      value: "TRACE",
      text: `${TRACE_NAMES.join(", ")}, or a file of JSON (sine)`,
    },
    { name: "memory", value: "SIZE", text: "memory of the guest, up to 1G (64M)" },
    { name: "reserve", value: "SIZE", text: "memory that inflating leaves free (1M)" },
    { name: "duration", value: "TIME", text: "how long, in virtual time (60s)" },
    { name: "json", text: "print one JSON object, with a sample each 100 ms" },
    HELP,
  ],
  notes: [
    "The driver and the core are the real ones, on the reference device, in this process. " +
      "Programs of the guest want memory as the trace says, and the host asks for what they left.",
    'A trace is a list of steps: { "atMs": 0, "usedPages": 4096, "targetPages": 8192 }, in ' +
      "pages of 4 KiB. What a step does not name stays.",
    "A policy of your own is a module whose default export is a Policy. It takes the package " +
      "esbuild, and has a tenth of a second for each decision, as in an image.",
    "JSON.md describes what --json prints.",
  ],
  examples: [
    ["ballonet simulate", "the default policy on three waves"],
    ["ballonet simulate --policy gentle --trace spike", "a paced one on sudden demand"],
    ["ballonet simulate --policy ./mine.ts --trace diurnal", "a policy of your own on a day"],
    ["ballonet simulate --trace day.json --memory 1G --json", "a trace of your own"],
  ],
};

const DEFAULTS = { memory: "64M", duration: "60s", trace: "sine" } as const;

type Work = Pick<
  typeof import("../../lab/index.ts"),
  "simulate" | "simulationLines" | "namedTrace" | "checkedTrace"
>;

async function readTrace(path: string): Promise<unknown> {
  const text = (await readInput("trace", path, "a trace")).toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    const todo = "write a list of steps as JSON: ballonet simulate --help";
    throw new FailureError({ kind: "usage", what: `the trace ${path}`, seen, todo });
  }
}

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../lab/index.ts"),
): Promise<number> {
  const lab = await load();
  const traceName = given.value("trace") ?? DEFAULTS.trace;
  const { name = "follow", file } = policyChoice(given);
  const pages = parsePages(given.value("memory") ?? DEFAULTS.memory, "option --memory");
  const duration = given.value("duration");
  const reserve = given.value("reserve");
  const isNamed = TRACE_NAMES.some((it) => it === traceName);
  const durationMs = parseDuration(duration ?? DEFAULTS.duration, "option --duration");
  const trace = isNamed
    ? lab.namedTrace(traceName as TraceName, { pages, durationMs })
    : lab.checkedTrace(await readTrace(traceName));
  const simulation = await lab.simulate({
    policy:
      file === undefined ? name : await (await import("../policy-file.ts")).policyOfFile(file),
    trace,
    pages,
    signal: io.signal,
    ...(isNamed || duration !== undefined ? { durationMs } : {}),
    ...(reserve === undefined ? {} : { reservePages: parsePages(reserve, "option --reserve") }),
  });
  if (given.has("json")) {
    io.out.write(`${JSON.stringify(simulation)}\n`);
    return GOOD;
  }
  const screen = new Screen(io.out, io.environment);
  const { columns, paint } = screen;
  for (const line of lab.simulationLines(simulation, { columns, paint })) screen.line(line);
  return GOOD;
}
