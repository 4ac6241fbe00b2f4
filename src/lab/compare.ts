/**
 * Runs cells one after the other and puts their facts together.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Dialect, PERSONA_NAMES, type PersonaName } from "../../runtime/abi.ts";
import type { HostDesignName } from "../device/host/host-design.ts";
import { loadCore } from "../embed/load-core.ts";
import type { CoreSource } from "../embed/options.ts";
import { runCell } from "./cell.ts";
import { type CellKey, cellName, offersTwoBits, SITUATIONS } from "./cell-names.ts";
import { type Finding, findingsOf } from "./findings.ts";
import { type ComparedCell, comparedCell } from "./outcome.ts";
import type { MigrationPathName } from "./paths.ts";

/**
 * Which cells to run. An empty or missing list stands for all names, but for combinations that
 * show nothing new: see `situationsOf`.
 */
export interface CompareOptions {
  readonly personas?: readonly PersonaName[];
  readonly hosts?: readonly HostDesignName[];
  readonly dialects?: readonly Dialect[];
  readonly paths?: readonly MigrationPathName[];
  /** core.wasm. Default: this package's own. */
  readonly core?: CoreSource;
  readonly signal?: AbortSignal;
  /** Called before each cell. `done` cells of `of` have been run. */
  onCell?(name: string, done: number, of: number): void;
}

/** All cells with their facts: plain values, and what `ballonet compare deflate --json` prints. */
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

/** The host whose migrations are run by default: it unlocks pages only when it was promised to. */
const MIGRATED_HOST: HostDesignName = "locked";

/**
 * The situations that the options stand for. Some are left out unless the lists in brackets name
 * them: a dialect on a host that does not know it (hosts and dialects), a migration from another
 * host than `locked` (hosts and paths), a migration in another dialect (dialects and paths).
 */
function situationsOf({ hosts = [], dialects = [], paths = [] }: CompareOptions) {
  return SITUATIONS.filter(({ host, dialect, path }) => {
    const isStandard = dialect === "standard";
    const isUsualMigration = isStandard
      ? host === MIGRATED_HOST || areGiven(hosts, paths)
      : areGiven(dialects, paths);
    return (
      chosen(hosts, [host]).includes(host) &&
      chosen(dialects, [dialect]).includes(dialect) &&
      chosen(paths, [path]).includes(path) &&
      (isStandard || offersTwoBits(host) || areGiven(hosts, dialects)) &&
      (path === "none" || isUsualMigration)
    );
  });
}

function areGiven(...lists: readonly (readonly string[])[]): boolean {
  return lists.every(({ length }) => length > 0);
}

type RunOptions = Pick<CompareOptions, "core" | "signal" | "onCell">;

/**
 * Runs drivers against hosts and returns what happened; each cell takes some 100 ms.
 * @throws the reason of `signal` when it aborts.
 */
export async function compareDeflate(options: CompareOptions = {}): Promise<Comparison> {
  const wanted = chosen(options.personas, PERSONA_NAMES);
  const personas = PERSONA_NAMES.filter((name) => wanted.includes(name));
  const keys = situationsOf(options).flatMap((situation) =>
    personas.map((persona) => ({ persona, ...situation })),
  );
  return compareCells(keys, options);
}

/** Runs these cells. @throws as compareDeflate does. */
export async function compareCells(
  keys: readonly CellKey[],
  { core: source, signal, onCell }: RunOptions,
): Promise<Comparison> {
  const core = await loadCore(source);
  const cells: ComparedCell[] = [];
  for (const key of keys) {
    onCell?.(cellName(key), cells.length, keys.length);
    // A cell is one long computation. Between two cells the process handles its signals.
    await nextTurn();
    signal?.throwIfAborted();
    cells.push(comparedCell(await runCell({ ...key, core })));
  }
  return { type: "comparison", question: "deflate", cells, findings: findingsOf(cells) };
}
