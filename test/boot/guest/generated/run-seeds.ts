/** Runs generated programs in a guest on QEMU, while its balloon is told to change. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runProgram } from "../../../../src/session/run-program.ts";
import type { Vmm } from "../../../../src/vmm/vmm.ts";
import { MIB } from "../../../support/guests.ts";
import { generatedProgram, isAlone } from "./generated-program.ts";

const RUNNER = join(import.meta.dirname, "runner.ts");
/** The balloon's size while programs run, at most twice this. */
const PAGES = 1024;
/** A program that is not done then may go on for ever: that is its own affair. */
const ALONE_MS = 1500;
const LOOK_MS = 10;
/** One of many that says nothing for so long, while the balloon follows, goes on. */
const QUIET_MS = 20_000;
/** A busy host may hold a guest up for so long, at most. */
const SILENT_MS = 120_000;
/** The last line of a log that is whole. */
const ENDED = /^ballonet: the program has ended/;
const GOES_ON = new Error("the program goes on");

export type Arch = "i386" | "x86_64";
/** How a program may end: by itself, by an error that it did not catch, or not. */
export type Outcome = "ended" | "failed" | "goes on";

export interface Ran {
  readonly outcome: Outcome;
  /** Of the program that ran last. */
  readonly seed: number;
  /** How many statements have thrown, by what they threw. */
  readonly thrown: Readonly<Record<string, number>>;
}

/** What a guest did that no program may make it do. */
export class Fault extends Error {
  readonly seed: number;

  constructor(seed: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.seed = seed;
  }
}

/** What a guest has told of its programs. */
class Told {
  seed = 0;
  thrown: Record<string, number> = {};
  isReady = false;
  /** Nothing more will be told. */
  isOver = false;
  isDone = false;
  saysUncaught = false;
  /** How often the balloon has reached a target, in all and before the last line. */
  moves = 0;
  movesBefore = 0;
  heardMs = 0;

  take(level: string, text: string): void {
    const [, word, rest = ""] = /^generated: (ready|at|done) ?(.*)/.exec(text) ?? [];
    if (word === "ready") this.isReady = true;
    if (word === "at") this.seed = Number(rest);
    if (word === "done") {
      this.thrown = JSON.parse(rest);
      this.isDone = true;
    }
    if (level === "error" && text.startsWith("Uncaught ")) this.saysUncaught = true;
  }
}

async function reach(vm: Vmm, told: Told, pages: number): Promise<void> {
  await vm.balloon.setTarget({ pages });
  await vm.balloon.waitForActual({ pages, timeoutMs: SILENT_MS });
  told.moves += 1;
}

/** Has the balloon follow while programs run, and after them. */
async function follow(vm: Vmm, told: Told, isOne: boolean): Promise<void> {
  const isLeft = () => !told.isDone && !told.isOver;
  while (!told.isReady && isLeft()) await sleep(LOOK_MS);
  await reach(vm, told, PAGES);
  await vm.control.request({ method: "go", timeoutMs: SILENT_MS });
  if (isOne) {
    for (let ms = 0; ms < ALONE_MS && isLeft(); ms += LOOK_MS) await sleep(LOOK_MS);
    // A program may have all memory; the balloon can still give some back.
    await reach(vm, told, 0);
    if (!told.isDone) throw GOES_ON;
  }
  for (let round = 1; isLeft(); round++) {
    await reach(vm, told, PAGES * (round % 3));
    await sleep(LOOK_MS);
    // What one program has broken of JavaScript's can be without end in the next.
    const silentMs = performance.now() - told.heardMs;
    if (silentMs > QUIET_MS && told.moves > told.movesBefore + 1) throw GOES_ON;
  }
  await reach(vm, told, 2 * PAGES);
  // The reply comes or not: the machine ends.
  await vm.control.request({ method: "stop", timeoutMs: SILENT_MS }).catch(() => {});
}

/**
 * Runs programs one after another in one guest: each a seed, or a seed with the statements that
 * are left, as `12:0,3`. Rejects with Fault.
 */
export async function runSeeds(arch: Arch, seeds: readonly string[]): Promise<Ran> {
  const isOne = isAlone(Number.parseInt(seeds[0] ?? "", 10));
  const told = new Told();
  const stop = new AbortController();
  const log: string[] = [];
  let silent: NodeJS.Timeout | undefined;
  const heard = () => {
    clearTimeout(silent);
    told.movesBefore = told.moves;
    told.heardMs = performance.now();
    silent = setTimeout(() => stop.abort(new Error("silent for too long")), SILENT_MS);
  };
  const fault = (what: unknown) => {
    const where = `${arch}, programs ${seeds.join(" ")}, at ${told.seed}`;
    return new Fault(told.seed, [`${where}: ${what}`, ...log.slice(-3)].join("\n"), what);
  };
  try {
    const code = await runProgram({
      ...{ app: RUNNER, on: "qemu", arch, args: seeds, signal: stop.signal },
      memoryBytes: (isOne ? 64 : 128) * MIB,
      onStart: (vm) => {
        heard();
        follow(vm, told, isOne).catch(async (error) => {
          // A machine that has ended cannot follow, and tells how it ended.
          await Promise.race([vm.exited, sleep(error === GOES_ON ? 0 : 1000)]);
          stop.abort(error);
        });
      },
      onLog: (line) => log.push(line),
      onLine: ({ level, text }) => {
        heard();
        told.take(level, text);
      },
    });
    if (code !== 0 && code !== 14) throw fault(`exit code ${code}`);
    // QEMU leaves without the last of a long log where nobody reads it in time.
    const isWhole = ENDED.test(log.at(-1) ?? "");
    if (code === 14 && isWhole && !told.saysUncaught) throw fault("no line tells of its error");
    return { outcome: code === 0 ? "ended" : "failed", seed: told.seed, thrown: told.thrown };
  } catch (error) {
    const { seed, thrown } = told;
    if (error === GOES_ON) return { outcome: "goes on", seed, thrown };
    throw error instanceof Fault ? error : fault(error);
  } finally {
    told.isOver = true;
    clearTimeout(silent);
  }
}

/** Returns the source of a program that faults, without the statements that it needs not. */
export async function shrink(arch: Arch, seed: number): Promise<string> {
  const { statements } = generatedProgram(seed);
  const faults = async (left: readonly number[]) =>
    await runSeeds(arch, [`${seed}:${left.join()}`]).then(
      () => false,
      () => true,
    );
  let left = [...statements.keys()];
  if (!(await faults(left))) return "only after those before it";
  for (const at of statements.keys()) {
    const fewer = left.filter((it) => it !== at);
    if (fewer.length > 0 && (await faults(fewer))) left = fewer;
  }
  return left.map((at) => statements[at]).join("\n");
}
