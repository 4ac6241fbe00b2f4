/**
 * The gauge: where the balloon is, in one line.
 *
 * It must not print. Invariant: the bar stands for all of the machine's memory, one cell for an
 * equal part, and a line never has more characters than the terminal has columns.
 */
import type { Progress } from "../../session/events.ts";
import { formatPages } from "../../text/units.ts";

const BAR_CELLS_MOST = 40;
/** Under this a bar says nothing. */
const BAR_CELLS_LEAST = 8;
const MARGIN = "         ";

/** held, the target's place, free, and what is neither. */
const CELLS = {
  unicode: { held: "█", target: "┃", free: "·", used: "▒" },
  ascii: { held: "#", target: "|", free: ".", used: "+" },
} as const;

export type GaugeState = Pick<Progress, "heldPages" | "freePages" | "targetPages" | "memoryPages">;

export interface GaugeOptions {
  readonly columns: number;
  readonly unicode: boolean;
}

/** The bar alone: held from the left, used at the right, the target's mark where it will end. */
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

/** The line for a terminal. */
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
