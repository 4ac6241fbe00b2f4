/** A hostile guest on a host: rounds by seed, and the shortest round that shows what fell over. */
import { provideCheckImage } from "../image/index.ts";
import type { JudgeReport } from "../judge/judge-report.ts";
import { reportOf, watch } from "./check-device.ts";
import type { CheckHostSystem } from "./hosts/host.ts";

/** What `hostileGuest` is given. */
export interface HostileOptions {
  readonly host: CheckHostSystem;
  /** Of the first round; each next one has the next number. Default 1. */
  readonly seed?: number | undefined;
  /** Milliseconds of rounds. Default 60,000. */
  readonly forMs?: number | undefined;
  /** Path of the image. Default: the package's own, for the host's processor. */
  readonly image?: string;
  readonly signal?: AbortSignal;
}

const FOR_MS = 60_000;
/** A machine boots and ends within so many milliseconds. */
const MACHINE_MS = 60_000;
/** Steps of a round: ROUND_STEPS of runtime/check/hostile.ts. */
const STEPS = 16;
/** The longest run prints no more lines, and a machine that floods does. */
const LINES_PER_MS = 2;

interface Round {
  readonly seed: number;
  /** Places of the steps that are taken. */
  readonly keep: readonly number[];
}

/**
 * Boots a hostile guest, and returns a report with one scenario, HOSTILE: after each round the
 * device serves a reset and a clean start, and its VMM lives. When it does not, machines are booted
 * until no step of that round can be left out. Rejects as `checkDevice` does.
 */
export async function hostileGuest(options: HostileOptions): Promise<JudgeReport> {
  const { host, seed = 1, forMs = FOR_MS, signal } = options;
  const made = () => provideCheckImage({ arch: host.arch, ...(signal && { signal }) });
  const image = options.image ?? (await made()).path;
  const one = (words: string, ms: number) => oneMachine({ host, image, words, ms, signal });
  const whole = await one(`hostile.seed=${seed} hostile.ms=${forMs}`, forMs);
  if (whole.report.passed || whole.round === undefined) return whole.report;
  let last = whole.report;
  let round: Round = { seed: whole.round, keep: Array.from({ length: STEPS }, (_, n) => n) };
  for (const place of [...round.keep]) {
    const fewer = { ...round, keep: round.keep.filter((kept) => kept !== place) };
    if (fewer.keep.length === 0) break;
    const { report } = await one(wordsOf(fewer), 0);
    if (report.passed) continue;
    last = report;
    round = fewer;
  }
  return { ...last, settings: { ...last.settings, hostile: wordsOf(round) } };
}

function wordsOf({ seed, keep }: Round): string {
  return `hostile.seed=${seed} hostile.keep=${keep.join(",")}`;
}

interface MachineOptions {
  readonly host: CheckHostSystem;
  readonly image: string;
  readonly words: string;
  /** Milliseconds of rounds. */
  readonly ms: number;
  readonly signal: AbortSignal | undefined;
}

/** Returns what one machine shows, and the last round that it began. */
async function oneMachine({ host, image, words, ms, signal }: MachineOptions) {
  const limit = AbortSignal.timeout(ms + MACHINE_MS);
  const abort = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  const startedMs = performance.now();
  const machine = await host.launch({ image, append: words, signal: abort });
  const linesMax = LINES_PER_MS * (ms + MACHINE_MS);
  const { run, end } = await watch(machine, abort, undefined, linesMax);
  signal?.throwIfAborted();
  const ended = limit.aborted ? `it did not end within ${ms + MACHINE_MS} ms` : end;
  const report = reportOf(host, run, ended, performance.now() - startedMs);
  const begun = run.lastLines.findLast((line) => line.startsWith("# round "));
  return { report, round: begun === undefined ? undefined : Number(begun.slice(8)) };
}
