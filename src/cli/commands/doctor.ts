/**
 * `ballonet doctor`: findings as a table or as JSON.
 *
 * It looks at nothing itself. Invariant: the exit code and the last line say the same.
 */
import type { Diagnosis, diagnose, Finding } from "../../session/doctor.ts";
import type { Style } from "../../text/style.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import type { Given } from "../options.ts";
import { type Io, Screen } from "../terminal.ts";

const MARKS: Readonly<Record<Finding["state"], readonly [Style, string]>> = {
  here: ["green", "here"],
  missing: ["red", "missing"],
  optional: ["yellow", "optional"],
};
const MARK_CHARS = 9;

export async function doctor(parts: {
  given: Given;
  io: Io;
  examine: typeof diagnose;
}): Promise<number> {
  const { given, io, examine } = parts;
  const diagnosis = await examine({ signal: io.signal });
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
