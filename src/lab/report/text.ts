/**
 * A comparison and an explanation as lines of text. The mark before a line says the same as its
 * colour.
 */
import type { Paint } from "../../text/style.ts";
import { formatCount, yesOrNo } from "../../text/units.ts";
import { TEXT_COLUMNS, wrapped } from "../../text/wrap.ts";
import { situationName, situationText } from "../cell-names.ts";
import type { Comparison } from "../compare.ts";
import { type Explanation, SUBJECTS } from "../explain.ts";
import type { Finding } from "../findings.ts";
import { type ComparedCell, moveOf, type Outcome, usedEarly } from "../outcome.ts";
import { QUESTION } from "../subject-descriptions.ts";
import { cellFacts, OUTCOMES } from "./facts.ts";
import { featureLetters, letterLegend } from "./feature-letters.ts";

/** A column is as wide as its head. Numbers stand on the right. */
type Column = readonly [head: string, value: (cell: ComparedCell) => string | number];

const HEAD_COLUMNS: readonly Column[] = [
  ["driver   ", ({ persona }) => persona],
  ["accepted ", ({ negotiated }) => featureLetters(negotiated)],
];

const COLUMNS: readonly Column[] = [
  ...HEAD_COLUMNS,
  ["takes back  ", ({ manner }) => manner],
  ["silence", ({ mayBeSilent }) => yesOrNo(mayBeSilent)],
  ["munlock", ({ mayUnlock }) => yesOrNo(mayUnlock)],
  ["migration   ", moveOf],
  ["locked", ({ pages }) => pages.locked],
  [" early", usedEarly],
  ["faults", ({ touches }) => touches.faults],
  [" lost", ({ damagedFrames }) => damagedFrames],
];

const LEGEND =
  "silence: the driver may use pages and never tell. munlock: the host may unlock the pages in " +
  "the balloon. locked: pages that stay locked with the balloon inflated. early: pages that the " +
  "guest used while the host held them. faults: how many of those were unlocked. lost: frames " +
  "whose contents were gone.";

/** Lines in the colour of an outcome, with its mark before the first. */
function marked(outcome: Outcome, lines: readonly string[], paint: Paint): string[] {
  const { mark, style } = OUTCOMES[outcome];
  return lines
    .map((line, index) => `${index === 0 ? mark : " "} ${line}`)
    .map((line) => (style === undefined ? line : paint(style, line)));
}

function cellRow(cell: ComparedCell): string {
  const texts = (columns: readonly Column[]): string[] =>
    columns.map(([{ length }, value]) => {
      const shown = value(cell);
      return typeof shown === "number" ? formatCount(shown).padStart(length) : shown.padEnd(length);
    });
  if (cell.refused === undefined) return texts(COLUMNS).join("  ");
  return [...texts(HEAD_COLUMNS), `no balloon: refused (${cell.refused.code})`].join("  ");
}

function tableLines(cells: readonly ComparedCell[], paint: Paint): string[] {
  const first = cells[0] as ComparedCell;
  const [title = "", ...rest] = wrapped(`${situationName(first)}: ${situationText(first)}`);
  return [
    paint("bold", title),
    ...rest,
    paint("dim", `  ${COLUMNS.map(([head]) => head).join("  ")}`),
    ...cells.flatMap((cell) => marked(cell.outcome, [cellRow(cell)], paint)),
    "",
  ];
}

function findingLines(findings: readonly Finding[], paint: Paint): string[] {
  return findings.flatMap(({ outcome, text }) =>
    marked(outcome, wrapped(text, TEXT_COLUMNS - 2), paint),
  );
}

/** Returns the lines of a comparison with at least one cell; `paint` adds colours. */
export function comparisonLines({ cells, findings }: Comparison, paint: Paint): string[] {
  const situations = [...new Set(cells.map(situationName))];
  const marks = Object.values(OUTCOMES).map(({ mark, meaning }) => `${mark} ${meaning}`);
  return [
    paint("bold", QUESTION),
    ...wrapped(
      "One script for every pair: the host takes half of the guest's pages, and gives half of " +
        "those back. Before it has answered, the guest uses all its pages, and the host, short " +
        "of memory, takes away what it holds unlocked.",
    ),
    "",
    ...situations.flatMap((name) =>
      tableLines(
        cells.filter((cell) => situationName(cell) === name),
        paint,
      ),
    ),
    ...wrapped(`accepted: ${letterLegend(cells.flatMap(({ negotiated }) => negotiated))}`),
    ...wrapped(LEGEND),
    ...wrapped(marks.join("; ")),
    "",
    paint("bold", "Found"),
    ...findingLines(findings, paint),
  ];
}

/**
 * Returns the lines of an explanation; the question lists all names, a cell has its facts. `paint`
 * adds colours.
 */
export function explanationLines(explanation: Explanation, paint: Paint): string[] {
  const { name, kinds, paragraphs, cells, findings } = explanation;
  const isQuestion = kinds.includes("question");
  return [
    paint("bold", isQuestion ? QUESTION : `${name}: ${kinds.join(" and ")}`),
    ...paragraphs.flatMap((text) => ["", ...wrapped(text)]),
    ...(isQuestion ? ["", paint("bold", "What can be explained"), ...rowLines(NAMES)] : []),
    ...(findings.length > 0 ? ["", paint("bold", "Run just now")] : []),
    ...(kinds.includes("cell") ? cells.flatMap((cell) => rowLines(cellFacts(cell))) : []),
    ...findingLines(findings, paint),
  ];
}

const NAMES: readonly (readonly [string, string])[] = [
  ...SUBJECTS.map(([kind, names]) => [kind, names.join(" ")] as const),
  ["cell", "PERSONA/HOST, and then /DIALECT, /PATH: windows/locked-always, linux/locked/to-old"],
];

/** Rows of two columns, the second of which is wrapped. */
function rowLines(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([term]) => term.length)) + 2;
  return rows.flatMap(([term, text]) =>
    wrapped(text, TEXT_COLUMNS - width - 2).map(
      (line, index) => `  ${(index === 0 ? term : "").padEnd(width)}${line}`,
    ),
  );
}
