/**
 * `ballonet doctor`: what this machine has and lacks, as a table or as JSON.
 */
import type { Check, Diagnosis } from "../../session/doctor.ts";
import type { Style } from "../../text/style.ts";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import { Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "doctor",
  text: "check what this machine has, what is missing, and how to get it",
  options: [{ name: "json", text: "print one JSON object" }, HELP],
  notes: [
    "It compiles a function, and boots a guest on each emulator: a few seconds. BALLONET_QEMU " +
      "names QEMU's program, as for `ballonet boot`.",
    "The exit code is 3 when something is missing that `ballonet boot` needs. QEMU is optional.",
  ],
  examples: [["ballonet doctor", "check this machine"]],
};

const MARKS: Readonly<Record<Check["state"], readonly [Style, string]>> = {
  here: ["green", "here"],
  missing: ["red", "missing"],
  optional: ["yellow", "optional"],
};
const MARK_CHARS = 9;

type Work = Pick<typeof import("../../session/index.ts"), "diagnose">;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../session/index.ts"),
): Promise<number> {
  const { diagnose } = await load();
  const qemu = io.environment.BALLONET_QEMU || undefined;
  const diagnosis = await diagnose({ qemu, signal: io.signal });
  if (given.has("json")) io.out.write(`${JSON.stringify(diagnosis)}\n`);
  else print(diagnosis, new Screen(io.out, io.environment));
  return diagnosis.ready ? GOOD : exitCodeOf({ kind: "missing" });
}

function print({ findings, ready }: Diagnosis, screen: Screen): void {
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, purpose, state, seen, todo } of findings) {
    const [style, mark] = MARKS[state];
    screen.line(`${screen.style(style, mark.padEnd(MARK_CHARS))}${name.padEnd(width)}  ${seen}`);
    if (todo === "") continue;
    const indent = " ".repeat(MARK_CHARS + width + 2);
    screen.line(`${indent}for ${purpose}: ${todo}`);
  }
  screen.line();
  screen.line(
    ready
      ? screen.style("green", "ready: `ballonet boot` has all that it needs")
      : screen.style("red", "not ready: see what is missing"),
  );
}
