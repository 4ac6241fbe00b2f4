/**
 * The suite of checks on the reference device: it holds to every statement, and for each MUST and
 * MUST NOT there is a mutant of it that the check finds out.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checks } from "../../../runtime/check/suite.ts";
import { createMachine } from "../../../src/device/index.ts";
import { packageFolder } from "../../../src/package.ts";
import { patchedImporter, patchFiles } from "../../support/patched.ts";
import { deviceTable } from "./device-table.ts";
import { deviceMutants } from "./mutants.ts";
import { type ConfigurationName, type CreateMachine, configurations, runOn } from "./reference.ts";

const ENTRY = 'export { createMachine } from "./src/device/machine.ts";';

describe("the strict device", () => {
  const held = new Set<string>();

  it.each(Object.entries(configurations))("holds to every statement: %s", (_name, options) => {
    const results = runOn(createMachine, options);
    for (const { check, outcome } of results) if (outcome === "holds") held.add(check.id);
    const broken = results.filter(({ outcome }) => outcome === "broken");
    expect(broken.map(({ check, seen }) => `${check.id}: ${seen}`)).toEqual([]);
  });

  it("shows every statement on one of these", () => {
    const unseen = checks.filter(({ id }) => !held.has(id)).map(({ id }) => id);
    expect(unseen).toEqual([]);
  });
});

it("demands nothing of a legacy device", () => {
  const results = runOn(createMachine, { transport: "legacy" });
  expect(results).toHaveLength(checks.length);
  expect(new Set(results.map(({ outcome, seen }) => `${outcome}: ${seen}`))).toEqual(
    new Set(["left out: the modern interface"]),
  );
});

describe("a device that", async () => {
  const builds = await patchedImporter<{ createMachine: CreateMachine }>(ENTRY);
  afterAll(() => builds.dispose());

  it.each(deviceMutants.map((mutant) => [mutant.id, mutant.breaks, mutant] as const))(
    "%s (%s)",
    async (_id, breaks, mutant) => {
      const files = patchFiles([mutant, ...(mutant.and ?? [])]);
      const made = await builds.with(files);
      const on: ConfigurationName = mutant.on ?? "pci";
      const [result] = runOn(made.createMachine, configurations[on], [breaks]);
      expect(result?.outcome, result?.seen).toBe("broken");
    },
  );

  it("breaks it: there is one for each check", () => {
    const shown = new Set(deviceMutants.map(({ breaks }) => breaks));
    expect(checks.filter(({ id }) => !shown.has(id)).map(({ id }) => id)).toEqual([]);
  });
});

afterAll(() => {
  const path = join(packageFolder(), "build/device-conformance.md");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, deviceTable());
});
