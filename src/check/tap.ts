/** Reads what the checking image prints: TAP version 14, as it comes. */

/** One result of a check. */
export interface TapPoint {
  readonly id: string;
  /** What the specification says. */
  readonly says: string;
  readonly ok: boolean;
  /** Why it was left out; undefined when it ran. */
  readonly skipped: string | undefined;
  /** Whether it is a recommendation that is broken. */
  readonly isKnown: boolean;
  /** What is told beside it, by name: `section`, `level`, `seen`. */
  readonly about: Readonly<Record<string, string>>;
}

/** What was read. */
export interface TapRun {
  /** How many checks were to run; undefined before the guest has said it. */
  readonly planned: number | undefined;
  readonly points: readonly TapPoint[];
  /** The ids of all checks of the run, also of those of other shards. */
  readonly names: readonly string[];
  /** The ids of all checks that there are; empty unless the guest was asked for another one. */
  readonly known: readonly string[];
  /** Whether it was read no further, because there is no end of it. */
  readonly isFlood: boolean;
  /** The last lines that were read, the oldest first. */
  readonly lastLines: readonly string[];
  /** Why the guest gave up. */
  readonly bailOut: string | undefined;
}

const POINT = /^(not )?ok \d+ - (\S+)(?: ([^#]*?))?(?: # (SKIP|TODO) ?(.*))?$/;
const ABOUT = /^ {2}(\w+): (".*")$/;

/** As many lines as help, each as long as one of the guest's may be. */
const LAST_LINES = 8;
/** All checks print a tenth of it, if they all fail. */
const LINES_MAX = 10_000;
const LINE_CHARS = 400;

/**
 * Reads lines until they end or `stop` resolves, and tells of each result. Other lines are the
 * guest's log.
 */
export async function readTap(
  lines: AsyncIterable<string>,
  onPoint: (point: TapPoint, read: number, planned: number) => void = () => undefined,
  linesMax = LINES_MAX,
  stop?: Promise<unknown>,
): Promise<TapRun> {
  const points: TapPoint[] = [];
  const lastLines: string[] = [];
  let planned: number | undefined;
  let bailOut: string | undefined;
  let names: readonly string[] = [];
  let known: readonly string[] = [];
  let count = 0;
  for await (const line of until(lines, stop)) {
    if (++count > linesMax) break;
    lastLines.push(line.slice(0, LINE_CHARS));
    if (lastLines.length > LAST_LINES) lastLines.shift();
    const plan = /^1\.\.(\d+)$/.exec(line)?.[1];
    if (plan !== undefined) planned = Number(plan);
    names = /^# checks (\S+)$/.exec(line)?.[1]?.split(",") ?? names;
    known = /^# known (\S+)$/.exec(line)?.[1]?.split(",") ?? known;
    bailOut ??= /^Bail out! ?(.*)$/.exec(line)?.[1];
    const about = ABOUT.exec(line);
    const last = points.at(-1);
    if (about !== null && last !== undefined) {
      const [, name = "", text = '""'] = about;
      points[points.length - 1] = { ...last, about: { ...last.about, [name]: textOf(text) } };
      continue;
    }
    const found = POINT.exec(line);
    if (found === null) continue;
    const [, not, id = "", says = "", directive, reason = ""] = found;
    const skipped = directive === "SKIP" ? reason : undefined;
    const isKnown = directive === "TODO";
    const point = { id, says, ok: not === undefined, skipped, isKnown, about: {} };
    points.push(point);
    onPoint(point, points.length, planned ?? 0);
  }
  return { planned, points, names, known, lastLines, bailOut, isFlood: count > linesMax };
}

/** Lines until `stop` resolves: a machine that does not end when it is killed prints no more. */
async function* until(lines: AsyncIterable<string>, stop?: Promise<unknown>) {
  const iterator = lines[Symbol.asyncIterator]();
  const stopped = stop?.then(() => ({ done: true, value: undefined }) as const);
  for (;;) {
    const next = iterator.next();
    const { done, value } = await (stopped ? Promise.race([next, stopped]) : next);
    if (done) {
      // Nobody reads the line that may still come, and what it rejects with.
      next.catch(() => undefined);
      return;
    }
    yield value;
  }
}

/** A text as JSON writes it; a line that was cut stays as it is. */
function textOf(json: string): string {
  try {
    return String(JSON.parse(json));
  } catch {
    return json;
  }
}
