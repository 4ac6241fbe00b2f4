/**
 * The benchmark of the core: `npm run bench:core`, or with `-- --json`, `-- --help`.
 *
 * It must not judge by absolute times, which differ from machine to machine: goals are ratios.
 * Invariant: everything printed was measured in this very run.
 */
import { parseArgs } from "node:util";
import { coreGuest, modelGuest } from "./exchange.ts";
import { measureLedger, type OperationFigures } from "./ledger.ts";
import { type Figures, measureNs, RUNS } from "./measure.ts";

const HELP = `Usage: npm run bench:core -- [--json] [--help]

Measures core.wasm in this Node, ${RUNS} alternating runs each after one to warm up:
  pages    inflated and deflated through ring and ledger against a device that completes at once,
           by the core and by a plain TypeScript model of it, at 4 GiB of frames
  ledger   operations at 1 GiB, 64 GiB and 1 TiB of frames, with the ratio to 1 GiB. Those that
           search have a goal; "anywhere" goes to random places, so it shows what cache misses cost

  --json   prints one JSON object instead of tables
  --help   prints this

The ledger of 1 TiB needs about 134 MiB of memory. Exit code 0, whether or not a goal is reached.`;

/** 4 GiB: more than fits a cache, little enough for the model to be done soon. */
const EXCHANGE_FRAMES = 1_048_576;
/** The core is that much faster that one trip alone would be over too soon. */
const CORE_TRIPS = 20;
const FLAT_WITHIN = 1.5;

interface Results {
  readonly node: string;
  readonly runs: number;
  readonly exchange: {
    readonly frames: number;
    /** Pages per second, by side. */
    readonly sides: readonly Figures[];
    readonly coreOverModel: number;
  };
  readonly ledger: {
    readonly operations: readonly OperationFigures[];
    readonly goal: number;
    readonly worst: number;
    readonly reached: boolean;
  };
}

function perSecond({ name, median, least, most }: Figures): Figures {
  return { name, median: 1e9 / median, least: 1e9 / most, most: 1e9 / least };
}

function measureExchange(): Results["exchange"] {
  const core = coreGuest(EXCHANGE_FRAMES);
  const model = modelGuest(EXCHANGE_FRAMES);
  const trips = () => {
    let pages = 0;
    for (let trip = 0; trip < CORE_TRIPS; trip++) pages += core.roundTrip();
    return pages;
  };
  const sides = measureNs([
    { name: "core", run: trips },
    { name: "model", run: () => model.roundTrip() },
  ]).map(perSecond);
  const [ofCore, ofModel] = sides;
  const coreOverModel = (ofCore?.median ?? Number.NaN) / (ofModel?.median ?? Number.NaN);
  return { frames: EXCHANGE_FRAMES, sides, coreOverModel };
}

function measure(progress: (line: string) => void): Results {
  progress("pages through ring and ledger");
  const exchange = measureExchange();
  const operations = measureLedger(progress);
  const judged = operations.filter(({ inGoal }) => inGoal).flatMap(({ sizes }) => sizes);
  const worst = Math.max(...judged.map(({ ratio }) => ratio));
  return {
    node: process.version,
    runs: RUNS,
    exchange,
    ledger: { operations, goal: FLAT_WITHIN, worst, reached: worst <= FLAT_WITHIN },
  };
}

function row(first: string, ...cells: readonly string[]): string {
  return `  ${first.padEnd(42)}${cells.map((cell) => cell.padStart(11)).join("")}`;
}

function table({ node, runs, exchange, ledger }: Results): string {
  const millions = (value: number) => (value / 1e6).toFixed(2);
  const ns = (value: number) => value.toFixed(1);
  return [
    `Node ${node}, ${runs} alternating runs`,
    "",
    row("million pages a second", "median", "min", "max"),
    ...exchange.sides.map(({ name, median, least, most }) =>
      row(name, millions(median), millions(least), millions(most)),
    ),
    row("core over model", `${exchange.coreOverModel.toFixed(1)} x`),
    "",
    row("ns an operation", "median", "min", "max", "to 1 GiB"),
    ...ledger.operations.flatMap(({ operation, inGoal, sizes }) => [
      row(inGoal ? operation : `${operation} (no goal)`),
      ...sizes.map(({ name, median, least, most, ratio }) =>
        row(`  ${name}`, ns(median), ns(least), ns(most), ratio.toFixed(2)),
      ),
    ]),
    "",
    `  goal: flat within ${ledger.goal}; worst ${ledger.worst.toFixed(2)}: ` +
      `${ledger.reached ? "reached" : "NOT reached"}`,
  ].join("\n");
}

function main(): void {
  const { values } = parseArgs({
    options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(HELP);
    return;
  }
  const results = measure((line) => console.error(`... ${line}`));
  console.log(values.json === true ? JSON.stringify(results, null, 2) : table(results));
}

main();
