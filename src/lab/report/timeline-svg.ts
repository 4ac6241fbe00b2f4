/**
 * A cell's timeline as a picture: the host's pages as stacked steps, lines for what is locked, used
 * early and lost, and numbered marks for what happened.
 *
 *   total |----.      .-------   locked
 *         |    '------'
 *         |   ___________        inflating, deflating, held
 *       0 +---1-----2---3----
 *
 * Each change of the pages' states is one step, however long it took: a driver that polls once an
 * hour would otherwise hide everything that happens in between.
 */
import type { MemoryPoint } from "../../device/index.ts";
import { coordinate, escaped } from "../../text/markup.ts";
import { formatCount } from "../../text/units.ts";
import type { CellResult } from "../cell.ts";

const WIDTH = 740;
const HEIGHT = 250;
const PLOT = { left: 52, top: 42, right: 730, bottom: 238 } as const;
/** Numbers of marks stand on two lines by turns, so that near ones do not cover each other. */
const NUMBER_STEP = 14;

type Count = Exclude<keyof MemoryPoint, "ms">;

/** From the top down. Each state is drawn from the ground up, and the next ones over it. */
const STACK = ["inflating", "deflating", "held"] as const satisfies readonly Count[];
const LINES = ["locked", "touched", "lost"] as const satisfies readonly Count[];

const WORDS: Readonly<Record<Count, string>> = {
  locked: "locked",
  touched: "used early, in all",
  lost: "lost, in all",
  inflating: "inflating",
  deflating: "deflating",
  held: "held by the host",
};

/** A pattern that all pictures of a page share, so that states differ without colours, too. */
function pattern(name: Count, stroke: string): string {
  return (
    `<pattern id="${name}" width="6" height="6" patternUnits="userSpaceOnUse">` +
    `<rect class="${name}-paper" width="6" height="6"/>` +
    `<path class="${name}-ink" d="${stroke}"/></pattern>`
  );
}

export const PATTERNS =
  '<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>' +
  `${pattern("inflating", "M0 6 6 0")}${pattern("deflating", "M0 0 6 6")}</defs></svg>`;

type Shown = Pick<CellResult, "timeline" | "marks" | "pages">;

/** The left side of a step; the step past the last one is the right side of the plot. */
function stepX({ timeline }: Shown, step: number): string {
  return coordinate(PLOT.left + ((PLOT.right - PLOT.left) * step) / Math.max(1, timeline.length));
}

function pagesY({ pages }: Shown, count: number): string {
  return coordinate(PLOT.bottom - ((PLOT.bottom - PLOT.top) * count) / pages.total);
}

/** A path along the tops of the steps, from left to right. */
function steps(shown: Shown, height: (point: MemoryPoint) => number): string {
  const parts = shown.timeline.map(
    (point, step) => `V${pagesY(shown, height(point))}H${stepX(shown, step + 1)}`,
  );
  return parts.join("").replace("V", `M${PLOT.left} `);
}

function layer(shown: Shown, name: (typeof STACK)[number]): string {
  const below = STACK.slice(STACK.indexOf(name));
  const top = steps(shown, (point) => below.reduce((sum, state) => sum + point[state], 0));
  return `<path class="${name}" d="${top}V${PLOT.bottom}H${PLOT.left}Z"/>`;
}

/** Lines and numbers for the marks; a mark stands before the first step that is not earlier. */
function markShapes(shown: Shown): string {
  const numbersAt = new Map<string, number[]>();
  for (const [index, { ms }] of shown.marks.entries()) {
    const step = shown.timeline.findIndex((point) => point.ms >= ms);
    const x = stepX(shown, step === -1 ? shown.timeline.length : step);
    numbersAt.set(x, [...(numbersAt.get(x) ?? []), index + 1]);
  }
  const shapes = [...numbersAt].map(([x, numbers], place) => {
    const top = PLOT.top - 6 - (place % 2) * NUMBER_STEP;
    return (
      `<path class="mark" d="M${x} ${top}V${PLOT.bottom}"/>` +
      `<text class="number" x="${x}" y="${top - 5}">${numbers.join(", ")}</text>`
    );
  });
  return shapes.join("");
}

function tick(shown: Shown, count: number): string {
  const y = pagesY(shown, count);
  return (
    `<path class="grid" d="M${PLOT.left} ${y}H${PLOT.right}"/>` +
    `<text class="tick" x="${PLOT.left - 6}" y="${y}" dy=".32em">${formatCount(count)}</text>`
  );
}

function legendItem(name: Count): string {
  const isLine = LINES.some((line) => line === name);
  const swatch = isLine
    ? `<path class="line ${name}" d="M0 7H14"/>`
    : `<path class="${name}" d="M0 0H14V14H0Z"/>`;
  return `<li><svg class="swatch" viewBox="0 0 14 14">${swatch}</svg>${WORDS[name]}</li>`;
}

/** One picture with its caption; `label` is for screen readers. */
export function timelineFigure(shown: Shown, label: string): string {
  const { timeline, marks, pages } = shown;
  const isSeen = (name: Count): boolean => timeline.some((point) => point[name] > 0);
  const lines = LINES.filter(isSeen);
  const states = STACK.filter(isSeen);
  return [
    '<figure><div class="scroll">',
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(label)}">`,
    ...[0, pages.total / 2, pages.total].map((count) => tick(shown, count)),
    ...states.map((name) => layer(shown, name)),
    ...lines.map((name) => {
      return `<path class="line ${name}" d="${steps(shown, (point) => point[name])}"/>`;
    }),
    markShapes(shown),
    `</svg></div><figcaption><ul>${[...lines, ...states].map(legendItem).join("")}</ul>`,
    `<ol>${marks.map(({ what }) => `<li>${escaped(what)}</li>`).join("")}</ol>`,
    "</figcaption></figure>",
  ].join("\n");
}
