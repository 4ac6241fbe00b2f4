/** What benchmarks have in common as programs: their options, and where they write what. */
import { parseArgs } from "node:util";

interface Bench<Results> {
  readonly help: string;
  /** Whether `--before FILE` names something to compare with. */
  readonly takesBefore?: boolean;
  /** Tells what it is at while it works. */
  measure(tell: (line: string) => void, before?: string): Results | Promise<Results>;
  table(results: Results): string;
}

/** Runs a benchmark with the options that were typed: results on standard output. */
export async function runBench<Results>(bench: Bench<Results>): Promise<void> {
  const { help, takesBefore = false, measure, table } = bench;
  const { values } = parseArgs({
    options: {
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
      before: { type: "string" },
    },
  });
  if (values.before !== undefined && !takesBefore) throw new Error("--before: not here");
  if (values.help === true) {
    console.log(help);
    return;
  }
  const results = await measure((line) => console.error(`... ${line}`), values.before);
  console.log(values.json === true ? JSON.stringify(results, null, 2) : table(results));
}
