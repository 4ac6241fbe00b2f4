/**
 * What the conformance run has to show, as tables: one line for each statement of the
 * specification, and one for each rule of the device and behaviour of ours.
 *
 * It must not judge: whether a mutant is caught, and whether a line may be without one, tests say.
 * Invariant: what stands beside a mutant is the scenario that it is caught in.
 */
import { rules } from "../../../src/device/index.ts";
import { mutants } from "../mutants/all.ts";
import type { Mutant } from "../mutants/mutant.ts";
import { behaviours } from "./behaviours.ts";
import { awaited } from "./known-gaps.ts";
import { isShown, reasonOf, type Shown } from "./statement.ts";
import { statements } from "./statements/all.ts";

/** All that a driver owes: rules of the device and behaviours of ours. */
export const owed = [...rules, ...behaviours];

/** The mutants that break a rule or a behaviour. */
export function mutantsOf(id: string): readonly Mutant[] {
  return mutants.filter(({ breaks }) => breaks === id);
}

/** The mutants that break a statement. */
export function mutantsAgainst({ by, mutants: named }: Shown): readonly Mutant[] {
  const all = by.flatMap(mutantsOf);
  return named === undefined ? all : all.filter(({ id }) => named.includes(id));
}

function columns(caught: readonly Mutant[]): string {
  const shown = [...new Set(caught.map(({ scenario }) => scenario))].join("; ");
  return `${shown} | ${caught.map(({ id }) => id).join("; ")}`;
}

function statementLines(): string[] {
  const lines = [
    "| id | section | level | statement | found by | test | mutants: a driver that |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const statement of statements) {
    const { id, section, level, text } = statement;
    const shown = isShown(statement)
      ? `${statement.by.join(", ")} | ${columns(mutantsAgainst(statement))}`
      : `- | - | ${reasonOf(statement)}`;
    lines.push(`| ${id} | ${section} | ${level} | ${text} | ${shown} |`);
  }
  return lines;
}

function ruleLines(): string[] {
  const lines = [
    "| rule | level | section | title | test | mutants: a driver that |",
    "|---|---|---|---|---|---|",
  ];
  for (const { id, level, section, title } of owed) {
    const caught = mutantsOf(id);
    const shown = caught.length > 0 ? columns(caught) : `- | none: ${awaited[id]}`;
    lines.push(`| ${id} | ${level} | ${section} | ${title} | ${shown} |`);
  }
  return lines;
}

/** Counts by level, one line each. */
export function summary(): string[] {
  const levels = [...new Set(statements.map(({ level }) => level))];
  const lines = levels.map((level) => {
    const all = statements.filter((one) => one.level === level);
    const shown = all.filter(isShown).length;
    const outside = all.filter((one) => "outside" in one).length;
    const rest = all.length - shown - outside;
    const without = `not this driver's ${outside}, with a reason ${rest}`;
    return `${level}: ${all.length}, with test and mutant ${shown}, ${without}`;
  });
  return [
    `${statements.length} statements of virtio 1.3 about drivers`,
    ...lines,
    `${owed.length} rules and behaviours, ${mutants.length} mutants`,
  ];
}

/** Both tables, for people. */
export function report(): string {
  return [
    "# What virtio 1.3 says of drivers, and what shows it",
    ...summary().map((line) => `- ${line}`),
    statementLines().join("\n"),
    "# Rules of the device, and behaviours of ours",
    ruleLines().join("\n"),
    "",
  ].join("\n\n");
}
