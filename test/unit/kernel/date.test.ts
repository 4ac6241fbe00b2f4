/** The boot code's date: an update of the clock is waited for, but one that never ends is not. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { useBootProgram } from "./boot-program.ts";

const programFor = useBootProgram("date-program.c");

/** Each of three readings waits for 3 ms; the test's clock goes on by 10 us a look. */
const MOST_MS = 10;

it.for([
  ["no update", "0", "known", 0],
  ["an update that ends in time", "2", "known", 2],
  ["an update that takes the first reading", "5", "known", 5],
  ["an update that never ends", "1e9", "unknown", 9],
] as const)("%s", ([, updateMs, wanted, leastMs], context) => {
  const text = execFileSync(programFor(context), [updateMs], { encoding: "utf8" });
  const [known, ms] = text.trim().split(" ");
  expect(known).toBe(wanted);
  expect(Number(ms)).toBeGreaterThanOrEqual(leastMs);
  expect(Number(ms)).toBeLessThanOrEqual(MOST_MS);
});
