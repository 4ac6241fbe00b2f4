/**
 * A comparison as lines of text: a table for each situation with a line for each driver, then the
 * findings. The mark before a line says the same as its colour.
 */
import type { Paint, Style } from "../../text/style.ts";
import { formatCount, yesOrNo } from "../../text/units.ts";
import { TEXT_COLUMNS, wrapped } from "../../text/wrap.ts";
import { situationName, situationText } from "../cell-names.ts";
import type { Comparison } from "../compare.ts";
import type { Finding } from "../findings.ts";
import { type ComparedCell, moveOf, type Outcome, usedEarly } from "../outcome.ts";
import { QUESTION } from "../subject-descriptions.ts";
import { featureLetters, letterLegend } from "./feature-letters.ts";

const MARKS: Readonly<Record<Outcome, readonly [string, Style | undefined, string]>> = {
  gains: ["+", "green", "the host may take memory away, the guest loses nothing"],
  nothing: [" ", undefined, ""],
  lost: ["!", "red", "the guest's data was lost"],
  refused: ["x", "yellow", "no balloon"],
};

interface Column {
  readonly head: string;
  readonly chars: number;
  readonly isNumber?: boolean;
  cell(cell: ComparedCell): string;
}

/** With the mark and two blanks between them, the columns fill a line of 100. */
const COLUMNS: readonly Column[] = [
  { head: "driver", chars: 9, cell: ({ persona }) => persona },
  { head: "accepted", chars: 9, cell: ({ negotiated }) => featureLetters(negotiated) },
  { head: "takes back", chars: 12, cell: ({ manner }) => manner },
  { head: "silence", chars: 7, cell: ({ mayBeSilent }) => yesOrNo(mayBeSilent) },
  { head: "munlock", chars: 7, cell: ({ mayUnlock }) => yesOrNo(mayUnlock) },
  { head: "migration", chars: 12, cell: moveOf },
  number("locked", 6, ({ pages }) => pages.locked),
  number("early", 6, usedEarly),
  number("faults", 6, ({ touches }) => touches.faults),
  number("lost", 5, ({ damagedFrames }) => damagedFrames),
];

function number(head: string, chars: number, count: (cell: ComparedCell) => number): Column {
  return { head, chars, isNumber: true, cell: (cell) => formatCount(count(cell)) };
}

const HEAD_COLUMNS = 2;

function row(columns: readonly Column[], textOf: (column: Column) => string): string {
  const padded = columns.map((column) => {
    const { chars, isNumber } = column;
    const text = textOf(column);
    return isNumber ? text.padStart(chars) : text.padEnd(chars);
  });
  return padded.join("  ");
}

function cellRow(cell: ComparedCell): string {
  if (cell.refused === undefined) return row(COLUMNS, (column) => column.cell(cell));
  const first = row(COLUMNS.slice(0, HEAD_COLUMNS), (column) => column.cell(cell));
  return `${first}  no balloon: refused (${cell.refused.code})`;
}

function cellLine(cell: ComparedCell, paint: Paint): string {
  const [mark, style] = MARKS[cell.outcome];
  const line = `${mark} ${cellRow(cell)}`;
  return style === undefined ? line : paint(style, line);
}

function tableLines(cells: readonly ComparedCell[], paint: Paint): string[] {
  const first = cells[0] as ComparedCell;
  const [head = "", ...rest] = wrapped(`${situationName(first)}: ${situationText(first)}`);
  return [
    paint("bold", head),
    ...rest,
    paint("dim", `  ${row(COLUMNS, (column) => column.head)}`),
    ...cells.map((cell) => cellLine(cell, paint)),
    "",
  ];
}

function legendLines({ cells }: Comparison): string[] {
  const letters = letterLegend(cells.flatMap(({ negotiated }) => negotiated));
  const marks = Object.values(MARKS).filter(([, , meaning]) => meaning !== "");
  return [
    ...wrapped(`accepted: ${letters.map(([letter, name]) => `${letter} ${name}`).join(", ")}`),
    ...wrapped(
      "silence: the driver may use pages and never tell. munlock: the host may unlock the pages " +
        "in the balloon. locked: pages that stay locked with the balloon inflated. early: pages " +
        "that the guest used while the host held them. faults: how many of those were unlocked. " +
        "lost: frames whose contents were gone.",
    ),
    marks.map(([mark, , meaning]) => `${mark} ${meaning}`).join("; "),
  ];
}

export function findingLines({ outcome, text }: Finding, paint: Paint): string[] {
  const [mark, style] = MARKS[outcome];
  const [first = "", ...rest] = wrapped(text, TEXT_COLUMNS - 2);
  const lines = [`${mark} ${first}`, ...rest.map((line) => `  ${line}`)];
  return style === undefined ? lines : lines.map((line) => paint(style, line));
}

function introLines(cells: readonly ComparedCell[], paint: Paint): string[] {
  const head = paint("bold", QUESTION);
  const run = cells.find(({ refused }) => refused === undefined);
  if (run === undefined) return [head, ""];
  const { pages } = run;
  return [
    head,
    ...wrapped(
      `One script for every pair, of ${formatCount(pages.total)} pages: the host takes ` +
        `${formatCount(pages.inflated)} and gives ${formatCount(pages.takenBack)} of them back. ` +
        "Before it has answered, the guest uses all its pages, and the host, short of memory, " +
        "takes away what it holds unlocked.",
    ),
    "",
  ];
}

/** Returns the lines of a comparison with at least one cell; `paint` adds colours. */
export function comparisonLines(comparison: Comparison, paint: Paint): string[] {
  const { cells, findings } = comparison;
  const columns = [...new Set(cells.map(situationName))];
  return [
    ...introLines(cells, paint),
    ...columns.flatMap((column) =>
      tableLines(
        cells.filter((cell) => situationName(cell) === column),
        paint,
      ),
    ),
    ...legendLines(comparison),
    "",
    paint("bold", "Found"),
    ...findings.flatMap((finding) => findingLines(finding, paint)),
  ];
}
