/**
 * The benchmark: `npm run bench`, or with `-- --help`.
 *
 * Everything printed was measured in this very run, and no QEMU outlives it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { packageFolder } from "../../../src/package.ts";
import { parseSize } from "../../../src/text/units.ts";
import { VmmError } from "../../../src/vmm/errors.ts";
import { GUEST_NAMES, type GuestName } from "./guests.ts";
import { MissingError } from "./linux.ts";
import { formatPage } from "./page.ts";
import { type Results, results } from "./results.ts";
import { formatText } from "./text.ts";

const HELP = `Usage: npm run bench -- [options]

Boots our unikernel and a Linux guest, in turns, on the same QEMU with the same devices and memory,
and measures what a balloon costs; next to them, what the host's own calls cost. The Linux guest is
Debian's kernel, fetched with apt below build/, also tuned (init_on_alloc=0); nothing is installed.
Prints a table, and writes the same as JSON and as one HTML file with plots. A whole run takes about
half an hour on a quiet machine.

  --runs N       how often (5)
  --sizes LIST   the guests' memory, populated beforehand (512M,2G,8G)
  --only LIST    of ${GUEST_NAMES.join(", ")} (all)
  --qemu PATH    another QEMU than qemu-system-x86_64
  --json FILE    (build/bench/guests.json)
  --html FILE    (build/bench/guests.html)
  --help         prints this

Exit code 0, whether or not a goal is met; 2: usage; 3: something is missing on this machine.`;

const USAGE_CODE = 2;
const MISSING_CODE = 3;
const INTERRUPTED_CODE = 130;
const RUNS_MAX = 100;

class UsageError extends Error {}

function options() {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      sizes: { type: "string", default: "512M,2G,8G" },
      only: { type: "string", default: GUEST_NAMES.join(",") },
      qemu: { type: "string" },
      json: { type: "string", default: join(packageFolder(), "build/bench/guests.json") },
      html: { type: "string", default: join(packageFolder(), "build/bench/guests.html") },
      help: { type: "boolean", short: "h" },
    },
  });
  return values;
}

function parseRuns(text: string): number {
  const runs = Number(text);
  if (Number.isInteger(runs) && runs >= 1 && runs <= RUNS_MAX) return runs;
  throw new UsageError(`--runs: seen "${text}"; give a whole number from 1 to ${RUNS_MAX}`);
}

function parseOnly(text: string): GuestName[] {
  return text.split(",").map((name) => {
    const known = GUEST_NAMES.find((it) => it === name);
    if (known !== undefined) return known;
    throw new UsageError(`--only: seen "${name}"; choose of ${GUEST_NAMES.join(", ")}`);
  });
}

async function save(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

function asJson({ samples, ...rest }: Results): string {
  return JSON.stringify({ ...rest, samples: samples.all }, null, 2);
}

async function main(signal: AbortSignal): Promise<void> {
  const { runs, sizes, only, qemu, json, html, help } = options();
  if (help === true) {
    console.log(HELP);
    return;
  }
  const startMs = performance.now();
  const seconds = () => ((performance.now() - startMs) / 1000).toFixed(0).padStart(4);
  const found = await results({
    runs: parseRuns(runs),
    sizes: sizes.split(",").map((text) => parseSize(text, "--sizes")),
    only: parseOnly(only),
    qemu,
    signal,
    progress: (line) => console.error(`${seconds()} s  ${line}`),
  });
  await save(json, asJson(found));
  await save(html, formatPage(found));
  console.log(formatText(found));
  console.error(`${seconds()} s  written to ${json} and ${html}`);
}

function exitCode(error: unknown): number {
  if (error instanceof MissingError) return MISSING_CODE;
  if (error instanceof VmmError && error.code === "qemu-not-found") return MISSING_CODE;
  const isUsage = error instanceof UsageError || (error as { kind?: unknown }).kind === "usage";
  const isOption = String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS");
  return isUsage || isOption ? USAGE_CODE : 1;
}

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
try {
  await main(stop.signal);
} catch (error) {
  console.error(stop.signal.aborted ? "stopped" : `bench: ${(error as Error).message}`);
  process.exitCode = stop.signal.aborted ? INTERRUPTED_CODE : exitCode(error);
}
