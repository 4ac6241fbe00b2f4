/** Runs one target for a time: C with libFuzzer and sanitizers, TypeScript by a search of our own. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { adaptC, wasm2c } from "../../src/image/wasm/wasm2c.ts";
import { packageFolder } from "../../src/package.ts";
import {
  type Coverage,
  type Covered,
  type FuzzResult,
  fuzzScript,
  type SearchOptions,
  scriptCoverage,
} from "./script/run.ts";
import { BOOT, type CTarget, seedFolder, TARGETS, type TargetName } from "./targets.ts";

const run = promisify(execFile);
/** An input that takes longer is a hang. By the wall clock, so a busy machine needs its share. */
const INPUT_SECONDS = 60;
/** Machine words at odd addresses are no mistake on x86. */
const SANITIZE = [
  "-fsanitize=fuzzer,address,undefined",
  "-fno-sanitize=alignment",
  "-fno-sanitize-recover=all",
];
const COVERAGE = ["-fsanitize=fuzzer", "-fprofile-instr-generate", "-fcoverage-mapping"];
/** A guest's page fault is a signal that the program itself takes. */
const ENVIRONMENT = {
  ASAN_OPTIONS: "handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1:detect_leaks=0",
};

export interface FuzzOptions extends SearchOptions {
  readonly target: TargetName;
}

function has(args: readonly string[]): boolean {
  try {
    execFileSync("clang", [...args, "-x", "c", "-o", "/dev/null", "-"], {
      input: "int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }",
      stdio: ["pipe", "ignore", "ignore"],
    });
    return true;
  } catch {
    return false;
  }
}

/** Returns why this target cannot be fuzzed here, or undefined. */
export function lacking(name: TargetName): string | undefined {
  if ("script" in TARGETS[name]) return undefined;
  if (process.arch !== "x64") return "a processor of x86-64: the boot code has its instructions";
  return has(SANITIZE) ? undefined : "clang with libFuzzer (Debian: clang, libclang-rt-dev)";
}

function folderOf(name: TargetName): string {
  const folder = join(packageFolder(), "build", "fuzz", name);
  mkdirSync(join(folder, "corpus"), { recursive: true });
  return folder;
}

interface CBuild {
  readonly target: CTarget;
  readonly folder: string;
  readonly out: string;
  readonly flags: readonly string[];
}

async function build({ target, folder, out, flags }: CBuild): Promise<void> {
  const sources = [target.program, ...target.sources];
  const more = ["-fno-builtin"];
  if (target.hasCore) {
    const output = join(folder, "core-module.c");
    await wasm2c({ input: join(packageFolder(), "build/core.wasm"), output, name: "core" });
    writeFileSync(output, adaptC(readFileSync(output, "utf8")));
    sources.push(output);
    const header = join(packageFolder(), "test/fuzz/c/memory.h");
    more.push("-include", header, "-DWASM_RT_BASE=fuzz_memory", `-I${BOOT}/include`, `-I${folder}`);
    more.shift();
  }
  await run("clang", ["-g", "-O1", "-w", ...flags, ...more, "-o", out, ...sources]);
}

/** Builds and runs a target. What it has found out stays in build/fuzz. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { target: name, seconds, seed, progress } = options;
  const folder = folderOf(name);
  const target = TARGETS[name];
  const seeds = seedFolder(name);
  if ("script" in target) return fuzzScript(target, { folder, seeds }, options);
  const program = join(folder, "program");
  await build({ target, folder, out: program, flags: SANITIZE });
  const args = [
    `-max_total_time=${seconds}`,
    `-seed=${seed}`,
    `-timeout=${INPUT_SECONDS}`,
    `-max_len=${target.inputBytesMax}`,
    `-artifact_prefix=${folder}/`,
    "-handle_segv=0",
    "-handle_bus=0",
    join(folder, "corpus"),
    seeds,
  ];
  const child = spawn(program, args, {
    env: { ...process.env, ...ENVIRONMENT },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines: string[] = [];
  let executions = 0;
  createInterface({ input: child.stderr }).on("line", (line) => {
    executions = Number(/^(?:#|Done )(\d+)/.exec(line)?.[1] ?? executions);
    if (/^#\d+\s+pulse/.test(line)) progress?.(line);
    if (!/^#|NEW_FUNC/.test(line)) lines.push(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const crash = code === 0 ? undefined : lines.slice(-40).join("\n");
  return { executions, crash };
}

interface Summary {
  readonly lines: { readonly covered: number; readonly count: number };
  readonly branches: { readonly covered: number; readonly count: number };
}

function covered({ lines, branches }: Summary): Covered {
  const text = (of: Summary["lines"]) => `${of.covered} of ${of.count}`;
  return { lines: text(lines), branches: text(branches) };
}

/** Returns what the corpus reaches of what is fuzzed; undefined for C without llvm-cov. */
export async function coverage(name: TargetName): Promise<Coverage | undefined> {
  const folder = folderOf(name);
  const target = TARGETS[name];
  const seeds = seedFolder(name);
  if ("script" in target) return scriptCoverage(target, { folder, seeds });
  const program = join(folder, "covered");
  const raw = join(folder, "covered.profraw");
  const data = join(folder, "covered.profdata");
  try {
    await build({ target, folder, out: program, flags: COVERAGE });
    const inputs = [join(folder, "corpus"), seeds];
    const env = { ...process.env, LLVM_PROFILE_FILE: raw };
    await run(program, ["-runs=0", "-handle_segv=0", "-handle_bus=0", ...inputs], { env });
    await run("llvm-profdata", ["merge", "-o", data, raw]);
    const ignore = "-ignore-filename-regex=test/fuzz";
    const args = ["export", "-summary-only", `-instr-profile=${data}`, ignore, program];
    const { stdout } = await run("llvm-cov", args, { maxBuffer: 1 << 28 });
    const [{ totals, files }] = JSON.parse(stdout).data as [
      { totals: Summary; files: { filename: string; summary: Summary }[] },
    ];
    const named = files.map(({ filename, summary }) => {
      return { name: relative(packageFolder(), filename), ...covered(summary) };
    });
    return { ...covered(totals), files: named };
  } catch {
    return undefined;
  }
}
