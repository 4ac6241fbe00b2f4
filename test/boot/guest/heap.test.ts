/**
 * The engine's heap: what was garbage goes back to the machine when the program has nothing to do.
 */
import { writeFile } from "node:fs/promises";
import { expect, it, type TestContext } from "vitest";
import { type RunProgramOptions, runProgram } from "../../../src/session/run-program.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { useProgramFolder } from "../support/program-folder.ts";

const inFolder = useProgramFolder();

type Machine = Pick<RunProgramOptions, "on" | "arch">;
const MACHINES: readonly Machine[] = [
  { on: "qemu", arch: "x86_64" },
  { on: "qemu", arch: "i386" },
  { on: "v86", arch: "i386" },
];
const nameOf = ({ on, arch }: Machine) => `${on} ${arch}`;

/** Runs a program to its end. Returns its lines. */
async function linesOf(
  context: TestContext,
  machine: Machine,
  args: readonly string[],
  source = PROGRAM,
): Promise<string[]> {
  const qemu = `qemu-system-${machine.arch}`;
  if (machine.on === "qemu") toolOrSkip(context, findOnPath(qemu), qemu);
  const app = inFolder(`${nameOf(machine).replace(" ", "-")}.ts`);
  await writeFile(app, source);
  const lines: string[] = [];
  const onLine = ({ text }: { readonly text: string }) => lines.push(text);
  const code = await runProgram({ ...machine, app, args, memoryBytes: 256 << 20, onLine });
  expect({ code, last: code === 0 ? "" : lines.at(-1) }).toEqual({ code: 0, last: "" });
  return lines;
}

/** Three kinds of garbage, some of it only for the collector, and what must survive all that. */
const PROGRAM = `
import { args, memory } from "ballonet/guest";
const MIB = 2 ** 20;
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
const free = () => memory.counts().free;
const kept = Array.from({ length: 2000 }, (_, at) => ({ at, text: "kept " + at }));
const make: Record<string, () => unknown> = {
  plain: () => Array.from({ length: 64 }, (_, at) => new Uint8Array(MIB).fill(at)),
  small: () => Array.from({ length: 20000 }, (_, at) => ({ at, text: "x".repeat(400) + at })),
  circles: () => {
    for (let at = 0; at < 64; at++) {
      const circle: unknown[] = [new Uint8Array(MIB).fill(at)];
      circle.push(circle);
    }
  },
};
await sleep(500);
const floor = free();
for (const name of args) {
  const taken = (() => {
    const garbage = make[name]?.();
    return floor - free() + (garbage === kept ? 1 : 0);
  })();
  let sleeps = 0;
  for (; floor - free() > 0.2 * taken && sleeps < 100; sleeps++) await sleep(50);
  await sleep(100);
  const back = (taken - (floor - free())) / taken;
  console.log(JSON.stringify({ name, taken, back, sleeps }));
}
let grown: number[] = [];
for (let at = 0; at < 100_000; at++) grown.push(at);
let sum = 0;
for (const number of grown) sum += number;
console.log(sum === (99_999 * 100_000) / 2 && kept.every(({ at, text }) => text === "kept " + at));
`;

/** Arrays that get longer in each way, where elements lay before: holes have nothing in them. */
const HOLES = `
const longer: Record<string, (array: unknown[]) => unknown> = {
  push: (array) => array.push(9),
  pushAll: (array) => array.push(9, 9),
  unshift: (array) => array.unshift(9),
  splice: (array) => array.splice(1, 0, 9),
  index: (array) => (array[array.length] = 9),
  concat: (array) => array.concat([9]),
  spread: (array) => [...array, 9],
};
const litter = () => {
  for (let length = 0; length < 40; length++) {
    const array: unknown[] = [];
    for (let at = 0; at < length; at++) array[at] = { length, at };
  }
};
const seen: string[] = [];
for (const [name, lengthen] of Object.entries(longer)) {
  for (const [count, length] of [[0, 3], [2, 5], [0, 8], [5, 30], [3, 3]] as const) {
    litter();
    const array: unknown[] = new Array(count).fill(7);
    array.length = length;
    const result = lengthen(array);
    for (const one of [array, result]) {
      if (!Array.isArray(one)) continue;
      for (const value of one) if (value !== undefined && value !== 7 && value !== 9) seen.push(name);
    }
  }
}
console.log([...new Set(seen)].join() || "nothing else");
`;

/** 2 s of 50 ms each: by a clock, an emulator is late where all processors are busy. */
const SLEEPS_MAX = 40;
/** More than the engine's heap can have, one after the other. v86 is slow. */
const PEAKS = ["plain", "circles", "plain", "circles", "small"];
const PEAKS_ON_V86 = ["plain", "circles"];

for (const machine of MACHINES) {
  it(`gives back what was garbage on ${nameOf(machine)}`, async (context) => {
    const names = machine.on === "v86" ? PEAKS_ON_V86 : PEAKS;
    const lines = await linesOf(context, machine, names);
    expect(lines.pop()).toBe("true");
    const peaks = lines.map((line) => JSON.parse(line));
    expect(peaks.map(({ name }) => name)).toEqual(names);
    for (const { name, taken, back, sleeps } of peaks) {
      expect(taken, name).toBeGreaterThan(name === "small" ? 8 << 20 : 60 << 20);
      expect(back, name).toBeGreaterThan(0.8);
      expect(sleeps, name).toBeLessThan(SLEEPS_MAX);
    }
  });
}

for (const machine of MACHINES) {
  it(`never shows a program what lay in it before on ${nameOf(machine)}`, async (context) => {
    expect(await linesOf(context, machine, [], HOLES)).toEqual(["nothing else"]);
  });
}
