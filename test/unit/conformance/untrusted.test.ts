/** The table of an untrusted host in DEBUGGING.md: its scenarios and mutants are those there are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeSettings } from "../../../runtime/index.ts";
import { packageFolder } from "../../../src/package.ts";
import { mutants } from "../../conformance/mutants/all.ts";
import { untrustedMutants } from "../../conformance/mutants/untrusted.ts";
import { scenarios } from "../../conformance/scenarios/scenarios.ts";
import { untrustedScenarios } from "../../conformance/scenarios/untrusted.ts";

const HEADING = "## What a host that is not trusted may try\n";
const text = readFileSync(join(packageFolder(), "DEBUGGING.md"), "utf8").split(HEADING)[1] ?? "";
const rows = [...text.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  .map(([, concern = "", by = "", scenario = "", caught = ""]) => {
    return { concern, by, scenario, caught: caught.split("; ") };
  })
  .slice(1);

/** Choices of features, which become lists of bits. */
const CHOICES = ["freePageHinting", "pageReporting", "statistics"];
/** An untrusted host gets what was asked for: nothing that it could try. */
const NO_ATTEMPT = "an untrusted host that is shown free memory";

describe("the table of what an untrusted host may try", () => {
  it.each(rows)("$concern", ({ by, scenario, caught }) => {
    expect(Object.keys(scenarios)).toContain(scenario);
    for (const id of caught) {
      expect(mutants.find((one) => one.id === id)?.scenario, id).toBe(scenario);
    }
    const names = [...by.matchAll(/`([a-z]\w+)/g)].map(([, name = ""]) => name);
    const known = [...Object.keys(makeSettings()), ...CHOICES];
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });

  it("has every scenario and every mutant of an untrusted host", () => {
    const has = (scenario: string) => rows.some((row) => row.scenario === scenario);
    const names = Object.keys(untrustedScenarios);
    expect(names.filter((name) => !has(name))).toEqual([NO_ATTEMPT]);
    const caught = rows.flatMap((row) => row.caught);
    expect(untrustedMutants.filter(({ id }) => !caught.includes(id))).toEqual([]);
  });
});
