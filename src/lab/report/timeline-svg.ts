/**
 * A cell's timeline as a picture: the host's pages as stacked steps, lines for what is locked, used
 * early and lost, and numbered marks for what happened.
 *
 *   pages
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
import type { CellMark, CellResult } from "../cell.ts";

const WIDTH = 900;
const HEIGHT = 260;
const PLOT = { left: 52, top: 42, right: 730, bottom: 238 } as const;
const SWATCH = 14;
const LEGEND_STEP = 22;
/** Numbers of marks that are nearer than this stand on two lines. */
const NUMBER_ROOM = 34;
const NUMBER_STEP = 14;

type Count = Exclude<keyof MemoryPoint, "ms">;

/** From the bottom up: the state that lasts, then those that pass. */
const STACK = ["held", "deflating", "inflating"] as const satisfies readonly Count[];
const LINES = ["locked", "touched", "lost"] as const satisfies readonly Count[];

const WORDS: Readonly<Record<Count, string>> = {
  held: "held by the host",
  deflating: "deflating",
  inflating: "inflating",
  locked: "locked",
  touched: "used early, in all",
  lost: "lost, in all",
};

/** Patterns that all pictures of a page share, so that states differ without colours, too. */
export const PATTERNS =
  '<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>' +
  [
    ["inflating", "M0 6 6 0"],
    ["deflating", "M0 0 6 6"],
  ]
    .map(
      ([name, path]) =>
        `<pattern id="${name}" width="6" height="6" patternUnits="userSpaceOnUse">` +
        `<rect class="${name}-paper" width="6" height="6"/>` +
        `<path class="${name}-ink" d="${path}"/></pattern>`,
    )
    .join("") +
  "</defs></svg>";

type Shown = Pick<CellResult, "timeline" | "marks" | "pages">;

/** One place of the time axis, and the marks there. */
interface Place {
  readonly x: number;
  readonly numbers: readonly number[];
}

class Picture {
  private readonly points: readonly MemoryPoint[];
  private readonly total: number;

  constructor({ timeline, pages }: Shown) {
    this.points = timeline;
    this.total = pages.total;
  }

  /** The left side of a step; the step past the last one is the right side of the plot. */
  x(step: number): number {
    return PLOT.left + ((PLOT.right - PLOT.left) * step) / Math.max(1, this.points.length);
  }

  y(pages: number): number {
    return PLOT.bottom - ((PLOT.bottom - PLOT.top) * pages) / this.total;
  }

  /** A path along the tops of the steps, from left to right. */
  steps(height: (point: MemoryPoint) => number): string {
    const parts = this.points.map((point, step) => {
      const y = coordinate(this.y(height(point)));
      const from = step === 0 ? `${coordinate(this.x(0))} ${y}` : `V${y}`;
      return `${from}H${coordinate(this.x(step + 1))}`;
    });
    return parts.join("");
  }

  layer(index: number): string {
    const upTo = (count: number) => (point: MemoryPoint) =>
      STACK.slice(0, count).reduce((sum, name) => sum + point[name], 0);
    const name = STACK[index] as (typeof STACK)[number];
    if (this.points.every((point) => point[name] === 0)) return "";
    // Right along the tops, and back along the tops of the layer below.
    const below = this.points.map((_, step) => step).reverse();
    const back = below.map((step) => {
      const y = coordinate(this.y(upTo(index)(this.points[step] as MemoryPoint)));
      return `V${y}H${coordinate(this.x(step))}`;
    });
    return `<path class="${name}" d="M${this.steps(upTo(index + 1))}${back.join("")}Z"/>`;
  }

  line(name: (typeof LINES)[number]): string {
    if (this.points.every((point) => point[name] === 0)) return "";
    return `<path class="line ${name}" d="M${this.steps((point) => point[name])}"/>`;
  }

  /** A mark stands before the first step that is not earlier. */
  places(marks: readonly CellMark[]): readonly Place[] {
    const byX = new Map<number, number[]>();
    for (const [index, { ms }] of marks.entries()) {
      const step = this.points.findIndex((point) => point.ms >= ms);
      const x = this.x(step === -1 ? this.points.length : step);
      byX.set(x, [...(byX.get(x) ?? []), index + 1]);
    }
    return [...byX].map(([x, numbers]) => ({ x, numbers }));
  }
}

function markShapes(places: readonly Place[]): string {
  let low = Number.NEGATIVE_INFINITY;
  const shapes = places.map(({ x, numbers }) => {
    const isHigh = x - low < NUMBER_ROOM;
    if (!isHigh) low = x;
    const at = coordinate(x);
    const top = PLOT.top - 6 - (isHigh ? NUMBER_STEP : 0);
    return (
      `<path class="mark" d="M${at} ${top}V${PLOT.bottom}"/>` +
      `<text class="number" x="${at}" y="${top - 5}">${numbers.join(", ")}</text>`
    );
  });
  return shapes.join("");
}

function axis(picture: Picture, total: number): string {
  const tick = (pages: number): string => {
    const y = coordinate(picture.y(pages));
    return (
      `<path class="grid" d="M${PLOT.left} ${y}H${PLOT.right}"/>` +
      `<text class="tick" x="${PLOT.left - 6}" y="${y}" dy=".32em">${formatCount(pages)}</text>`
    );
  };
  return [0, total / 2, total].map(tick).join("");
}

function legend(names: readonly Count[]): string {
  const x = PLOT.right + 18;
  const rows = names.map((name, index) => {
    const y = PLOT.top + index * LEGEND_STEP;
    const isLine = LINES.some((line) => line === name);
    const swatch = isLine
      ? `<path class="line ${name}" d="M${x} ${y + SWATCH / 2}h${SWATCH}"/>`
      : `<rect class="${name}" x="${x}" y="${y}" width="${SWATCH}" height="${SWATCH}"/>`;
    const text = `<text x="${x + SWATCH + 6}" y="${y + SWATCH - 3}">${WORDS[name]}</text>`;
    return `${swatch}${text}`;
  });
  return rows.join("");
}

/** One picture with its caption; `label` is for screen readers. */
export function timelineFigure(cell: Shown, label: string): string {
  const { timeline, marks, pages } = cell;
  const picture = new Picture(cell);
  const shown = [...LINES, ...[...STACK].reverse()].filter((name) =>
    timeline.some((point) => point[name] > 0),
  );
  const captions = marks.map(({ what }) => `<li>${escaped(what)}</li>`).join("");
  return [
    "<figure>",
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(label)}">`,
    axis(picture, pages.total),
    ...STACK.map((_, index) => picture.layer(index)),
    ...LINES.map((name) => picture.line(name)),
    markShapes(picture.places(marks)),
    legend(shown),
    "</svg>",
    `<figcaption>Pages, step by step.${captions === "" ? "" : `<ol>${captions}</ol>`}</figcaption>`,
    "</figure>",
  ].join("\n");
}
