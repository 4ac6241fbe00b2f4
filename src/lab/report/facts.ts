/**
 * What text and page share: the facts of a cell as rows, and a sign and a word for each outcome.
 */
import { rules } from "../../device/index.ts";
import type { Style } from "../../text/style.ts";
import { counted, formatCount, yesOrNo } from "../../text/units.ts";
import { type ComparedCell, moveOf, type Outcome, usedEarly } from "../outcome.ts";

/** How an outcome is shown: in a line of text, on a page, and in words. */
interface OutcomeSign {
  readonly mark: string;
  readonly sign: string;
  readonly style?: Style;
  readonly meaning: string;
}

export const OUTCOMES: Readonly<Record<Outcome, OutcomeSign>> = {
  gains: {
    mark: "+",
    sign: "✓",
    style: "green",
    meaning: "the host may take memory away, the guest loses nothing",
  },
  nothing: { mark: "-", sign: "–", meaning: "the host may not, the guest loses nothing" },
  lost: { mark: "!", sign: "✗", style: "red", meaning: "the guest's data was lost" },
  refused: { mark: "x", sign: "⊘", style: "yellow", meaning: "no balloon" },
};

/** What is known of a cell, by what it is called. */
export function cellFacts(cell: ComparedCell): readonly (readonly [string, string])[] {
  const { pages, touches, refused, verdicts } = cell;
  const of = (some: number, all: number): string => `${formatCount(some)} of ${formatCount(all)}`;
  return [
    ["offered", cell.offered.join(" ") || "nothing"],
    ["negotiated", cell.negotiated.join(" ") || "nothing"],
    ["refused", refused === undefined ? "no" : `${refused.code}: ${refused.message}`],
    ["migration", migration(cell)],
    ["broken rules", verdicts.map(verdict).join(" ") || "none"],
    ["must tell first", yesOrNo(cell.mustTellFirst)],
    ["may be silent", yesOrNo(cell.mayBeSilent)],
    ["may munlock", yesOrNo(cell.mayUnlock)],
    ["locked when inflated", `${of(pages.locked, pages.total)} pages`],
    ["inflated, unlocked", `${formatCount(pages.inflated)}, ${formatCount(pages.unlocked)}`],
    ["told of taken back", of(pages.told, pages.takenBack)],
    ["used untold", formatCount(touches.untold)],
    ["used before the answer", formatCount(touches.unanswered)],
    ["faults", formatCount(touches.faults)],
    ["taken away of used early", of(touches.lost, usedEarly(cell))],
    ["frames lost", formatCount(cell.damagedFrames)],
  ];
}

function migration(cell: ComparedCell): string {
  const { bits = [], error } = cell.migration ?? {};
  const lacks = bits.length === 0 ? "" : `; the second host lacks ${bits.join(" ")}`;
  return `${moveOf(cell)}${lacks}${error === undefined ? "" : `: ${error}`}`;
}

function verdict({ rule: id, times }: ComparedCell["verdicts"][number]): string {
  const rule = rules.find((one) => one.id === id);
  if (rule === undefined) throw new Error(`no rule ${id}`);
  return `${id}, ${rule.level} (${rule.section}), ${counted(times, "time")}: ${rule.title}`;
}
