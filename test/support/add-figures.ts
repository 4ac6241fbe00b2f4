/** How a test says what it has done: with its result, to the reporter. */
import { TestRunner } from "vitest";
import { type Figures, sumOf } from "./figures.ts";

/** Adds to the figures of the test that runs; those of one that fails count for nothing. */
export function addFigures(more: Figures): void {
  const meta = TestRunner.getCurrentTest()?.meta;
  if (meta !== undefined) meta.figures = sumOf([meta.figures ?? {}, more]);
}
