/**
 * Results as one HTML file: the goals, and a plot for each figure.
 *
 * All text that goes into it is escaped.
 */
import type { Figures } from "../measure.ts";
import type { Results } from "./results.ts";
import { FIGURES, type FigureName } from "./samples.ts";
import { formatFigure, formatGoal, formatSeen, formatSize, sizesOf } from "./text.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #ccc; --soft: #666 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eee; --paper: #161616; --line: #444; --soft: #aaa }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem }
p, .unit { color: var(--soft) }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line) }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.met { color: #1a7f37 } .missed { color: #cf222e; font-weight: 600 }
svg { display: block; width: 100%; height: auto }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
svg .size { font-weight: 600 } svg .spread { stroke: var(--ink); stroke-width: 1 }
`;
const COLOURS: Readonly<Record<string, string>> = {
  host: "#8c8c8c",
  ballonet: "#0b6bcb",
  reporting: "#4dabf7",
  linux: "#c92a2a",
  "linux-tuned": "#f08c00",
  "linux-reporting": "#ffc078",
};
const WIDTH = 900;
const NAME_WIDTH = 360;
const VALUE_WIDTH = 170;
const BAR_HEIGHT = 16;
const STEP = 22;

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

interface Bar {
  readonly name: string;
  readonly title: string;
  readonly figures: Figures;
}

function barsAt(results: Results, figure: FigureName, bytes: number | undefined): Bar[] {
  return results.guests.flatMap(({ name, title }) => {
    const found = results.samples.get(name, bytes, figure);
    return found === undefined ? [] : [{ name, title, figures: found }];
  });
}

function drawBar(bar: Bar, figure: FigureName, y: number, most: number): string {
  const { median, least, most: highest } = bar.figures;
  const x = (value: number) => NAME_WIDTH + (value / most) * (WIDTH - NAME_WIDTH - VALUE_WIDTH);
  const middle = y + BAR_HEIGHT / 2;
  const text = (value: number) => formatFigure(figure, value);
  const spread = least === highest ? "" : ` (${text(least)} to ${text(highest)})`;
  const colour = COLOURS[bar.name] ?? "#888";
  return [
    `<text x="${NAME_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escaped(bar.title)}</text>`,
    `<rect x="${NAME_WIDTH}" y="${y}" height="${BAR_HEIGHT}" fill="${colour}"`,
    ` width="${(x(median) - NAME_WIDTH).toFixed(1)}"/>`,
    `<line class="spread" x1="${x(least).toFixed(1)}" x2="${x(highest).toFixed(1)}"`,
    ` y1="${middle}" y2="${middle}"/>`,
    `<text x="${x(highest) + 8}" y="${middle + 4}">${text(median)}${spread}</text>`,
  ].join("");
}

function plot(results: Results, figure: FigureName): string {
  const sizes = sizesOf(results, figure);
  const groups = sizes.map((bytes) => ({
    size: formatSize(bytes),
    bars: barsAt(results, figure, bytes),
  }));
  if (groups.length === 0) return "";
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ figures }) => figures.most)));
  let y = 0;
  const shapes = groups.flatMap(({ size, bars }) => {
    const heading = size === "" ? [] : [`<text class="size" x="0" y="${y + 13}">${size}</text>`];
    if (size !== "") y += STEP;
    return [
      ...heading,
      ...bars.map((bar) => {
        const drawn = drawBar(bar, figure, y, Math.max(most, Number.MIN_VALUE));
        y += STEP;
        return drawn;
      }),
    ];
  });
  const { title, unit } = FIGURES[figure];
  return (
    `<h2>${escaped(title)} <span class="unit">${escaped(unit)}</span></h2>\n` +
    `<svg viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${escaped(title)}">` +
    `${shapes.join("\n")}</svg>`
  );
}

function goalTable({ goals }: Results): string {
  const rows = goals.map((goal) => {
    const verdict = goal.isMet ? "met" : "missed";
    const cells = [goal.title, formatSize(goal.memoryBytes)].map((it) => `<td>${escaped(it)}</td>`);
    const numbers = [formatGoal(goal), formatSeen(goal)].map(
      (it) => `<td class="number">${escaped(it)}</td>`,
    );
    return `<tr>${cells.join("")}${numbers.join("")}<td class="${verdict}">${verdict}</td></tr>`;
  });
  const heads = ["goal", "memory", "", "seen", ""].map((it) => `<th>${it}</th>`).join("");
  return `<table><tr>${heads}</tr>\n${rows.join("\n")}\n</table>`;
}

export function formatPage(results: Results): string {
  const { host, runs } = results;
  const where =
    `${host.qemu}; Linux ${host.kernel}, ${host.processors} processors, huge pages: ` +
    `${host.hugePages}; Node ${host.node}`;
  const figures = Object.keys(FIGURES) as FigureName[];
  return [
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    `<title>ballonet: what a balloon costs</title><style>${STYLE}</style></head><body>`,
    "<h1>What a balloon costs</h1>",
    `<p>${escaped(where)}. Medians of ${runs} alternating runs, with their least and most.</p>`,
    goalTable(results),
    ...figures.map((figure) => plot(results, figure)),
    "</body></html>\n",
  ].join("\n");
}
