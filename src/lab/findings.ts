/**
 * What a comparison found, in sentences: the worst first, and every cell in exactly one of them.
 */
import { PERSONA_NAMES } from "../../runtime/abi.ts";
import { counted, formatCount } from "../text/units.ts";
import { offersTwoBits, situationName } from "./cell-names.ts";
import { type ComparedCell, locksMemory, moveOf, type Outcome, usedEarly } from "./outcome.ts";

/** A sentence about the cells in which the same happened. */
export interface Finding {
  readonly outcome: Outcome;
  /** The names of the cells that it is about. */
  readonly cells: readonly string[];
  readonly text: string;
}

const WORST_FIRST: readonly Outcome[] = ["lost", "refused", "gains", "nothing"];

/** Cells of which the same is said. */
type Group = readonly [ComparedCell, ...ComparedCell[]];

/** Joins drivers with the same fate in one situation, then situations with the same drivers. */
export function findingsOf(cells: readonly ComparedCell[]): readonly Finding[] {
  const ofSituation = grouped(cells, (cell) => [situationName(cell), fate(cell)]);
  const findings = grouped(ofSituation, (group) => [drivers(group), fate(group[0])]).map(
    (groups): Finding => {
      const all = groups.flat();
      const [first] = groups[0];
      const situations = [...new Set(all.map(situationName))].join(", ");
      return {
        outcome: first.outcome,
        cells: all.map(({ name }) => name),
        text: `${situations} with ${drivers(groups[0])}: ${fate(first)}`,
      };
    },
  );
  return WORST_FIRST.flatMap((one) => findings.filter(({ outcome }) => outcome === one));
}

/** The items in groups of one key, in the order in which the keys come up. */
function grouped<T>(items: readonly T[], keyOf: (item: T) => unknown): readonly [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const key = JSON.stringify(keyOf(item));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** The drivers of a group of one situation. */
function drivers(group: Group): string {
  const personas = group.map(({ persona }) => persona);
  if (!PERSONA_NAMES.every((name) => personas.includes(name))) return personas.join(", ");
  return isUnknownDialect(group[0]) ? "today's drivers" : "every driver";
}

/** True when the host offers the experiment's bits and the driver does not know them. */
function isUnknownDialect({ dialect, host }: ComparedCell): boolean {
  return dialect === "standard" && offersTwoBits(host);
}

/** What happened to a cell: its migration, then its outcome. */
function fate(cell: ComparedCell): string {
  if (cell.path === "none") return outcome(cell);
  const moves = {
    stayed: "never on the way, so not migrated",
    "not taken": `not taken by the other host, which lacks ${cell.migration?.bits?.join(" ")}`,
    renegotiated: "migrated, refused there, negotiated again",
    moved: "migrated",
  };
  return `${moves[moveOf(cell)]}; ${outcome(cell)}`;
}

function outcome(cell: ComparedCell): string {
  const { total, locked, unlocked } = cell.pages;
  const frames = counted(cell.damagedFrames, "frame");
  const texts = {
    lost: `${counted(cell.touches.faults, "fault")}, ${frames} lost of what the guest had written`,
    refused: `no balloon: host and driver do not come to terms (${cell.refused?.code})`,
    gains:
      `the host may take ${counted(unlocked, "page")} away, ` +
      `${formatCount(locked)} of ${formatCount(total)} stay locked; nothing is lost`,
    nothing: `${noGain(cell)}; nothing is lost`,
  };
  return texts[cell.outcome];
}

function noGain(cell: ComparedCell): string {
  if (!locksMemory(cell)) return "nothing is locked, so nothing is to be gained";
  if (isUnknownDialect(cell)) return "the host gains nothing until drivers change";
  const early = counted(usedEarly(cell), "page");
  const why = {
    "tells first": "told first without having promised it",
    "tells late": `${early} used before the host had answered`,
    "never tells": `${early} used and never told of${cell.mayBeSilent ? ", as was granted" : ""}`,
    "took none back": "no page taken back",
  }[cell.manner];
  const total = formatCount(cell.pages.total);
  return `${why}, so the host gains nothing; all ${total} pages stay locked`;
}
