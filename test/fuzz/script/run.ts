/** Runs the search of a target of TypeScript in a thread, and ends one that hangs. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { buildScript, type Program } from "./build.ts";
import type { WorkerInput, WorkerOutput } from "./worker.ts";

/** How long, from which chance, and who is told of it meanwhile. */
export interface SearchOptions {
  readonly seconds: number;
  readonly seed: number;
  progress?(line: string): void;
}

export interface FuzzResult {
  readonly executions: number;
  /** What was said of a crash; undefined: none. */
  readonly crash: string | undefined;
}

export interface Covered {
  /** "12 of 34"; absent where only branches are counted. */
  readonly lines?: string;
  readonly branches: string;
}

/** What the inputs reach, in all and of each source. */
export interface Coverage extends Covered {
  readonly files: readonly (Covered & { readonly name: string })[];
}

export interface ScriptTarget {
  /** A file in targets/. */
  readonly script: string;
  /** Sources whose branches are counted: files and folders, from the package's root. */
  readonly covers: readonly string[];
  readonly inputBytesMax: number;
}

/** An input that takes longer is a hang. By the wall clock, so a busy machine needs its share. */
const INPUT_SECONDS = 60;
const PULSE_MS = 10_000;
const LOOK_MS = 1000;

interface ScriptRun extends FuzzResult {
  readonly program: Program;
  readonly reached: Uint8Array;
}

interface Place {
  readonly folder: string;
  readonly seeds: string;
}

async function runScript(
  target: ScriptTarget,
  { folder, seeds }: Place,
  { seconds, seed, progress }: SearchOptions,
): Promise<ScriptRun> {
  const out = join(folder, "program.mjs");
  const program = await buildScript(target.script, target.covers, out);
  const current = new SharedArrayBuffer(4 + Math.ceil(target.inputBytesMax / 4) * 4);
  const counter = new SharedArrayBuffer(4);
  const workerData: WorkerInput = {
    branches: program.files.reduce((sum, { branches }) => sum + branches, 0),
    words: program.words,
    inputBytesMax: target.inputBytesMax,
    seed,
    seconds,
    corpora: [join(folder, "corpus"), seeds],
    current,
    executions: counter,
  };
  const worker = new Worker(out, { workerData });
  const executions = () => new Uint32Array(counter)[0] ?? 0;
  const output = await watched(worker, executions, progress);
  if (output === "hangs") {
    const [length = 0] = new Uint32Array(current, 0, 1);
    const input = new Uint8Array(current, 4, Math.min(length, target.inputBytesMax)).slice();
    const what = `${left(folder, "hang", input)}: no end within ${INPUT_SECONDS} s`;
    const reached = new Uint8Array(workerData.branches);
    return { executions: executions(), crash: what, program, reached };
  }
  const { crash, reached } = output;
  const text = crash && `${left(folder, "crash", crash.input)}: ${crash.what}`;
  return { executions: executions(), crash: text, program, reached };
}

/** Keeps an input. Returns where. */
function left(folder: string, kind: "crash" | "hang", input: Uint8Array): string {
  const file = join(folder, `${kind}-${createHash("sha1").update(input).digest("hex")}`);
  writeFileSync(file, input);
  return file;
}

function watched(
  worker: Worker,
  executions: () => number,
  progress: SearchOptions["progress"],
): Promise<WorkerOutput | "hangs"> {
  return new Promise((resolve, reject) => {
    let last = -1;
    let sinceMs = performance.now();
    let toldMs = sinceMs;
    const timer = setInterval(() => {
      const now = performance.now();
      if (executions() !== last) {
        last = executions();
        sinceMs = now;
      } else if (now - sinceMs > INPUT_SECONDS * 1000) {
        end();
        resolve("hangs");
        void worker.terminate();
      }
      if (now - toldMs < PULSE_MS) return;
      toldMs = now;
      progress?.(`#${last} pulse`);
    }, LOOK_MS);
    const end = () => clearInterval(timer);
    worker.on("message", (output: WorkerOutput) => {
      end();
      resolve(output);
    });
    worker.on("error", (error) => {
      end();
      reject(error);
    });
  });
}

export async function fuzzScript(
  target: ScriptTarget,
  place: Place,
  options: SearchOptions,
): Promise<FuzzResult> {
  const { executions, crash } = await runScript(target, place, options);
  return { executions, crash };
}

/** Returns what the corpora reach of the sources that the target is about. */
export async function scriptCoverage(target: ScriptTarget, place: Place): Promise<Coverage> {
  const { program, reached } = await runScript(target, place, { seconds: 0, seed: 0 });
  let start = 0;
  let all = 0;
  const files = program.files.map(({ name, branches }) => {
    const covered = reached.subarray(start, start + branches).filter((it) => it !== 0).length;
    start += branches;
    all += covered;
    return { name, branches: `${covered} of ${branches}` };
  });
  return { branches: `${all} of ${start}`, files };
}
