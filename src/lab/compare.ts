/**
 * Many cells of the laboratory of telling first, one after the other.
 *
 * It must not know how anything is shown. Invariant: what comes out of a cell is what `runCell`
 * said of it, with nothing taken away and nothing added but what follows from it.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { PERSONA_NAMES } from "../../runtime/index.ts";
import { type CoreSource, loadCore } from "../embed/load-core.ts";
import { type CellResult, runCell } from "./cell.ts";
import {
  type CellKey,
  cellName,
  type Dialect,
  type HostDesignName,
  type MigrationPathName,
  type PersonaName,
  SITUATIONS,
  type Situation,
  speaksTwoBits,
} from "./cell-names.ts";
import { type Finding, findingsOf } from "./findings.ts";
import { type Manner, mannerOf, type Outcome, outcomeOf } from "./outcome.ts";

/** What there is to choose from; an empty or missing list is all that says something. */
export interface CompareOptions {
  readonly personas?: readonly PersonaName[];
  readonly hosts?: readonly HostDesignName[];
  readonly dialects?: readonly Dialect[];
  readonly paths?: readonly MigrationPathName[];
  /** core.wasm. Default: this package's own. */
  readonly core?: CoreSource;
  readonly signal?: AbortSignal;
  /** Called before each cell with the number of those that are done. */
  onCell?(name: string, done: number, of: number): void;
}

/** A cell with its name and what it amounts to. */
export interface ComparedCell extends CellResult {
  /** `windows/locked-always`: what `explainDeflate` takes. */
  readonly name: string;
  readonly outcome: Outcome;
  readonly manner: Manner;
}

/** The whole table; plain values, and what `ballonet compare deflate --json` prints. */
export interface Comparison {
  readonly type: "comparison";
  readonly question: "deflate";
  /** By host, then by dialect, then by path, then by persona. */
  readonly cells: readonly ComparedCell[];
  readonly findings: readonly Finding[];
}

function chosen<T>(some: readonly T[] | undefined, all: readonly T[]): readonly T[] {
  return some === undefined || some.length === 0 ? all : some;
}

/** The host on which it shows most what a migration does to a deal. */
const MOVED_HOST: HostDesignName = "locked";

/**
 * Which columns say something, unless all that makes them was asked for by name: a dialect is
 * spoken where the host speaks it, and guests are migrated from one host, in one dialect.
 */
function situations({ hosts = [], dialects = [], paths = [] }: CompareOptions) {
  return SITUATIONS.filter(({ host, dialect, path }) => {
    const isWanted =
      chosen(hosts, [host]).includes(host) &&
      chosen(dialects, [dialect]).includes(dialect) &&
      chosen(paths, [path]).includes(path);
    const isSpoken = dialect === "standard" || speaksTwoBits(host) || named(hosts, dialects);
    const isMoved = path === "none" || isUsual({ host, dialect, path }) || named(hosts, paths);
    const isBoth = dialect === "standard" || path === "none" || named(dialects, paths);
    return isWanted && isSpoken && isMoved && isBoth;
  });
}

function isUsual({ host, dialect }: Situation): boolean {
  return host === MOVED_HOST || dialect !== "standard";
}

function named(...lists: readonly (readonly string[])[]): boolean {
  return lists.every(({ length }) => length > 0);
}

type HowOptions = Pick<CompareOptions, "core" | "signal" | "onCell">;

/**
 * Runs what was asked for; some hundred milliseconds for each cell.
 * @throws the reason of `signal` when it aborts; else only for bugs.
 */
export async function compareDeflate(options: CompareOptions = {}): Promise<Comparison> {
  const wanted = chosen(options.personas, PERSONA_NAMES);
  const personas = PERSONA_NAMES.filter((name) => wanted.includes(name));
  const keys = situations(options).flatMap((situation) =>
    personas.map((persona) => ({ persona, ...situation })),
  );
  return compareCells(keys, options);
}

/**
 * Runs these cells, one after the other.
 * @throws as compareDeflate does.
 */
export async function compareCells(
  keys: readonly CellKey[],
  { core: source, signal, onCell }: HowOptions,
): Promise<Comparison> {
  const core = await loadCore(source);
  const cells: ComparedCell[] = [];
  for (const key of keys) {
    onCell?.(cellName(key), cells.length, keys.length);
    // A cell is one long computation: signals of the process get their turn between two.
    await breathe();
    signal?.throwIfAborted();
    cells.push(judged(await runCell({ ...key, core })));
  }
  return { type: "comparison", question: "deflate", cells, findings: findingsOf(cells) };
}

/** A cell's facts with its name and what they amount to. */
export function judged(cell: CellResult): ComparedCell {
  return { name: cellName(cell), outcome: outcomeOf(cell), manner: mannerOf(cell), ...cell };
}
