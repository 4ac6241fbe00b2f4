/**
 * Every rule of the reference device and every behaviour of ours: a scenario that the driver
 * passes, and at least one mutant of the driver that is caught.
 *
 * Invariant: a rule without a mutant stands in `exempt` with the reason, or this fails.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { rules } from "../../src/device/index.ts";
import { applyPatch } from "../support/patched.ts";
import { awaited } from "./awaited.ts";
import { behaviours } from "./behaviours.ts";
import { judge } from "./bench.ts";
import { balloonMutants } from "./mutants/balloon.ts";
import { bringUpMutants } from "./mutants/bring-up.ts";
import { buildMutant } from "./mutants/build.ts";
import { freePageMutants } from "./mutants/free-pages.ts";
import { lifecycleMutants } from "./mutants/lifecycle.ts";
import { mmioMutants } from "./mutants/mmio.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { packedMutants } from "./mutants/packed.ts";
import { pciMutants } from "./mutants/pci.ts";
import { ringMutants } from "./mutants/ring.ts";
import { transportMutants } from "./mutants/transports.ts";
import { type ScenarioName, scenarios } from "./scenarios.ts";

/** Rules that no patch of this driver can reasonably break, and why. */
const exempt: Readonly<Record<string, string>> = { ...awaited };

const mutants: readonly Mutant[] = [
  ...bringUpMutants,
  ...pciMutants,
  ...transportMutants,
  ...mmioMutants,
  ...ringMutants,
  ...balloonMutants,
  ...packedMutants,
  ...freePageMutants,
  ...lifecycleMutants,
];
const owed = [...rules, ...behaviours];

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

describe("the table", () => {
  it.each(owed.map(({ id }) => id))("%s has a mutant or a reason", (id) => {
    const caught = mutants.filter(({ breaks }) => breaks === id);
    expect(caught.length > 0).toBe(exempt[id] === undefined);
  });

  it("names mutants once", () => {
    const ids = mutants.map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  it("exempts only rules that there are", () => {
    expect(Object.keys(exempt).filter((id) => !owed.some((rule) => rule.id === id))).toEqual([]);
  });

  it("refuses a patch that does not fit once", () => {
    const patch = { file: "runtime/x.ts", find: "ab", replace: "c" };
    expect(applyPatch("-ab-", patch)).toBe("-c-");
    expect(() => applyPatch("-ab-ab-", patch)).toThrow("2 times");
    expect(() => applyPatch("--", patch)).toThrow("0 times");
  });
});

/** One line for each rule, with the scenarios and mutants that show it. */
function tableLines(): string[] {
  const lines = [
    "| rule | level | section | title | scenario | mutants: a driver that |",
    "|---|---|---|---|---|---|",
  ];
  for (const { id, level, section, title } of owed) {
    const caught = mutants.filter(({ breaks }) => breaks === id);
    const shown = [...new Set(caught.map(({ scenario }) => scenario))].join("; ");
    const ids = caught.map((mutant) => mutant.id).join("; ") || `none: ${exempt[id]}`;
    lines.push(`| ${id} | ${level} | ${section} | ${title} | ${shown} | ${ids} |`);
  }
  return lines;
}

afterAll(() => {
  const table = tableLines().join("\n");
  const directory = resolve(import.meta.dirname, "../../build");
  mkdirSync(directory, { recursive: true });
  writeFileSync(resolve(directory, "conformance.md"), `${table}\n`);
  console.log(`${owed.length} rules and behaviours, ${mutants.length} mutants\n${table}`);
});
