/**
 * What a cell's facts amount to: its outcome, and how its driver took pages back.
 */
import type { CellResult } from "./cell.ts";
import { cellName } from "./cell-names.ts";

/**
 * - `refused`: host and driver did not agree on features; there was no balloon.
 * - `lost`: something that the guest had written was gone.
 * - `gains`: the host could take memory away, and the guest lost nothing.
 * - `nothing`: the guest lost nothing, and the host could take nothing away.
 */
export type Outcome = "refused" | "lost" | "gains" | "nothing";

function outcomeOf({ refused, damagedFrames, pages }: CellResult): Outcome {
  if (refused !== undefined) return "refused";
  if (damagedFrames > 0) return "lost";
  return pages.unlocked > 0 ? "gains" : "nothing";
}

/** How a driver was seen to take pages back; the worst that it did counts. */
export type Manner = "tells first" | "tells late" | "never tells" | "took none back";

function mannerOf({ pages, touches }: CellResult): Manner {
  if (pages.takenBack === 0) return "took none back";
  if (pages.told < pages.takenBack) return "never tells";
  return usedEarly({ touches }) > 0 ? "tells late" : "tells first";
}

/**
 * What came of a migration: `stayed` when its moment never came, `not taken` when the second host
 * refused the guest, `renegotiated` when it refused the features that the driver accepted later.
 */
type Move = "stayed" | "not taken" | "renegotiated" | "moved";

export function moveOf({ migration }: CellResult): Move {
  if (migration === undefined) return "stayed";
  if (!migration.worked) return "not taken";
  return migration.renegotiated ? "renegotiated" : "moved";
}

/** Pages that were used while the host held them: untold, or told and not answered yet. */
export function usedEarly({ touches }: Pick<CellResult, "touches">): number {
  return touches.untold + touches.unanswered;
}

/** Whether the host locks memory at all. */
export function locksMemory({ pages }: CellResult): boolean {
  return pages.locked + pages.unlocked > 0;
}

/** A cell with its name and what it amounts to. */
export interface ComparedCell extends CellResult {
  /** `windows/locked-always`: what `explainDeflate` takes. */
  readonly name: string;
  readonly outcome: Outcome;
  readonly manner: Manner;
}

export function comparedCell(cell: CellResult): ComparedCell {
  return { name: cellName(cell), outcome: outcomeOf(cell), manner: mannerOf(cell), ...cell };
}
