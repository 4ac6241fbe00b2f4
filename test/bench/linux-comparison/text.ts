/**
 * Results as text: a table for each figure, and the goals.
 *
 * Every value stands with its least and its most.
 */
import type { Goal } from "./goals.ts";
import type { Results } from "./results.ts";
import { FIGURES, type FigureName } from "./samples.ts";

const NAME_COLUMNS = 60;
const CELL_COLUMNS = 24;
const GOAL_COLUMNS = 76;
const NUMBER_COLUMNS = 16;

export function formatSize(bytes: number | undefined): string {
  if (bytes === undefined) return "";
  return bytes >= 2 ** 30 ? `${bytes / 2 ** 30} GiB` : `${bytes / 2 ** 20} MiB`;
}

export function formatFigure(figure: FigureName, value: number): string {
  const { scale, digits } = FIGURES[figure];
  return (value / scale).toFixed(digits);
}

export function formatGoal({ least, most, unit }: Goal): string {
  return least === undefined ? `<= ${most} ${unit}` : `>= ${least} ${unit}`;
}

export function formatSeen({ seen, unit }: Goal): string {
  return `${seen.toFixed(seen < 10 ? 2 : 1)} ${unit}`;
}

function row(first: string, cells: readonly string[]): string {
  const padded = cells.map((text) => text.padStart(CELL_COLUMNS));
  return `  ${first.padEnd(NAME_COLUMNS)}${padded.join("")}`.trimEnd();
}

/** The sizes at which a figure was taken, in order; undefined alone where size does not matter. */
export function sizesOf({ samples }: Results, figure: FigureName): (number | undefined)[] {
  const found = samples.all.filter((sample) => sample.figure === figure);
  const sizes = found.flatMap(({ memoryBytes }) => memoryBytes ?? []);
  if (sizes.length > 0) return [...new Set(sizes)].sort((a, b) => a - b);
  return found.length > 0 ? [undefined] : [];
}

function cell(results: Results, guest: string, bytes: number | undefined, figure: FigureName) {
  const found = results.samples.get(guest, bytes, figure);
  if (found === undefined) return "";
  const text = (value: number) => formatFigure(figure, value);
  const { median, least, most } = found;
  return least === most ? text(median) : `${text(median)} (${text(least)} to ${text(most)})`;
}

function tableOf(results: Results, figure: FigureName): string[] {
  const sizes = sizesOf(results, figure);
  if (sizes.length === 0) return [];
  const { title, unit } = FIGURES[figure];
  const guests = results.guests.flatMap(({ name, title }) => {
    const cells = sizes.map((bytes) => cell(results, name, bytes, figure));
    return cells.every((text) => text === "") ? [] : [row(title, cells)];
  });
  return [row(`${title}, ${unit}`, sizes.map(formatSize)), ...guests, ""];
}

function goalRow(goal: Goal): string {
  const size = goal.memoryBytes === undefined ? "" : `, ${formatSize(goal.memoryBytes)}`;
  const cells = [formatGoal(goal), formatSeen(goal)].map((text) => text.padStart(NUMBER_COLUMNS));
  const verdict = goal.isMet ? "met" : "MISSED";
  return `${`  ${goal.title}${size}`.padEnd(GOAL_COLUMNS)}${cells.join("")}  ${verdict}`;
}

export function formatText(results: Results): string {
  const { host, runs, goals } = results;
  const names = Object.keys(FIGURES) as FigureName[];
  return [
    `${host.qemu}; Linux ${host.kernel}, ${host.processors} processors, ${host.hugePages} huge pages`,
    `medians of ${runs} alternating runs (least to most)`,
    "",
    ...names.flatMap((figure) => tableOf(results, figure)),
    `${"".padEnd(GOAL_COLUMNS)}${"goal".padStart(NUMBER_COLUMNS)}${"seen".padStart(NUMBER_COLUMNS)}`,
    ...goals.map(goalRow),
  ].join("\n");
}
