/**
 * What a cell amounts to.
 *
 * It must not know any persona or host by name. Invariant: all of it is drawn from the cell's
 * facts.
 */
import type { CellResult } from "./cell.ts";

/**
 * - `refused`: host and driver did not come to terms; there was no balloon.
 * - `lost`: something that the guest had written was gone.
 * - `gains`: the host could take memory away, and nobody was hurt by it.
 * - `nothing`: nobody was hurt, and the host could take nothing away.
 */
export type Outcome = "refused" | "lost" | "gains" | "nothing";

export function outcomeOf({ refused, damagedFrames, pages }: CellResult): Outcome {
  if (refused !== undefined) return "refused";
  if (damagedFrames > 0) return "lost";
  return pages.unlocked > 0 ? "gains" : "nothing";
}

/** How a driver was seen to take pages back; the worst that it did is what counts. */
export type Manner = "tells first" | "tells late" | "never tells" | "took none back";

export function mannerOf({ pages, touches }: CellResult): Manner {
  if (pages.takenBack === 0) return "took none back";
  if (pages.told < pages.takenBack) return "never tells";
  return usedEarly({ touches }) > 0 ? "tells late" : "tells first";
}

/**
 * What came of a migration, if there was to be one: `stayed` where its moment never came,
 * `not taken` where the other host said no, `renegotiated` where it did so afterwards.
 */
export type Move = "stayed" | "not taken" | "renegotiated" | "moved";

export function moveOf({ migration }: CellResult): Move {
  if (migration === undefined) return "stayed";
  if (!migration.worked) return "not taken";
  return migration.renegotiated ? "renegotiated" : "moved";
}

/** Pages that were used while the host held them: untold, or told and not answered yet. */
export function usedEarly({ touches }: Pick<CellResult, "touches">): number {
  return touches.untold + touches.unanswered;
}

/** Whether the host locks memory at all: then what is not unlocked is locked. */
export function locksMemory({ pages }: CellResult): boolean {
  return pages.locked + pages.unlocked > 0;
}
