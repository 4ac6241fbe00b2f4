/**
 * What a comparison found, in sentences: cells of one host in which the same happened are one
 * sentence.
 *
 * It must not print. Invariant: every cell is in exactly one finding, every number is a cell's, and
 * the worst comes first.
 */
import type { ComparedCell } from "./compare.ts";
import { locksMemory, type Outcome, usedEarly } from "./outcome.ts";
import { counted, formatCount } from "./sizes.ts";
import { PERSONA_NAMES, situationName, speaksTwoBits } from "./subjects.ts";

export interface Finding {
  readonly outcome: Outcome;
  /** The names of the cells that it is about. */
  readonly cells: readonly string[];
  readonly text: string;
}

const WORST_FIRST: readonly Outcome[] = ["lost", "refused", "gains", "nothing"];

export function findingsOf(cells: readonly ComparedCell[]): readonly Finding[] {
  const groups = new Map<string, ComparedCell[]>();
  for (const cell of cells) {
    const key = JSON.stringify([situationName(cell), cell.outcome, said(cell)]);
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const findings = [...groups.values()].map(
    (group): Finding => ({
      outcome: (group[0] as ComparedCell).outcome,
      cells: group.map(({ name }) => name),
      text: sentence(group),
    }),
  );
  return WORST_FIRST.flatMap((one) => findings.filter(({ outcome }) => outcome === one));
}

function sentence(group: readonly ComparedCell[]): string {
  const first = group[0] as ComparedCell;
  const personas = group.map(({ persona }) => persona);
  const all = PERSONA_NAMES.every((name) => personas.includes(name));
  const today = first.dialect === "standard" && speaksTwoBits(first.host);
  const every = today ? "today's drivers" : "every driver";
  const who = all ? every : personas.join(", ");
  return `${situationName(first)} with ${who}: ${said(first)}`;
}

/** What happened; cells of which the same is said are told together. */
function said(cell: ComparedCell): string {
  const { outcome, pages, touches, damagedFrames } = cell;
  const { total, locked, unlocked } = pages;
  switch (outcome) {
    case "lost":
      return (
        `${counted(touches.faults, "fault")}, ` +
        `${counted(damagedFrames, "frame")} lost of what the guest had written`
      );
    case "refused":
      return `no balloon: host and driver do not come to terms (${cell.refused?.code})`;
    case "gains":
      return (
        `the host may take ${counted(unlocked, "page")} away, ` +
        `${formatCount(locked)} of ${formatCount(total)} stay locked; nothing is lost`
      );
    case "nothing":
      return nothingSaid(cell);
  }
}

function nothingSaid(cell: ComparedCell): string {
  if (!locksMemory(cell)) return "nothing is locked, so nothing is to be gained; nothing is lost";
  // Where a host speaks the experiment's bits and no driver does, all are alike to it.
  if (cell.dialect === "standard" && speaksTwoBits(cell.host)) {
    return "the host gains nothing until they change; nothing is lost";
  }
  const early = counted(usedEarly(cell), "page");
  const granted = cell.mayBeSilent ? ", as was granted," : ",";
  const why = {
    "tells first": "told first without having promised it, so the host gains nothing",
    "tells late": `${early} used before the host had answered, so the host gains nothing`,
    "never tells": `${early} used and never told of${granted} so the host gains nothing`,
    "took none back": "the host gains nothing",
  }[cell.manner];
  const { locked, total } = cell.pages;
  const kept = locked === total ? "all" : `${formatCount(locked)} of`;
  return `${why}; ${kept} ${formatCount(total)} pages stay locked, nothing is lost`;
}
