/** What benchmarks have in common as programs: their options, and where they write what. */
import { parseArgs } from "node:util";

interface Bench<Results> {
  readonly help: string;
  /** Tells what it is at while it works. */
  measure(tell: (line: string) => void): Results | Promise<Results>;
  table(results: Results): string;
}

/** Runs a benchmark with the options that were typed: results on standard output. */
export async function runBench<Results>({ help, measure, table }: Bench<Results>): Promise<void> {
  const { values } = parseArgs({
    options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(help);
    return;
  }
  const results = await measure((line) => console.error(`... ${line}`));
  console.log(values.json === true ? JSON.stringify(results, null, 2) : table(results));
}
