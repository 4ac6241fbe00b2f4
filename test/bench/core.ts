/**
 * The benchmark of the core: `npm run bench:core`, or with `-- --json`, `-- --help`.
 *
 * Everything printed was measured in this very run.
 */
import { readFileSync } from "node:fs";
import { compilePatchedCore, patchFiles } from "../support/patched.ts";
import { runBench } from "./bench-program.ts";
import { coreGuest, type Guest, modelGuest } from "./exchange.ts";
import { measureLedger, type OperationFigures } from "./ledger.ts";
import { costsNs, type Figures, figures, RUNS } from "./measure.ts";

const HELP = `Usage: npm run bench:core -- [--before FILE] [--json] [--help]

Measures core.wasm in this Node by its processor time, ${RUNS} alternating runs each after one to warm up:
  pages    inflated and deflated through ring and ledger against a device that completes at once,
           by the core, by the core with all but plain split rings compiled out (has a goal: what
           the other rings cost the plain one), and by a plain TypeScript model, at 4 GiB of frames
  ledger   operations at 1 GiB, 64 GiB and 1 TiB of frames, with the ratio to 1 GiB. Those that
           search have a goal; "anywhere" goes to random places, so it shows what cache misses cost

  --before FILE  compares with the core.wasm of another build, too, in the same run (has a goal)
  --json         prints one JSON object instead of tables
  --help         prints this

The ledger of 1 TiB needs about 134 MiB of memory. Exit code 0, whether or not a goal is reached.`;

/** 4 GiB: more than fits a cache, little enough for the model to be done soon. */
const EXCHANGE_FRAMES = 1_048_576;
/** The core is so fast that one trip would be over too soon, and two cores are nearly equal. */
const CORE_SLICES = 200;
const FLAT_WITHIN = 1.5;
/** What the core may lose, on plain split rings, to all the other things that a ring can be. */
const PLAIN_WITHIN = 1.03;
/** Bits that a ring's record can hold; a bit that is 0 is never set, and its code folds away. */
const RING_FEATURES = { EVENT_INDEX: 1, PACKED: 2, IN_ORDER: 4, INDIRECT: 8 };

interface Results {
  readonly node: string;
  readonly runs: number;
  readonly exchange: {
    readonly frames: number;
    /** Pages per second, by side. */
    readonly sides: readonly Figures[];
    readonly coreOverModel: number;
    /** Time of the core over that of one that has plain split rings alone. */
    readonly coreToPlain: Figures;
    /** Time of the core over that of the other build's, where one was named. */
    readonly coreToBefore?: Figures;
    readonly goal: number;
    readonly reached: boolean;
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

/** The core with nothing but plain split rings in it. */
function plainCore(): Promise<WebAssembly.Module> {
  const constant = (name: string, value: number) => `export const ${name}: u32 = ${value};`;
  const patches = Object.entries(RING_FEATURES).map(([name, bit]) => ({
    file: "assembly/ring/record.ts",
    find: constant(name, bit),
    replace: constant(name, 0),
  }));
  return compilePatchedCore(patchFiles(patches));
}

async function measureExchange(before: string | undefined): Promise<Results["exchange"]> {
  const core = coreGuest(EXCHANGE_FRAMES);
  const plain = coreGuest(EXCHANGE_FRAMES, await plainCore());
  const older = before && coreGuest(EXCHANGE_FRAMES, new WebAssembly.Module(readFileSync(before)));
  const model = modelGuest(EXCHANGE_FRAMES);
  const trip = (name: string, guest: Guest) => ({ name, run: () => guest.roundTrip() });
  const [ofCore = [], ofPlain = [], ofOlder] = costsNs(
    [trip("core", core), trip("plain", plain), ...(older ? [trip("before", older)] : [])],
    CORE_SLICES,
  );
  const [ofModel = []] = costsNs([trip("model", model)]);
  const sides = [
    figures("core", ofCore),
    figures("core, plain split rings alone", ofPlain),
    ...(ofOlder ? [figures("core of the other build", ofOlder)] : []),
    figures("model", ofModel),
  ].map(perSecond);
  // Run by run, for the two of one run shared the machine's moods.
  const ratioTo = (name: string, costs: readonly number[]) =>
    figures(
      name,
      ofCore.map((cost, run) => cost / (costs[run] ?? Number.NaN)),
    );
  const coreToPlain = ratioTo("core to plain", ofPlain);
  const coreToBefore = ofOlder && ratioTo("core to the other build's", ofOlder);
  return {
    frames: EXCHANGE_FRAMES,
    sides,
    coreOverModel: (sides[0]?.median ?? Number.NaN) / (sides.at(-1)?.median ?? Number.NaN),
    coreToPlain,
    ...(coreToBefore && { coreToBefore }),
    goal: PLAIN_WITHIN,
    reached: Math.max(coreToPlain.median, coreToBefore?.median ?? 0) <= PLAIN_WITHIN,
  };
}

async function measure(progress: (line: string) => void, before?: string): Promise<Results> {
  progress("pages through ring and ledger");
  const exchange = await measureExchange(before);
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

function verdict({ reached }: { readonly reached: boolean }): string {
  return reached ? "reached" : "NOT reached";
}

function table({ node, runs, exchange, ledger }: Results): string {
  const of = ({ median, least, most }: Figures, digits: number, unit = 1) =>
    [median, least, most].map((value) => (value / unit).toFixed(digits));
  return [
    `Node ${node}, ${runs} alternating runs`,
    "",
    row("million pages a second", "median", "min", "max"),
    ...exchange.sides.map((side) => row(side.name, ...of(side, 2, 1e6))),
    row("core over model", `${exchange.coreOverModel.toFixed(1)} x`),
    row("time of the core to the plain one's", ...of(exchange.coreToPlain, 3)),
    ...(exchange.coreToBefore
      ? [row("time of the core to the other build's", ...of(exchange.coreToBefore, 3))]
      : []),
    `  goal: within ${exchange.goal}: ${verdict(exchange)}`,
    "",
    row("ns an operation", "median", "min", "max", "to 1 GiB"),
    ...ledger.operations.flatMap(({ operation, inGoal, sizes }) => [
      row(inGoal ? operation : `${operation} (no goal)`),
      ...sizes.map((size) => row(`  ${size.name}`, ...of(size, 1), size.ratio.toFixed(2))),
    ]),
    "",
    `  goal: flat within ${ledger.goal}; worst ${ledger.worst.toFixed(2)}: ${verdict(ledger)}`,
  ].join("\n");
}

await runBench({ help: HELP, takesBefore: true, measure, table });
