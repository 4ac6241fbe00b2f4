/**
 * Functions that wait while garbage is collected: what closures use of them stays, and what nothing
 * refers to goes.
 */
import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { type ProgramLine, runProgram } from "../../../src/session/run-program.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { useProgramFolder } from "../support/program-folder.ts";

const inFolder = useProgramFolder();

/** Each object that can only be reached through itself is garbage for the collector alone. */
const PROGRAM = `
import { exit } from "ballonet/guest";
type Any = any;
const collect = () => { for (let at = 0; at < 6000; at++) { const own: Any[] = []; own.push(own); } };
const uses: (() => Any)[] = [];
const keep = (use: () => Any) => { uses.push(use); };
const inCircle = (make: (own: Any) => Any) => { const own: Any = { name: "own" }; own.made = make(own); own.made.next(); };
const gone: Record<string, WeakRef<object>> = {};

inCircle(function* (own) { const mine = own; keep(() => mine); yield 1; return "generator"; });
inCircle(async function* (own) { const mine = own; keep(() => mine); yield 1; return "async generator"; });
(async () => {
  const mine: Any = { list: [1, 2, 3] };
  mine.promise = new Promise((end) => { mine.end = end; });
  keep(() => mine);
  await mine.promise;
  console.log("async function", mine.list.length);
})();
const sloppy = new Function("work", "const all = arguments, use = () => all; work(); return use()[1] + all.length");

// Nothing refers to these: not even a closure, or only one that goes.
inCircle(function* (own) { gone.plain = new WeakRef(own); yield 1; });
inCircle(async function* (own) { gone.async = new WeakRef(own); yield 1; });
(async () => { const own: Any = {}; gone.waits = new WeakRef(own); await (own.promise = new Promise((end) => { own.end = end; })); })();
let dropped: (() => Any) | undefined;
inCircle(function* (own) { const mine = own; gone.used = new WeakRef(own); dropped = () => mine; yield 1; });

let rounds = 0;
const rounding = setInterval(async () => {
  collect();
  rounds++;
  if (rounds === 5) {
    if (gone.used?.deref() === undefined) console.log("what a closure uses went");
    dropped = undefined;
  }
  if (rounds < 10) return;
  clearInterval(rounding);
  console.log("arguments", sloppy(collect, 2, 3));
  const [plain, async, waits] = uses.map((use) => use());
  console.log(plain.made.next().value, plain.name);
  console.log((await async.made.next()).value, async.name);
  waits.end();
  for (const [name, reference] of Object.entries(gone)) console.log(name, reference.deref());
  setTimeout(() => exit(0), 1);
}, 1);
const never = new Promise(() => {});
await never;
`;

for (const arch of ["x86_64", "i386"] as const) {
  it(`${arch} keeps what closures use, and nothing else`, async (context) => {
    const qemu = `qemu-system-${arch}`;
    toolOrSkip(context, findOnPath(qemu), qemu);
    const app = inFolder(`${arch}.ts`);
    await writeFile(app, PROGRAM);
    const lines: ProgramLine[] = [];
    const code = await runProgram({ app, on: "qemu", arch, onLine: (line) => lines.push(line) });
    expect(lines.map(({ text }) => text)).toEqual([
      "arguments 5",
      "generator own",
      "async generator own",
      "plain undefined",
      "async undefined",
      "waits undefined",
      "used undefined",
      "async function 3",
    ]);
    expect(code).toBe(0);
  });
}
