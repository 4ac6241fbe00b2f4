/**
 * Cells that nobody ran, for tests of how cells are shown.
 *
 * Their figures are such that one shown in another's place is noticed.
 */
import type { CellResult } from "../../../src/lab/cell.ts";
import type { Comparison } from "../../../src/lab/compare.ts";
import { findingsOf } from "../../../src/lab/findings.ts";
import { type ComparedCell, comparedCell } from "../../../src/lab/outcome.ts";

const BASE: CellResult = {
  persona: "linux",
  host: "locked",
  path: "none",
  dialect: "standard",
  offered: ["MUST_TELL_HOST", "STATS_VQ"],
  negotiated: ["MUST_TELL_HOST", "RING_RESET"],
  mustTellFirst: true,
  mayBeSilent: false,
  mayUnlock: true,
  pages: { total: 5000, inflated: 2001, locked: 2999, unlocked: 2001, takenBack: 1003, told: 1003 },
  touches: { untold: 0, unanswered: 0, faults: 0, lost: 0, list: [] },
  damagedFrames: 0,
  verdicts: [],
  marks: [
    { ms: 1, what: "the host <wants> pages" },
    { ms: 3, what: "the guest uses frames" },
    { ms: 3, what: "the end & more" },
  ],
  timeline: [
    { ms: 0, inflating: 0, held: 0, deflating: 0, locked: 5000, touched: 0, lost: 0 },
    { ms: 2, inflating: 1000, held: 500, deflating: 0, locked: 4000, touched: 0, lost: 0 },
    { ms: 3, inflating: 0, held: 1000, deflating: 250, locked: 4000, touched: 0, lost: 0 },
  ],
};

export function madeUp(changes: Partial<CellResult> = {}): ComparedCell {
  return comparedCell({ ...BASE, ...changes });
}

/** A driver that lost what the guest had written. */
export function losing(changes: Partial<CellResult> = {}): ComparedCell {
  const touch = { pfn: 0x2a, state: "deflating", unlocked: true, lost: true, ms: 2 };
  const list = [{ ...touch, line: '#7 touch "of" <a> page & more' }];
  return madeUp({
    persona: "windows",
    host: "locked-always",
    mustTellFirst: false,
    negotiated: ["STATS_VQ"],
    touches: { untold: 0, unanswered: 1007, faults: 1006, lost: 1005, list },
    damagedFrames: 1004,
    verdicts: [{ rule: "D1", times: 1 }],
    ...changes,
  });
}

/** A guest that was to be migrated. */
export function moving(migration: NonNullable<CellResult["migration"]>): ComparedCell {
  return madeUp({ path: "equal", migration });
}

/** One that the host did not want. */
export function refused(): ComparedCell {
  return madeUp({
    persona: "freebsd",
    host: "refusing",
    refused: { code: "features", message: "no set <was> accepted" },
    negotiated: [],
    mustTellFirst: false,
    mayUnlock: false,
    pages: { total: 5000, inflated: 0, locked: 5000, unlocked: 0, takenBack: 0, told: 0 },
    marks: [],
    timeline: [],
  });
}

export function comparisonOf(...cells: readonly ComparedCell[]): Comparison {
  const findings = findingsOf(cells);
  return { type: "comparison", question: "deflate", cells, findings };
}
