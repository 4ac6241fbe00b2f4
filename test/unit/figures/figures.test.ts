/** What a run has done: figures reach the reporter with their test, and add up. */
import { expect, it } from "vitest";
import { addFigures } from "../../support/add-figures.ts";
import { sumOf } from "../../support/figures.ts";
import { totalLines } from "../../support/figures-reporter.ts";

const YEAR_MS = 365 * 86_400_000;

it("a test's figures add up, and are its own", ({ task }) => {
  expect(task.meta.figures).toBeUndefined();
  addFigures({ sequences: 2, simulatedMs: 1.5 });
  addFigures({ sequences: 3, walks: 1 });
  expect(task.meta.figures).toEqual({ sequences: 5, simulatedMs: 1.5, walks: 1 });
});

it("another test begins without any", ({ task }) => {
  expect(task.meta.figures).toBeUndefined();
});

it("totals are those of all tests", () => {
  expect(sumOf([{ sequences: 2, states: 1 }, {}, { sequences: 3 }])).toEqual({
    sequences: 5,
    states: 1,
  });
});

it.each([
  [1500, "1.5 s"],
  [7_200_000, "2.0 hours"],
  [36 * 3_600_000, "1.5 days"],
  [285.6 * YEAR_MS, "285.6 years"],
])("%s ms of simulated time are %s", (simulatedMs, text) => {
  expect(totalLines({ simulatedMs })).toEqual([`simulated time  ${text}`]);
});

it("prints what there is, one below the other", () => {
  expect(totalLines({ bytesVerified: 4096, sequences: 1_000_000, walks: 0 })).toEqual([
    "sequences of commands  1,000,000",
    "       bytes verified  4,096",
  ]);
});
