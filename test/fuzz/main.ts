/** The fuzzer: `npm run fuzz -- TARGET --for 10m`. */
import { parseArgs } from "node:util";
import { parseDuration } from "../../src/text/units.ts";
import { coverage, fuzz, lacking } from "./run.ts";
import type { Coverage } from "./script/run.ts";
import { TARGET_NAMES, TARGETS, type TargetName } from "./targets.ts";

const HELP = `Usage: npm run fuzz -- TARGET [--for TIME] [--seed NUMBER]

Searches for bytes that break what takes foreign bytes, led by coverage: C by libFuzzer, with address
and undefined-behaviour sanitizers, TypeScript by counters in its branches. TARGET is one of:
${TARGET_NAMES.map((name) => `  ${name.padEnd(14)}${TARGETS[name].text}`).join("\n")}

  --for TIME     how long: 30s, 10m, 2h (1m)
  --seed NUMBER  of its chances (the time)
  --help         prints this

It begins with test/fuzz/corpus/TARGET and goes on with build/fuzz/TARGET/corpus. An input that
breaks something is left in build/fuzz/TARGET: mend the cause and add the input to the first folder,
which each run of the tests goes over. Exit code 0: nothing broke; 1: something did; 2: wrong
arguments; 3: no clang with libFuzzer.`;

function formatCoverage(all: Coverage | undefined): string {
  if (all === undefined) return "coverage not measured: no llvm-cov";
  const text = ({ lines, branches }: Omit<Coverage, "files">) =>
    `${lines === undefined ? "" : `lines ${lines}, `}branches ${branches}`;
  const files = all.files.map((file) => `\n  ${file.name}: ${text(file)}`);
  return text(all) + files.join("");
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      for: { type: "string", default: "1m" },
      seed: { type: "string", default: String(Date.now() % 0x7fff_ffff) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const target = TARGET_NAMES.find((name) => name === positionals[0]) as TargetName;
  if (target === undefined || positionals.length !== 1 || !/^\d+$/.test(values.seed)) {
    console.error(HELP);
    return 2;
  }
  const why = lacking(target);
  if (why !== undefined) {
    console.error(`fuzz: seen no ${why}; do npm run setup`);
    return 3;
  }
  const seconds = Math.ceil(parseDuration(values.for, "option --for") / 1000);
  const seed = Number(values.seed);
  console.log(`${target}: ${seconds} s, seed ${seed}`);
  const { executions, crash } = await fuzz({ target, seconds, seed, progress: console.log });
  console.log(`${target}: ${executions} executions; ${formatCoverage(await coverage(target))}`);
  if (crash === undefined) return 0;
  console.error(crash);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  process.exitCode = 2;
}
