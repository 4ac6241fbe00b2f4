/**
 * The tables of a conformance run: one line for each statement of the specification, and one for
 * each rule of the device and each behaviour. The scenario beside a mutant is the one that catches
 * it.
 */
import { rules } from "../../src/device/index.ts";
import { mutants } from "./mutants/all.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { behaviours } from "./tables/behaviours.ts";
import { rulesWithoutMutant } from "./tables/known-gaps.ts";
import { isShown, reasonOf, type Shown, type Statement } from "./tables/statement.ts";
import { statements } from "./tables/statements/all.ts";

/** All that a driver owes: the device's rules, and the behaviours that only the tests see. */
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

/** What notices a breach of a rule or a behaviour: files of the device, or the whole instrument. */
function watchersOf(id: string): readonly string[] {
  return rules.find((rule) => rule.id === id)?.seenBy ?? ["whole instrument"];
}

/** Who sees a breach of a statement: files of the device, "whole instrument", or "nobody". */
export function seenBy(statement: Statement): readonly string[] {
  return isShown(statement) ? [...new Set(statement.by.flatMap(watchersOf))] : ["nobody"];
}

function columns(caught: readonly Mutant[]): string {
  const shown = [...new Set(caught.map(({ scenario }) => scenario))].join("; ");
  return `${shown} | ${caught.map(({ id }) => id).join("; ")}`;
}

function statementLines(): string[] {
  const lines = [
    "| id | section | level | statement | found by | seen by | test | mutants: a driver that |",
    "|---|---|---|---|---|---|---|---|",
  ];
  for (const statement of statements) {
    const { id, section, level, text } = statement;
    const shown = isShown(statement)
      ? columns(mutantsAgainst(statement))
      : `- | ${reasonOf(statement)}`;
    const who = isShown(statement) ? statement.by.join(", ") : "-";
    const watchers = seenBy(statement).join(", ");
    lines.push(`| ${id} | ${section} | ${level} | ${text} | ${who} | ${watchers} | ${shown} |`);
  }
  return lines;
}

function ruleLines(): string[] {
  const lines = [
    "| rule | level | section | title | seen by | test | mutants: a driver that |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const { id, level, section, title } of owed) {
    const caught = mutantsOf(id);
    const shown = caught.length > 0 ? columns(caught) : `- | none: ${rulesWithoutMutant[id]}`;
    const watchers = watchersOf(id).join(", ");
    lines.push(`| ${id} | ${level} | ${section} | ${title} | ${watchers} | ${shown} |`);
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
    "# Rules of the device, and behaviours that the whole instrument sees",
    ruleLines().join("\n"),
    "",
  ].join("\n\n");
}
