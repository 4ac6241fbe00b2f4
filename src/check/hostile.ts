/** A hostile guest on a host: rounds by seed, and the shortest round for each way to fall over. */
import type { JudgeReport, ScenarioResult } from "../judge/judge-report.ts";
import { counted } from "../text/units.ts";
import { checkImage, endOf, MEMORY_BYTES, resultOf, runMachine } from "./check-device.ts";
import type { CheckedMachine, CheckHostSystem, HostLaunch } from "./hosts/host.ts";
import { checkReport } from "./report.ts";
import type { TapRun } from "./tap.ts";

/** What `hostileGuest` is given. */
export interface HostileOptions {
  readonly host: CheckHostSystem;
  /** Of the first round, up to 999,999,999; each next one has the next number. Default 1. */
  readonly seed?: number | undefined;
  /** Milliseconds of rounds. Default 60,000. */
  readonly forMs?: number | undefined;
  /** Path of the image. Default: the package's own, for the host's processor. */
  readonly image?: string;
  readonly signal?: AbortSignal;
  /** Called before each round, and before each machine that looks for a shorter one. */
  onProgress?(what: string): void;
}

const FOR_MS = 60_000;
/** Steps of a round: ROUND_STEPS of runtime/check/hostile.ts. */
const STEPS = 16;
/** A boot takes a second, and on a host with ten times too much to do a minute. */
const BOOT_MS = 180_000;
/** A round takes two seconds at most, and is told before it begins. */
const SILENT_MS = 60_000;
/** A machine that begins no round may be one that found its host busy; the next ones are not. */
const NO_ROUND_MAX = 3;
/** The longest run prints no more lines, and a machine that floods does. */
const LINES_PER_MS = 2;
const LINES_LEAST = 1_000;
/** A device with more ways to fall over has enough to mend. */
const FALLS_MAX = 8;
/** Looking for shorter rounds takes as long as the rounds did, within these bounds. */
const SHORTEN_MS = { least: 120_000, most: 600_000 };

/** What one machine showed. */
interface Run {
  /** How it fell over; undefined when it did not. */
  readonly fall: ScenarioResult | undefined;
  /** The seed of the last round that began. */
  readonly last: number | undefined;
  readonly rounds: number;
}

/** One way to fall over. */
interface Fall {
  readonly result: ScenarioResult;
  /** The words of the guest's command line that show it. */
  readonly words: string;
  /** The first round that ended so; undefined when none had begun. */
  readonly round: number | undefined;
  /** How many rounds ended so. */
  readonly times: number;
  /** What is to be known of the words. */
  readonly remark: string;
}

/**
 * Boots a hostile guest, and returns a report: after each round the device serves a reset and a
 * clean start, and its VMM lives. When it does not, another machine goes on with the next round
 * until the time is over. Each way to fall over is a result, HOSTILE, HOSTILE-2 and so on, with the
 * shortest sequence of steps that was found for it, and the words that repeat it. Rejects as
 * `checkDevice` does.
 */
export async function hostileGuest(options: HostileOptions): Promise<JudgeReport> {
  const { host, seed = 1, forMs = FOR_MS, signal, onProgress } = options;
  const image = await checkImage(options);
  const startedMs = performance.now();
  const machines = new Machines({ host, image, signal, onRound: onProgress });
  const { falls, rounds } = await everyFall(machines, seed, startedMs + forMs);
  const roundsMs = performance.now() - startedMs;
  const shortenMs = Math.min(Math.max(roundsMs, SHORTEN_MS.least), SHORTEN_MS.most);
  const untilMs = performance.now() + shortenMs;
  const shortest: Fall[] = [];
  for (const fall of falls) {
    shortest.push(await shorten({ machines, fall, untilMs, onProgress }));
  }
  const tookMs = performance.now() - startedMs;
  const results = shortest.length === 0 ? [held(rounds, tookMs)] : shortest.map(resultOfFall);
  const scenarios = results.map(({ scenario }) => scenario);
  const settings = { hostile: `seed ${seed}, ${forMs} ms` };
  return checkReport(host, { results, scenarios, settings });

  function held(count: number, ms: number): ScenarioResult {
    const note = `${counted(count, "round")} from ${seed} on`;
    return { ...HELD, note, tookMs: ms };
  }

  function resultOfFall({ result, words, times, remark }: Fall, index: number): ScenarioResult {
    const often = `${times} of ${counted(rounds, "round")} ended so`;
    return {
      ...result,
      scenario: index === 0 ? HELD.scenario : `${HELD.scenario}-${index + 1}`,
      text: HELD.text,
      note: [...(result.note === null ? [] : [result.note]), words, remark, often]
        .filter((part) => part !== "")
        .join("; "),
      tookMs: index === 0 ? tookMs : 0,
    };
  }
}

const HELD = {
  scenario: "HOSTILE",
  text: "a device serves a reset and a clean start, whatever a guest has done",
  ...{ outcome: "up", lastSteps: [], findings: [], passed: true },
} as const satisfies Partial<ScenarioResult>;

/** Machine after machine until the time is over. Returns each way to fall over once. */
async function everyFall(machines: Machines, seed: number, endMs: number) {
  const falls = new Map<string, Fall>();
  let rounds = 0;
  let from = seed;
  let noRound = 0;
  do {
    const leftMs = Math.max(0, Math.round(endMs - performance.now()));
    const words = `hostile.seed=${from} hostile.ms=${leftMs}`;
    const run = await machines.run(words, leftMs + BOOT_MS, leftMs);
    rounds += run.rounds;
    const { fall: result, last } = run;
    if (result === undefined) break;
    const kind = kindOf(result);
    const known = falls.get(kind);
    const first = { result, words, round: last, remark: "", times: 0 };
    falls.set(kind, { ...(known ?? first), times: (known?.times ?? 0) + 1 });
    noRound = last === undefined ? noRound + 1 : 0;
    from = last === undefined ? from : last + 1;
  } while (performance.now() < endMs && falls.size < FALLS_MAX && noRound < NO_ROUND_MAX);
  return { falls: [...falls.values()], rounds };
}

/** Two falls are of one kind when they differ in numbers alone. */
function kindOf({ findings: [finding], note }: ScenarioResult): string {
  const [said = ""] = finding === undefined ? [note ?? ""] : finding.seen.split("; round ");
  return said.replace(/\d+/g, "N");
}

interface ShortenOptions {
  readonly machines: Machines;
  readonly fall: Fall;
  readonly untilMs: number;
  readonly onProgress: HostileOptions["onProgress"];
}

/** Leaves steps out, halves first, as long as the device falls over in the same way. */
async function shorten({ machines, fall, untilMs, onProgress }: ShortenOptions): Promise<Fall> {
  const { round } = fall;
  if (round === undefined) return fall;
  const kind = kindOf(fall.result);
  const isLate = () => performance.now() >= untilMs;
  const shows = async (keep: readonly number[]): Promise<Fall | undefined> => {
    onProgress?.(`round ${round}: ${counted(keep.length, "step")}`);
    const words = `hostile.seed=${round} hostile.keep=${keep.join(",")}`;
    const { fall: result } = await machines.run(words, Math.max(0, untilMs - performance.now()));
    if (result === undefined || kindOf(result) !== kind) return undefined;
    return { ...fall, result, words };
  };
  let keep: readonly number[] = Array.from({ length: STEPS }, (_, place) => place);
  let shortest = isLate() ? undefined : await shows(keep);
  if (shortest === undefined) {
    const remark = isLate() ? "not shortened" : `round ${round}, and only after those before`;
    return { ...fall, remark };
  }
  for (let size = STEPS / 2; size >= 1; ) {
    const before = keep.length;
    for (let at = 0; at < keep.length && keep.length > size; ) {
      const fewer = [...keep.slice(0, at), ...keep.slice(at + size)];
      if (isLate()) return { ...shortest, remark: "perhaps not the shortest" };
      const shown = await shows(fewer);
      if (shown === undefined) at += size;
      else [shortest, keep] = [shown, fewer];
    }
    // A step that had to stay may go once another one has gone.
    if (size > 1 || keep.length === before) size = Math.floor(size / 2);
  }
  return shortest;
}

interface MachinesOptions {
  readonly host: CheckHostSystem;
  readonly image: string;
  readonly signal: AbortSignal | undefined;
  readonly onRound: HostileOptions["onProgress"];
}

/** Boots one machine after another. */
class Machines {
  private readonly options: MachinesOptions;

  constructor(options: MachinesOptions) {
    this.options = options;
  }

  /**
   * Runs one machine for `limitMs` at most, `roundsMs` of which are for rounds; 0: for one round. A
   * machine that is silent is ended before.
   */
  async run(words: string, limitMs: number, roundsMs = 0): Promise<Run> {
    const { host, image, signal } = this.options;
    const limit = AbortSignal.timeout(Math.ceil(limitMs));
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), BOOT_MS);
    const onLine = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
    };
    const abort = AbortSignal.any([limit, silence.signal, ...(signal ? [signal] : [])]);
    const tooLong = () => {
      signal?.throwIfAborted();
      if (silence.signal.aborted) return "it printed nothing for too long";
      return limit.aborted ? `it did not end within ${Math.ceil(limitMs)} ms` : undefined;
    };
    const heard = { last: undefined as number | undefined, rounds: 0 };
    try {
      const listening = {
        ...host,
        launch: async (launch: HostLaunch) => {
          const machine = await host.launch(launch);
          const lines = this.heard(machine.lines, onLine, heard);
          return { lines, ended: machine.ended, kill: () => machine.kill() };
        },
      };
      const launch = { image, append: words, memoryBytes: MEMORY_BYTES, signal: abort };
      const lines = LINES_PER_MS * roundsMs + LINES_LEAST;
      const { run, end } = await runMachine(listening, launch, undefined, lines);
      return { fall: fallOf(run, tooLong() ?? end), ...heard };
    } catch (error) {
      const end = tooLong();
      if (end === undefined) throw error;
      return { fall: crashed(end, []), ...heard };
    } finally {
      clearTimeout(timer);
    }
  }

  private async *heard(
    lines: CheckedMachine["lines"],
    onLine: () => void,
    heard: { last: number | undefined; rounds: number },
  ): AsyncGenerator<string> {
    for await (const line of lines) {
      onLine();
      const [, round] = /^# round (\d+)$/.exec(line) ?? [];
      if (round !== undefined) {
        heard.last = Number(round);
        heard.rounds++;
        this.options.onRound?.(`round ${round}`);
      }
      yield line;
    }
  }
}

function fallOf(run: TapRun, ended: string): ScenarioResult | undefined {
  const [point] = run.points;
  if (point === undefined || run.bailOut !== undefined) {
    return crashed(endOf(run, ended), run.lastLines);
  }
  const result = resultOf(point);
  return result.passed ? undefined : result;
}

function crashed(note: string, lastSteps: readonly string[]): ScenarioResult {
  return { ...HELD, outcome: "crashed", note, lastSteps, passed: false, tookMs: 0 };
}
