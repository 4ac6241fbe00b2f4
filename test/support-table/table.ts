/** The table of support, made of what tests came to. */
import { type Evidence, PLACES, type Place, SUPPORT_ROWS, type SupportRow } from "./rows.ts";

/** How tests of one file ended, by their full names without quotes. */
export interface FileResults {
  /** Below test/. */
  readonly file: string;
  readonly tests: Readonly<Record<string, "passed" | "failed" | "skipped">>;
}

/**
 * - `works`: each of its tests passed.
 * - `fails`: one of them failed.
 * - `gone`: the file ran, and no test has such a name.
 * - `not run`: one was skipped, or the file did not run since the sources changed.
 * - `untried`: no test is named.
 */
export type CellState = "works" | "fails" | "gone" | "not run" | "untried";

const TEXT: Readonly<Record<CellState, string>> = {
  works: "works",
  fails: "fails",
  gone: "no such test",
  "not run": "not run",
  untried: "-",
};
export const COLUMNS = Object.keys(PLACES) as readonly Place[];

export function stateOf(evidence: Evidence | undefined, all: readonly FileResults[]): CellState {
  if (evidence === undefined) return "untried";
  const tests = all.find(({ file }) => file === evidence.file)?.tests;
  if (tests === undefined) return "not run";
  const ends = Object.entries(tests).filter(([name]) => evidence.name.test(name));
  if (ends.length === 0) return "gone";
  if (ends.some(([, end]) => end === "failed")) return "fails";
  return ends.every(([, end]) => end === "passed") ? "works" : "not run";
}

/** The table, in Markdown. */
export function supportTable(
  state: (row: SupportRow, place: Place) => CellState,
  rows: readonly SupportRow[] = SUPPORT_ROWS,
): string {
  const cells = rows.map((row) => COLUMNS.map((place) => TEXT[state(row, place)]));
  const lines = rows.map(({ group, what }, index) => {
    return `| ${group} | ${what} | ${cells[index]?.join(" | ")} |`;
  });
  const names = COLUMNS.map((place) => PLACES[place]);
  return [`| | | ${names.join(" | ")} |`, `|---|---|${"---|".repeat(names.length)}`, ...lines].join(
    "\n",
  );
}

/** The table of these results. */
export function tableOf(all: readonly FileResults[]): string {
  return supportTable(({ tests }, place) => stateOf(tests[place], all));
}

/** The table that stands in a paper. */
export function tableIn(paper: string): string {
  return (
    /^\| \| \| QEMU, as installed[^\n]*\n(?:\|[^\n]*(?:\n|$))*/m.exec(paper)?.[0].trimEnd() ?? ""
  );
}

/**
 * What a paper's table says otherwise than the results do. A cell whose tests did not run is no
 * contradiction, for other machines have other tools.
 */
export function contradictions(paper: string, all: readonly FileResults[]): string[] {
  const told = tableIn(paper).split("\n").slice(2);
  const seen = tableOf(all).split("\n").slice(2);
  if (told.length !== seen.length) return [`${told.length} rows instead of ${seen.length}`];
  return seen.flatMap((line, index) => {
    const [, group, what, ...states] = line.split("|").map((cell) => cell.trim());
    const [, toldGroup, toldWhat, ...toldStates] = (told[index] ?? "")
      .split("|")
      .map((cell) => cell.trim());
    if (group !== toldGroup || what !== toldWhat) return [`a row "${toldWhat}" for "${what}"`];
    return COLUMNS.flatMap((place, column) => {
      const isOpen = states[column] === TEXT["not run"];
      if (isOpen || states[column] === toldStates[column]) return [];
      return [`${what}, ${PLACES[place]}: "${toldStates[column]}", but ${states[column]}`];
    });
  });
}
