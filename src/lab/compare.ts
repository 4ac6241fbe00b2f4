/**
 * Many cells of the laboratory of telling first, one after the other.
 *
 * It must not know how anything is shown. Invariant: what comes out of a cell is what `runCell`
 * said of it, with nothing taken away and nothing added but what follows from it.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { PERSONA_NAMES } from "../../runtime/index.ts";
import { type CoreSource, loadCore } from "../embed/core.ts";
import { type CellResult, runCell } from "./deflate-lab.ts";
import { type Finding, findingsOf } from "./findings.ts";
import { type Manner, mannerOf, type Outcome, outcomeOf } from "./outcome.ts";
import {
  type CellKey,
  cellName,
  type Dialect,
  type HostDesignName,
  type PersonaName,
  SITUATIONS,
  type Situation,
} from "./subjects.ts";

/** What there is to choose from; an empty or missing list is all that says something. */
export interface CompareOptions {
  readonly personas?: readonly PersonaName[];
  readonly hosts?: readonly HostDesignName[];
  readonly dialects?: readonly Dialect[];
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
  /** By host, then by dialect, then by persona. */
  readonly cells: readonly ComparedCell[];
  readonly findings: readonly Finding[];
}

function chosen<T>(some: readonly T[] | undefined, all: readonly T[]): readonly T[] {
  return some === undefined || some.length === 0 ? all : some;
}

/** A host that does not speak a dialect meets it only when both were asked for by name. */
function situations({ hosts = [], dialects = [] }: CompareOptions): readonly Situation[] {
  if (hosts.length > 0 && dialects.length > 0) {
    return hosts.flatMap((host) => dialects.map((dialect) => ({ host, dialect })));
  }
  return SITUATIONS.filter(
    ({ host, dialect = "standard" }) =>
      chosen(hosts, [host]).includes(host) && chosen(dialects, [dialect]).includes(dialect),
  );
}

/**
 * Runs the cells one after the other; some hundred milliseconds each.
 * @throws the reason of `signal` when it aborts; else only for bugs.
 */
export async function compareDeflate(options: CompareOptions = {}): Promise<Comparison> {
  const personas = chosen(options.personas, PERSONA_NAMES);
  const keys = situations(options).flatMap((situation) =>
    personas.map((persona) => ({ persona, ...situation })),
  );
  const core = await loadCore(options.core);
  const cells: ComparedCell[] = [];
  for (const key of keys) {
    options.onCell?.(cellName(key), cells.length, keys.length);
    cells.push(await compareCell(key, { core, ...withSignal(options) }));
  }
  const findings = findingsOf(cells);
  return { type: "comparison", question: "deflate", cells, findings };
}

function withSignal({ signal }: CompareOptions): Pick<CompareOptions, "signal"> {
  return signal === undefined ? {} : { signal };
}

/**
 * Runs one cell.
 * @throws as compareDeflate does.
 */
export async function compareCell(
  key: CellKey,
  how: Pick<CompareOptions, "core" | "signal"> = {},
): Promise<ComparedCell> {
  // A cell is one long computation: signals of the process get their turn between two.
  await breathe();
  how.signal?.throwIfAborted();
  return judged(await runCell({ ...key, ...how }));
}

/** A cell's facts with its name and what they amount to. */
export function judged(cell: CellResult): ComparedCell {
  return { name: cellName(cell), outcome: outcomeOf(cell), manner: mannerOf(cell), ...cell };
}
