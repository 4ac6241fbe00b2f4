/**
 * The benchmark of judging: `npm run bench:judging`, or with `-- --json`, `-- --help`.
 *
 * The same guest does the same with the device's judging on and off, taking turns: a scenario as
 * `ballonet judge` runs it, and the bare moving of pages, without a boot and without waiting for
 * rest. The second shows what overwriting and comparing each page costs: it has no goal. Guests
 * have the memory that the judge gives by default; with more of it, pages count for more.
 */
import { buildImage } from "../../src/image/build-image.ts";
import {
  inProcess,
  inQemu,
  inV86,
  type JudgedGuest,
  type Platform,
  runScenario,
  type Scenario,
  scenarios,
} from "../../src/judge/index.ts";
import { packageFolder } from "../../src/package.ts";
import { ballonet } from "../support/judged-driver.ts";
import { runBench } from "./bench-program.ts";
import { type Figures, figures, RUNS } from "./measure.ts";

const HELP = `Usage: npm run bench:judging -- [--json] [--help]

Measures in ${RUNS} runs, after one to warm up, how long this project's guest takes with the device's
judging on and off, and the ratio of the two in each run: for the scenario "targets", and for
filling and emptying its balloon alone.

  --json   prints one JSON object instead of a table
  --help   prints this

QEMU 11 must have been set up. Exit code 0, whether or not the goal is reached.`;

/** Judging costs less than half of the time. */
const GOAL = 2;

const MIB = 2 ** 20;
const WASM_PAGE = 65536;
/** A balloon is looked at this often. */
const STEP_MS = 5;
/** Times that it is filled and emptied in one run. */
const ROUNDS = 2;
/** A guest that does not reach a target in this time never does. */
const MOVE_MS = 300_000;

interface Kind {
  readonly name: string;
  readonly memoryBytes: number;
  platform(judging: boolean): Platform;
}

/** Returns the milliseconds that one run took. */
type Work = (kind: Kind, judging: boolean) => Promise<number>;

interface Result {
  readonly name: string;
  readonly work: "scenario" | "pages";
  readonly onMs: Figures;
  readonly offMs: Figures;
  readonly ratio: Figures;
}

async function kinds(): Promise<readonly Kind[]> {
  const [i386, x86_64] = [await buildImage({ arch: "i386" }), await buildImage({ arch: "x86_64" })];
  // What each has that nobody gives another number.
  const [ofDriver, ofImage] = [64 * MIB, 128 * MIB];
  const qemu = `${packageFolder()}/build/qemu-11/qemu-system-x86_64`;
  return [
    {
      name: "in process",
      memoryBytes: ofDriver,
      platform: (judging) =>
        inProcess(
          () => ({
            memory: new WebAssembly.Memory({ initial: ofDriver / WASM_PAGE }),
            start: ballonet(),
          }),
          { judging },
        ),
    },
    {
      name: "v86",
      memoryBytes: ofImage,
      platform: (judging) => inV86({ image: i386.path, memoryBytes: ofImage, device: { judging } }),
    },
    {
      name: "QEMU",
      memoryBytes: ofImage,
      platform: (judging) =>
        inQemu({
          ...{ qemu, machine: "pc", image: x86_64.path, memoryBytes: ofImage },
          device: { judging },
        }),
    },
  ];
}

async function reach(guest: JudgedGuest, pages: number): Promise<void> {
  guest.device.setTarget(pages);
  const endMs = performance.now() + MOVE_MS;
  while (guest.device.actual !== pages) {
    if (performance.now() > endMs) throw new Error(`${guest.device.actual} of ${pages} pages`);
    await guest.pass(STEP_MS);
  }
}

/** Milliseconds in which a new guest moves its pages. */
async function movesMs({ platform, memoryBytes }: Kind, judging: boolean): Promise<number> {
  const signal = new AbortController().signal;
  const guest = await platform(judging).start({ device: {}, signal });
  try {
    await guest.rest();
    const startMs = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      await reach(guest, pagesOf(memoryBytes));
      await reach(guest, 0);
    }
    return performance.now() - startMs;
  } finally {
    await guest.close();
  }
}

/** Half of the memory. */
function pagesOf(memoryBytes: number): number {
  return memoryBytes / 2 / 4096;
}

/** Milliseconds of the scenario "targets", from the start of its guest to its end. */
async function scenarioMs({ platform }: Kind, judging: boolean): Promise<number> {
  const targets = scenarios.find(({ name }) => name === "targets") as Scenario;
  const { outcome, tookMs } = await runScenario(platform(judging), targets);
  if (outcome !== "up") throw new Error(`the scenario ended as ${outcome}`);
  return tookMs;
}

const WORKS: Readonly<Record<Result["work"], Work>> = { scenario: scenarioMs, pages: movesMs };

async function measure(progress: (line: string) => void): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const kind of await kinds()) {
    for (const work of ["scenario", "pages"] as const) {
      progress(`${kind.name}: ${work}`);
      results.push(await compared(kind, work));
    }
  }
  return results;
}

async function compared(kind: Kind, work: Result["work"]): Promise<Result> {
  const [on, off]: [number[], number[]] = [[], []];
  for (let run = -1; run < RUNS; run += 1) {
    const [onMs, offMs] = [await WORKS[work](kind, true), await WORKS[work](kind, false)];
    if (run < 0) continue;
    on.push(onMs);
    off.push(offMs);
  }
  const ratios = on.map((ms, run) => ms / (off[run] ?? Number.NaN));
  return {
    ...{ name: kind.name, work },
    ...{ onMs: figures("on", on), offMs: figures("off", off), ratio: figures("ratio", ratios) },
  };
}

function row(first: string, ...cells: readonly string[]): string {
  return `  ${first.padEnd(28)}${cells.map((cell) => cell.padStart(10)).join("")}`;
}

function table(results: readonly Result[]): string {
  const cells = ({ median, least, most }: Figures, digits: number) =>
    [median, least, most].map((value) => value.toFixed(digits));
  return [
    `Node ${process.version}, ${RUNS} runs of each, taking turns`,
    "",
    row("", "median", "min", "max", "goal"),
    ...results.flatMap(({ name, work, onMs, offMs, ratio }) => [
      row(`${name}, ${work}: ms, on`, ...cells(onMs, 0)),
      row(`${name}, ${work}: ms, off`, ...cells(offMs, 0)),
      row(`${name}, ${work}: on / off`, ...cells(ratio, 2), work === "scenario" ? `< ${GOAL}` : ""),
    ]),
  ].join("\n");
}

await runBench({ help: HELP, measure, table });
