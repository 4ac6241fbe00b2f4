/**
 * The search of one target of TypeScript, in a thread of its own: what reaches a branch that was
 * not reached, or reaches one more often by a power of two, is kept and changed further.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { Random } from "../../../src/device/sim/random.ts";
import type { COUNTERS } from "./instrument.ts";
import { mutate } from "./mutate.ts";

/** What the thread is given. */
export interface WorkerInput {
  readonly branches: number;
  readonly words: readonly Uint8Array[];
  readonly inputBytesMax: number;
  readonly seed: number;
  readonly seconds: number;
  /** Folders with inputs to begin with; what is found goes into the first. */
  readonly corpora: readonly string[];
  /** The input that runs now, its length first, for a watcher: it may never end. */
  readonly current: SharedArrayBuffer;
  /** Executions so far. */
  readonly executions: SharedArrayBuffer;
}

/** What the thread says at its end. */
export interface WorkerOutput {
  /** How often each counter was reached, 0 or more. */
  readonly reached: Uint8Array;
  readonly crash?: { readonly input: Uint8Array; readonly what: string };
}

/** Between two looks at the clock. */
const ROUND = 64;
/** Half of all inputs are made of the youngest. */
const YOUNG = 16;

/** A bit for each power of two of a count. */
const classOf = (count: number) => (count === 0 ? 0 : 1 << Math.min(7, 31 - Math.clz32(count)));

class Search {
  private readonly given: WorkerInput;
  private readonly counters: Uint32Array;
  private readonly seen: Uint8Array;
  private readonly corpus: Uint8Array[] = [];
  private readonly random: Random;
  private readonly run: (input: Uint8Array) => void;
  private readonly executions: Uint32Array;
  private readonly length: Uint32Array;
  private readonly bytes: Uint8Array;

  constructor(given: WorkerInput, run: (input: Uint8Array) => void) {
    const { [COUNTERS_NAME]: counters } = globalThis as unknown as CountersHere;
    this.given = given;
    this.counters = counters;
    this.seen = new Uint8Array(given.branches);
    this.random = new Random(given.seed);
    this.run = run;
    this.executions = new Uint32Array(given.executions);
    this.length = new Uint32Array(given.current, 0, 1);
    this.bytes = new Uint8Array(given.current, 4);
  }

  /** Goes over the corpora, then on until the time is up or something breaks. */
  search(): WorkerOutput {
    const { corpora, seconds } = this.given;
    const until = performance.now() + seconds * 1000;
    for (const folder of corpora) {
      mkdirSync(folder, { recursive: true });
      for (const name of readdirSync(folder).sort()) {
        const crash = this.try(readFileSync(join(folder, name)));
        if (crash !== undefined) return { reached: this.seen, crash };
      }
    }
    while (performance.now() < until) {
      for (let left = ROUND; left > 0; left--) {
        const crash = this.try(this.next());
        if (crash !== undefined) return { reached: this.seen, crash };
      }
    }
    return { reached: this.seen };
  }

  private next(): Uint8Array {
    const { inputBytesMax, words } = this.given;
    const { corpus, random } = this;
    const young = random.below(2) === 0 ? Math.min(YOUNG, corpus.length) : corpus.length;
    const parent = corpus[corpus.length - 1 - random.below(young)] ?? new Uint8Array(0);
    const other = () => corpus[random.below(corpus.length)] ?? parent;
    return mutate(parent, { random, inputBytesMax, words, other });
  }

  private try(input: Uint8Array): WorkerOutput["crash"] {
    this.length[0] = input.length;
    this.bytes.set(input.subarray(0, this.bytes.length));
    this.counters.fill(0);
    try {
      this.run(input);
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { input, what };
    }
    Atomics.add(this.executions, 0, 1);
    if (this.isNew()) this.keep(input);
    return undefined;
  }

  private isNew(): boolean {
    const { counters, seen } = this;
    let isNew = false;
    for (let at = 0; at < counters.length; at++) {
      const count = counters[at] as number;
      if (count === 0) continue;
      const bit = classOf(count);
      const before = seen[at] as number;
      if ((before & bit) !== 0) continue;
      seen[at] = before | bit;
      isNew = true;
    }
    return isNew;
  }

  private keep(input: Uint8Array): void {
    const { corpora, seconds } = this.given;
    this.corpus.push(input.slice());
    if (seconds === 0) return;
    const name = createHash("sha1").update(input).digest("hex");
    writeFileSync(join(corpora[0] as string, name), input);
  }
}

const COUNTERS_NAME: typeof COUNTERS = "fuzzCounters";
type CountersHere = Readonly<Record<typeof COUNTERS, Uint32Array>>;

/** Searches for an input that `run` throws at, and tells the thread's owner. */
export function serve(run: (input: Uint8Array) => void): void {
  parentPort?.postMessage(new Search(workerData as WorkerInput, run).search());
}
