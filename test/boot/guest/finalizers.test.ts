/** A program is told of what was collected, also where all of it is garbage at once. */
import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { runProgram } from "../../../src/session/run-program.ts";
import { useProgramFolder } from "../support/program-folder.ts";
import { machineOrSkip, PROGRAM_MACHINES } from "../support/program-machines.ts";

const MIB = 2 ** 20;
const BUILD_MS = 600_000;
const inFolder = useProgramFolder();

const SOURCE = `
let told = 0;
const registry = new FinalizationRegistry((value) => { told += value; });
for (let at = 0; at < 100; at++) registry.register({ at }, 1);
const kept = {};
registry.register(kept, 1000);
const circle = (value, token) => {
  const it = {};
  it.self = it;
  registry.register(it, value, token);
};
const token = {};
circle(10_000, token);
circle(100_000);
console.log(registry.unregister(token), registry.unregister(token));
let last = {};
for (let at = 0; at < 25_000; at++) {
  const each = new FinalizationRegistry(() => {});
  each.register(last, each);
  last = each;
}
last = undefined;
for (let at = 0; at < 20 && told < 100_000; at++) {
  await new Promise((done) => setTimeout(done, 200));
}
console.log(told, typeof kept, typeof Iterator.concat);
`;

it.for(PROGRAM_MACHINES)("on $on, $arch", { timeout: BUILD_MS }, async (machine, context) => {
  machineOrSkip(context, machine);
  const app = inFolder("finalizers.js");
  await writeFile(app, SOURCE);
  const lines: string[] = [];
  const code = await runProgram({
    ...{ ...machine, app, memoryBytes: 128 * MIB },
    onLine: ({ text }) => lines.push(text),
  });
  expect({ code, lines }).toEqual({
    code: 0,
    lines: ["true false", "100100 object undefined"],
  });
});
