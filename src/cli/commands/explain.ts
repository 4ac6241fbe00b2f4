/**
 * `ballonet explain`: a name to an explanation, the explanation to text or JSON.
 */
import { wrapped } from "../../text/wrap.ts";
import { entryNamed } from "../catalog.ts";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { GOOD } from "../exit-codes.ts";
import { withCellProgress } from "../progress.ts";
import { Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "explain",
  text: "explain a rule, or why a pair of driver and host ends as it does",
  operand: {
    value: "NAME",
    text:
      "a rule, scenario, profile, fault or policy of `ballonet list`, or a driver, a host, a " +
      "dialect, a migration, or a pair (PERSONA/HOST)",
  },
  options: [{ name: "json", text: "print one JSON object" }, HELP],
  notes: [
    "Without a name it lists the names of drivers, hosts and migrations, and tells the history " +
      "of the question who must tell the host. The pairs that an explanation is about are " +
      "run for it.",
    "JSON.md describes what --json prints.",
  ],
  examples: [
    ["ballonet explain", "the question, and the names"],
    ["ballonet explain D12", "a rule: what, level, section, how it is seen"],
    ["ballonet explain windows", "how a driver behaves"],
    ["ballonet explain windows/locked-always", "why data is lost"],
    ["ballonet explain linux/locked/to-old", "why a host does not accept a migrated guest"],
  ],
};

type Work = Pick<typeof import("../../lab/index.ts"), "explainDeflate" | "explanationLines">;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../lab/index.ts"),
): Promise<number> {
  const known = entryNamed(given.operand ?? "");
  if (known !== undefined) {
    const { list, entry } = known;
    const { name, text, details } = entry;
    if (given.has("json")) {
      const paragraphs = [text, ...details];
      const rest = { kinds: [list], paragraphs, cells: [], findings: [] };
      io.out.write(`${JSON.stringify({ type: "explanation", name, ...rest })}\n`);
      return GOOD;
    }
    const screen = new Screen(io.out, io.environment);
    screen.line(`${screen.style("bold", name)}: ${text}`);
    for (const line of details.flatMap((detail) => ["", ...wrapped(detail)])) screen.line(line);
    return GOOD;
  }
  const lab = await load();
  const explanation = await withCellProgress(io, (onCell) =>
    lab.explainDeflate({ name: given.operand, signal: io.signal, onCell }),
  );
  if (given.has("json")) io.out.write(`${JSON.stringify(explanation)}\n`);
  else {
    const screen = new Screen(io.out, io.environment);
    for (const line of lab.explanationLines(explanation, screen.paint)) screen.line(line);
  }
  return GOOD;
}
