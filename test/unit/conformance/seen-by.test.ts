/**
 * Who sees a breach is told the same way by all tables: a rule names the files that judge it, and
 * what no rule judges stands in the device's own list.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { notObservable, rules } from "../../../src/device/index.ts";
import { seenBy } from "../../conformance/report.ts";
import { isShown, type Statement } from "../../conformance/tables/statement.ts";
import { statements } from "../../conformance/tables/statements/all.ts";

const DEVICE = resolve(import.meta.dirname, "../../../src/device");

/** The device's files without the tables of rules, comments left out, by name without ending. */
const code = new Map(
  readdirSync(DEVICE, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts") && !name.startsWith("spec/"))
    .sort()
    .map((name) => [
      name.replace(/\.ts$/, ""),
      readFileSync(join(DEVICE, name), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""),
    ]),
);

describe("a rule's seenBy", () => {
  // A judge names the rule in `breach("ID"`, or hands the id to the class that calls breach.
  it.each(rules.map(({ id, seenBy: files }) => [id, files] as const))(
    "%s names the files of src/device that hold its id, and no other",
    (id, files) => {
      const holders = [...code]
        .filter(([, text]) => text.includes(`"${id}"`))
        .map(([name]) => name);
      expect([...files].sort()).toEqual(holders);
      expect(holders).not.toEqual([]);
    },
  );

  it("leads from every breach call to a rule", () => {
    const ids = [...code.values()].flatMap((text) =>
      [...text.matchAll(/\bbreach\(\s*"([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)"/g)].map(
        (match) => match[1],
      ),
    );
    expect(ids.length).toBeGreaterThan(100);
    expect(ids.filter((id) => !rules.some((rule) => rule.id === id))).toEqual([]);
  });
});

/** The statements that an entry of the device's list is about. */
function covered({ id, statements: named = [id] }: (typeof notObservable)[number]): Statement[] {
  return named.map((name) => {
    const found = statements.find((statement) => statement.id === name);
    if (found === undefined) throw new Error(`${id}: no statement is called ${name}`);
    return found;
  });
}

describe("what no device can judge", () => {
  it.each(notObservable.map((entry) => [entry.id, entry] as const))(
    "%s is seen by whom the table of statements says",
    (_id, entry) => {
      const sections = entry.section.split(/, | and /);
      for (const statement of covered(entry)) {
        expect(sections, statement.id).toContain(statement.section);
        const others = seenBy(statement).filter((who) => who !== "whole instrument");
        expect(others, statement.id).toEqual(entry.seenBy === "nobody" ? ["nobody"] : []);
      }
    },
  );

  it("is listed once for each statement that a balloon driver can break and no rule judges", () => {
    const inRules = (by: readonly string[]) =>
      by.some((id) => rules.some((rule) => rule.id === id));
    const unjudged = statements.filter((one) =>
      isShown(one) ? !inRules(one.by) : "unseen" in one,
    );
    const listed = notObservable.flatMap(covered);
    expect(unjudged.filter((one) => !listed.includes(one)).map(({ id }) => id)).toEqual([]);
    expect(listed.filter((one, at) => listed.indexOf(one) !== at).map(({ id }) => id)).toEqual([]);
  });
});
