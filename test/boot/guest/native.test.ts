/**
 * One call of a function of the engine's own may go on for seconds without a look at anything. The
 * driver has its turn amid it: it follows targets, and answers.
 */
import { writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { runProgram } from "../../../src/session/run-program.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { useProgramFolder } from "../support/program-folder.ts";
import { machineOrSkip, PROGRAM_MACHINES } from "../support/program-machines.ts";

const BUILD_MS = 600_000;
const MIB = 2 ** 20;
/** How long a guest on QEMU may take to answer while its program computes. */
const ANSWER_MS = 50;
const ASKED = 20;

/** Calls of the engine's own functions that take long, and what each of them has to give. */
const CALLS = [
  ["find", "'x'.repeat(1e7).indexOf('y')", -1],
  ["parse", "JSON.parse('[' + '[1,{\"a\":2}],'.repeat(1e5) + '0]').length", 100_001],
  ["sort", "Array.from({ length: 3e5 }, (_, at) => at * 7919 % 3e5).sort().length", 300_000],
  [
    "write",
    "JSON.stringify(Array.from({ length: 1e5 }, (_, at) => [at, { at }])).length",
    2_077_781,
  ],
  ["names", "(0, eval)('var ' + Array.from({ length: 4e4 }, (_, at) => 'v' + at) + ';7')", 7],
] as const;

/** An emulator in JavaScript takes so much longer. */
const CALLS_ON_V86 = 2;

const inFolder = useProgramFolder();

async function milliseconds(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Moves the balloon and asks, until a call has ended. Returns what each turn took. */
async function followAmid(vm: Vmm, isOver: () => boolean): Promise<number[]> {
  const waits: number[] = [];
  for (let round = 1; waits.length < ASKED && !isOver(); round++) {
    const pages = 2048 * (round % 3);
    await vm.balloon.setTarget({ pages });
    await vm.balloon.waitForActual({ pages });
    waits.push(await milliseconds(() => vm.control.request({ method: "status" })));
  }
  return waits;
}

describe.each(PROGRAM_MACHINES)("on $on, $arch", (machine) => {
  const { on, arch } = machine;
  beforeEach((context) => machineOrSkip(context, machine));

  it("follows and answers amid one call of the engine's own functions", {
    timeout: BUILD_MS,
  }, async () => {
    const app = inFolder("native.ts");
    const all = CALLS.slice(0, on === "v86" ? CALLS_ON_V86 : undefined);
    const functions = all.map(([name, code]) => `${name}: () => ${code}`);
    await writeFile(
      app,
      `import { exit, notify, serve } from "ballonet/guest";
         const calls = { ${functions.join(",\n")} };
         serve("call", ({ name }) => {
           notify("began", name);
           const began = performance.now();
           const value = calls[name]();
           return { value, ms: performance.now() - began };
         });
         serve("end", () => void setTimeout(() => exit(0), 10));
         notify("ready");`,
    );
    let done = Promise.resolve();
    const meanwhile = async (vm: Vmm) => {
      const told = vm.control.notifications();
      await told.next();
      for (const [name, , value] of all) {
        let isOver = false;
        const call = vm.control
          .request({ method: "call", params: { name }, timeoutMs: BUILD_MS })
          .finally(() => {
            isOver = true;
          });
        expect((await told.next()).value).toEqual({ name: "began", value: name });
        const waits = await followAmid(vm, () => isOver);
        const { ms, ...rest } = (await call) as { ms: number; value: unknown };
        console.log(
          `${on} ${arch}, ${name}: ${Math.round(ms)} ms; ${waits.length} answers amid it, ms:`,
          waits.map((it) => it.toFixed(1)).join(" "),
        );
        expect(rest).toEqual({ value });
        if (on === "qemu") expect(Math.min(...waits), name).toBeLessThan(ANSWER_MS);
      }
      await vm.control.request({ method: "end" });
    };
    const code = await runProgram({
      ...{ app, on, arch, memoryBytes: 256 * MIB },
      onStart: (vm) => {
        done = meanwhile(vm);
        done.catch(() => vm.kill());
      },
    }).catch(async (error) => {
      // Why it was ended says more.
      await done;
      throw error;
    });
    await done;
    expect(code).toBe(0);
  });
});
