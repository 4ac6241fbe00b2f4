/**
 * What a comparison found, in sentences: cells of one host in which the same happened are one
 * sentence.
 *
 * It must not print. Invariant: every cell is in exactly one finding, every number is a cell's, and
 * the worst comes first.
 */

import { counted, formatCount } from "../text/units.ts";
import { PERSONA_NAMES, situationName, speaksTwoBits } from "./cell-names.ts";
import type { ComparedCell } from "./compare.ts";
import { locksMemory, moveOf, type Outcome, usedEarly } from "./outcome.ts";

export interface Finding {
  readonly outcome: Outcome;
  /** The names of the cells that it is about. */
  readonly cells: readonly string[];
  readonly text: string;
}

const WORST_FIRST: readonly Outcome[] = ["lost", "refused", "gains", "nothing"];

/** Cells of one outcome of which the same is said. */
interface Group {
  readonly cells: readonly ComparedCell[];
  readonly situations: readonly string[];
  readonly who: string;
  readonly said: string;
}

export function findingsOf(cells: readonly ComparedCell[]): readonly Finding[] {
  const groups = merged(cells.map(alone), ({ situations, said }) => [situations, said]).map(
    (group) => ({ ...group, who: who(group.cells) }),
  );
  // What happened to the same drivers in several places is said once, too.
  const findings = merged(groups, (group) => [group.who, group.said]).map(
    (group): Finding => ({
      outcome: (group.cells[0] as ComparedCell).outcome,
      cells: group.cells.map(({ name }) => name),
      text: `${group.situations.join(", ")} with ${group.who}: ${group.said}`,
    }),
  );
  return WORST_FIRST.flatMap((one) => findings.filter(({ outcome }) => outcome === one));
}

function alone(cell: ComparedCell): Group {
  const said = `${moved(cell)}${amounted(cell)}`;
  return { cells: [cell], situations: [situationName(cell)], who: cell.persona, said };
}

function merged(groups: readonly Group[], keyOf: (group: Group) => unknown): readonly Group[] {
  const byKey = new Map<string, Group>();
  for (const group of groups) {
    const key = JSON.stringify(keyOf(group));
    const before = byKey.get(key);
    const cells = [...(before?.cells ?? []), ...group.cells];
    const situations = [...new Set([...(before?.situations ?? []), ...group.situations])];
    byKey.set(key, { ...group, cells, situations });
  }
  return [...byKey.values()];
}

/** The drivers of a group; its cells are of one situation. */
function who(cells: readonly ComparedCell[]): string {
  const personas = cells.map(({ persona }) => persona);
  if (!PERSONA_NAMES.every((name) => personas.includes(name))) return personas.join(", ");
  return isUnspoken(cells[0] as ComparedCell) ? "today's drivers" : "every driver";
}

/** Whether the host speaks the experiment's dialect and the driver does not. */
function isUnspoken({ dialect, host }: ComparedCell): boolean {
  return dialect === "standard" && speaksTwoBits(host);
}

/** What came of the migration, where there was one to be. */
function moved(cell: ComparedCell): string {
  if (cell.path === "none") return "";
  const lacks = cell.migration?.bits?.join(" ");
  return {
    stayed: "never on the way, so not migrated; ",
    "not taken": `not taken by the other host, which lacks ${lacks}; goes on; `,
    renegotiated: "migrated, refused there, negotiated again; ",
    moved: "migrated; ",
  }[moveOf(cell)];
}

/** What happened; cells of which the same is said are told together. */
function amounted(cell: ComparedCell): string {
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
  if (isUnspoken(cell)) {
    return "the host gains nothing until drivers change; nothing is lost";
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
