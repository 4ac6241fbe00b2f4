/**
 * Every rule of the reference device and every behaviour has a scenario that the driver passes, and
 * at least one mutant of the driver that is caught (or a reason in known-gaps.ts). Every statement
 * of the specification about drivers has rules or behaviours that catch a driver which breaks it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { rules } from "../../src/device/index.ts";
import { applyPatch } from "../support/patched.ts";
import { mutants } from "./mutants/all.ts";
import { buildMutant } from "./mutants/build.ts";
import { mutantsAgainst, mutantsOf, owed, report, summary } from "./report.ts";
import { type ScenarioName, scenarios } from "./scenarios/scenarios.ts";
import { rulesWithoutMutant } from "./tables/known-gaps.ts";
import { isMust, isShown, reasonOf } from "./tables/statement.ts";
import { statements } from "./tables/statements/all.ts";
import { judge } from "./testbed.ts";

const twice = (ids: readonly string[]) => ids.filter((id, index) => ids.indexOf(id) !== index);

describe("the driver passes", () => {
  it.each(Object.keys(scenarios) as ScenarioName[])("%s", async (name) => {
    const { lines, thrown } = await judge(scenarios[name]);
    if (thrown !== undefined) throw thrown;
    expect(lines).toEqual([]);
  });
});

describe("a mutant is caught", () => {
  it.each(mutants.map((mutant) => [mutant.breaks, mutant.id, mutant] as const))(
    "%s: a driver that %s",
    async (breaks, _id, mutant) => {
      const { broken } = await judge(scenarios[mutant.scenario], await buildMutant(mutant));
      expect(broken).toContain(breaks);
    },
  );
});

describe("the table of rules", () => {
  it.each(owed.map(({ id }) => id))("%s has a mutant or a reason", (id) => {
    expect(mutantsOf(id).length > 0).toBe(rulesWithoutMutant[id] === undefined);
  });

  it("names mutants once", () => {
    expect(twice(mutants.map(({ id }) => id))).toEqual([]);
  });

  it("awaits only rules that there are", () => {
    expect(
      Object.keys(rulesWithoutMutant).filter((id) => !owed.some((rule) => rule.id === id)),
    ).toEqual([]);
  });

  it("refuses a patch that does not fit once", () => {
    const patch = { file: "runtime/x.ts", find: "ab", replace: "c" };
    expect(applyPatch("-ab-", patch)).toBe("-c-");
    expect(() => applyPatch("-ab-ab-", patch)).toThrow("2 times");
    expect(() => applyPatch("--", patch)).toThrow("0 times");
    expect(applyPatch("ab-\n  ab=ab-", { ...patch, after: "b=" })).toBe("ab-\n  ab=c-");
    expect(() => applyPatch("ab-ab-", { ...patch, after: "b-" })).toThrow("2 times");
    expect(() => applyPatch("-ab-", { ...patch, after: "b-" })).toThrow("lacks");
  });
});

describe("the table of statements", () => {
  const shown = statements.filter(isShown);
  /** Rules by which this judge is stricter than virtio, or that another specification demands. */
  const isOurs = (rule: (typeof rules)[number]) =>
    rule.level === "FIELD" || rule.section.startsWith("PCI ");

  it.each(shown.map((statement) => [statement.id, statement] as const))("%s", (_id, statement) => {
    const { by, mutants: named } = statement;
    const against = mutantsAgainst(statement);
    expect(against.length, "mutants").toBeGreaterThan(0);
    const ids = against.map(({ id }) => id).sort();
    expect([...(named ?? ids)].sort(), "mutants that break none of these").toEqual(ids);
    const idle = by.filter((id) => !against.some(({ breaks }) => breaks === id));
    expect(idle, "rules that none of its mutants breaks").toEqual([]);
  });

  it.each(statements.filter((one) => !isShown(one)).map((one) => [one.id, one] as const))(
    "%s, with a reason",
    (_id, statement) => {
      if (isShown(statement)) return;
      expect(reasonOf(statement)).toMatch(/^[A-Z].*\.$/);
      expect("unseen" in statement && isMust(statement.level)).toBe(false);
    },
  );

  it("has each statement once, and all that are numbered", () => {
    expect(twice(statements.map(({ id }) => id))).toEqual([]);
    const numbered = new Set(statements.map(({ id }) => /^D\d+/.exec(id)?.[0]));
    for (let n = 1; n <= 28; n++) expect(numbered).toContain(`D${n}`);
  });

  const claimed = rules.filter(
    (rule) => !isOurs(rule) && rulesWithoutMutant[rule.id] === undefined,
  );
  it.each(claimed.map((rule) => [rule.id, rule] as const))(
    "%s stands for a statement, and is as strong",
    (id, { level }) => {
      const levels = shown.filter(({ by }) => by.some((one) => one === id)).map((one) => one.level);
      const strong = levels.some((one) => isMust(one));
      const middle = strong || levels.some((one) => one.startsWith("SHOULD"));
      expect(levels.length).toBeGreaterThan(0);
      expect(isMust(level) ? strong : middle).toBe(true);
    },
  );
});

afterAll(() => {
  const directory = resolve(import.meta.dirname, "../../build");
  mkdirSync(directory, { recursive: true });
  writeFileSync(resolve(directory, "conformance.md"), report());
  console.log(`${summary().join("\n")}\n\nThe tables are in build/conformance.md.`);
});
