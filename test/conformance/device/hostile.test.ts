/** The hostile guest on the reference device, which lives through it, and on one that does not. */
import { expect, test } from "vitest";
import { Bench } from "../../../runtime/check/bench.ts";
import { hostileRound, ROUND_STEPS, stepsOf } from "../../../runtime/check/hostile.ts";
import { openBench } from "../../../runtime/check/suite.ts";
import { createMachine, type MachineOptions } from "../../../src/device/index.ts";
import { suiteOptions } from "./reference.ts";

const ROUNDS = 200;

function benchOf(options: Omit<MachineOptions, "memory">): Bench {
  const bench = openBench(suiteOptions(createMachine, options));
  if (!(bench instanceof Bench)) throw bench;
  return bench;
}

test.each([
  ["pci", {}],
  ["mmio", { transport: "mmio" }],
  ["as QEMU does", { profile: "qemu" }],
  ["as v86 does", { profile: "v86" }],
] as const)("%s, the device serves a clean start after each round", (_name, options) => {
  const bench = benchOf(options);
  for (let seed = 1; seed <= ROUNDS; seed++) {
    expect(hostileRound(bench, seed), `round ${seed}`).toBeUndefined();
  }
});

test("a device whose reset never ends is found", () => {
  const bench = benchOf({ faults: [{ name: "reset-never-clears" }] });
  expect(hostileRound(bench, 1)).toMatch(/device_status is \d+ after a reset/);
});

test("a seed names its steps, and others name others", () => {
  const texts = (seed: number) => stepsOf(seed).map(({ text }) => text);
  expect(texts(5)).toHaveLength(ROUND_STEPS);
  expect(texts(5)).toEqual(texts(5));
  expect(texts(5)).not.toEqual(texts(6));
});
