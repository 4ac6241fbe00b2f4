/** A simulation as text: a plot of each value over time, and the sums. */
import type { Paint } from "../../text/style.ts";
import { counted, formatPages } from "../../text/units.ts";
import type { Simulation, SimulationSample } from "../simulate.ts";

const BARS = " ▁▂▃▄▅▆▇█";
const NAME_COLUMNS = 8;
const COLUMNS_LEAST = 20;
const MS_PER_S = 1000;

const ROWS = [
  ["target", ({ targetPages }) => targetPages],
  ["held", ({ heldPages }) => heldPages],
  ["wanted", ({ wantedPages }) => wantedPages],
  ["used", ({ usedPages }) => usedPages],
  ["free", ({ freePages }) => freePages],
] as const satisfies readonly (readonly [string, (sample: SimulationSample) => number])[];

/** The values in so many columns: each the mean of what falls into it, in eighths of `most`. */
function bars(values: readonly number[], most: number, columns: number): string {
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns));
    const part = values.slice(from, to);
    const mean = part.reduce((sum, value) => sum + value, 0) / part.length;
    return BARS[Math.round((Math.min(mean, most) / most) * (BARS.length - 1))] ?? " ";
  }).join("");
}

/** Returns lines of at most `columns` columns, without line ends. */
export function simulationLines(
  simulation: Simulation,
  { columns = 80, paint = (_, text) => text }: { columns?: number; paint?: Paint } = {},
): string[] {
  const { samples, pages } = simulation;
  const width = Math.max(COLUMNS_LEAST, Math.min(samples.length, columns - NAME_COLUMNS));
  const seconds = simulation.durationMs / MS_PER_S;
  const plots = ROWS.map(([name, of]) => {
    return `${name.padEnd(NAME_COLUMNS)}${bars(samples.map(of), pages, width)}`;
  });
  const { shortages, shortMs, shortPagesMost, trouble } = simulation;
  const most = formatPages(shortPagesMost);
  const short = paint("red", `${shortages}, ${shortMs / MS_PER_S} s in all, up to ${most}`);
  return [
    `${simulation.policy}: ${seconds} s; a full bar is ${formatPages(pages)}`,
    "",
    ...plots,
    "",
    `in the balloon   ${formatPages(simulation.heldPagesMean)} on average, of ` +
      `${formatPages(simulation.targetPagesMean)} that the host asked for`,
    `moved            ${counted(simulation.inflatedPages, "page")} in, ` +
      `${counted(simulation.deflatedPages, "page")} out`,
    `shortages        ${shortages === 0 ? "none" : short}`,
    ...(trouble === null ? [] : [paint("red", trouble)]),
  ];
}
