/**
 * `ballonet explain`: a name to an explanation, the explanation to text or JSON.
 *
 * It explains nothing itself. Invariant: standard output has the explanation alone.
 */
import { GOOD } from "../exit-codes.ts";
import { type Laboratory, withProgress } from "../laboratory.ts";
import type { Given } from "../options.ts";
import { type Io, Screen } from "../terminal.ts";

export async function explain(parts: { given: Given; io: Io; lab: Laboratory }): Promise<number> {
  const { given, io, lab } = parts;
  const explanation = await withProgress(io, (onCell) =>
    lab.explainDeflate({ name: given.operand, signal: io.signal, onCell }),
  );
  if (given.has("json")) io.out.write(`${JSON.stringify(explanation)}\n`);
  else {
    const screen = new Screen(io.out, io.environment);
    for (const line of lab.explanationLines(explanation, screen.paint)) screen.line(line);
  }
  return GOOD;
}
