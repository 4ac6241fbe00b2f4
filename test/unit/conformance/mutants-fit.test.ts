/** Each mutant's patches fit the sources of today, once: a second, where the mutants take minutes. */
import { expect, it } from "vitest";
import { deviceMutants } from "../../conformance/device/mutants.ts";
import { mutants } from "../../conformance/mutants/all.ts";
import { patchFiles } from "../../support/patched.ts";

it("every mutant's patches fit their files exactly once", () => {
  const misfits = [...mutants, ...deviceMutants].flatMap((mutant) => {
    try {
      patchFiles([mutant, ...(mutant.and ?? [])]);
      return [];
    } catch (error) {
      return [`"${mutant.id}": ${(error as Error).message}`];
    }
  });
  expect(misfits).toEqual([]);
});
