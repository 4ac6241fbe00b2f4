/**
 * The gauge: the balloon's size in one line, as a bar and in words.
 *
 *   [██████████┃·········▒▒▒]  held 24.0 MiB of 32.0 MiB, free 16.0 MiB
 *
 * The bar is all of the machine's memory; each cell is an equal part of it.
 */
import type { Progress } from "../../session/events.ts";
import { formatPages } from "../../text/units.ts";

const BAR_CELLS_MOST = 40;
/** A shorter bar shows too little: the line has the words alone. */
const BAR_CELLS_LEAST = 8;
const MARGIN = "         ";

/** Memory in the balloon, the target's place, free memory, and all other memory. */
const CELLS = {
  unicode: { held: "█", target: "┃", free: "·", used: "▒" },
  ascii: { held: "#", target: "|", free: ".", used: "+" },
} as const;

export type GaugeState = Pick<Progress, "heldPages" | "freePages" | "targetPages" | "memoryPages">;

interface GaugeOptions {
  readonly columns: number;
  readonly unicode: boolean;
}

/** The bar: held memory from the left, used memory at the right, a mark at the target. */
export function bar(state: GaugeState, cells: number, unicode: boolean): string {
  const { held, target, free, used } = CELLS[unicode ? "unicode" : "ascii"];
  const { heldPages, freePages, targetPages, memoryPages } = state;
  const cellsOf = (pages: number): number =>
    Math.max(0, Math.min(cells, Math.round((pages / memoryPages) * cells)));
  const heldCells = cellsOf(heldPages);
  const usedCells = Math.min(cells - heldCells, cells - cellsOf(heldPages + freePages));
  const line = [
    ...held.repeat(heldCells),
    ...free.repeat(cells - heldCells - usedCells),
    ...used.repeat(usedCells),
  ];
  const mark = cellsOf(targetPages);
  if (mark < cells && heldPages !== targetPages) line[mark] = target;
  return line.join("");
}

/** The line for a terminal; it is shorter than the terminal is wide. */
export function gaugeLine(state: GaugeState, { columns, unicode }: GaugeOptions): string {
  const words = gaugeWords(state);
  // One column stays empty: writing the last one makes some terminals wrap.
  const room = columns - 1 - MARGIN.length - words.length - "[]  ".length;
  if (room < BAR_CELLS_LEAST) return `${MARGIN}${words}`.slice(0, Math.max(0, columns - 1));
  return `${MARGIN}[${bar(state, Math.min(room, BAR_CELLS_MOST), unicode)}]  ${words}`;
}

export function gaugeWords({ heldPages, targetPages, freePages }: GaugeState): string {
  const held = `held ${formatPages(heldPages)} of ${formatPages(targetPages)}`;
  return `${held}, free ${formatPages(freePages)}`;
}
