/**
 * Programs that take memory without end, of each kind, or go deeper than a stack in the engine's
 * own functions: an error of the program's is all that comes of it. A few of them in each run, all
 * in a long one.
 */
import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { runProgram } from "../../../src/session/run-program.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { useProgramFolder } from "../support/program-folder.ts";

/** The less there is, the sooner it is taken. */
const MEMORY_BYTES = 24 << 20;
const TIMEOUT_MS = 300_000;
const IS_LONG = process.env.BALLONET_RUNS !== undefined;

const inFolder = useProgramFolder();

const OUT_OF_MEMORY = "InternalError: out of memory";
const TOO_DEEP = "RangeError: stack overflow in a function of the engine";

/** What each kind adds to `kept` is all that it takes. The first ones are of each run. */
const KINDS: Readonly<Record<string, string>> = {
  objects: "for (let i = 0; ; i++) kept.push({ i, inner: { i } })",
  texts: 'for (let i = 0; ; i++) kept.push("x".repeat(1000) + i)',
  waiting: "for (let i = 0; ; i++) { await null; kept.push({ i, inner: [i] }) }",
  "registered symbols": 'for (let i = 0; ; i++) kept.push(Symbol.for("s" + i))',
  arrays: "for (;;) kept.push(new Array(1000).fill(0))",
  "longer arrays": "for (let n = 1000; ; n *= 2) kept.push(new Array(n).fill(n))",
  buffers: "for (;;) kept.push(new ArrayBuffer(100000))",
  "small buffers": "for (;;) kept.push(new Uint8Array(100))",
  maps: "const map = new Map(); kept.push(map); for (let i = 0; ; i++) map.set({ i }, i)",
  closures: "for (let i = 0; ; i++) kept.push(() => i)",
  "regular expressions": 'for (let i = 0; ; i++) kept.push(new RegExp("a" + i + "(b|c)*"))',
  "large numbers": "for (let n = 1n << 9000n; ; n++) kept.push(n)",
  JSON: 'for (;;) kept.push(JSON.parse("[[1,2,{\\"a\\":[1,2,3]}],\\"text\\"]"))',
  generators:
    "function* g(n) { yield n } for (;;) { const one = g(1); one.next(); kept.push(one) }",
  promises: "for (;;) kept.push(new Promise((end) => kept.push(end)).then(() => 1))",
  symbols: 'for (let i = 0; ; i++) kept.push(Symbol("s" + i))',
  names: 'const all = {}; kept.push(all); for (let i = 0; ; i++) all["k" + i] = i',
  proxies: "for (;;) kept.push(new Proxy({}, {}))",
  "joined texts": "for (let i = 0; ; i++) kept.push(['y'.repeat(300), i, i].join('-'))",
  rest: "for (let i = 0; ; i++) { const { a, ...rest } = { a: i, b: i, c: [i] }; kept.push(rest) }",
  functions: 'for (let i = 0; ; i++) kept.push(new Function("a", "return a+" + i))',
  errors: 'for (;;) kept.push(new Error("one of many"))',
  timers: "for (;;) setTimeout(() => 1, 1e6)",
};
const KINDS_IN_EACH_RUN = 4;

const ITERATORS =
  "let it = [1].values(); for (let i = 0; i < 20000; i++) it = it.map((x) => x); it.next()";
/** Functions in functions take less of the stack where they are read than where they are made. */
const NESTED = `
  const deeper = (n) => {
    try { deeper(n + 1) } catch (error) { try { (0, eval)("a=>".repeat(300) + "1") } catch {} throw error }
  };
  for (let i = 0; i < 20; i++) try { deeper(0) } catch {}
  return "done"`;
/** The engine enters each of these before it writes to its stack: no guard page is touched. */
const UNTOUCHED = 'new Function("()=>".repeat(1000) + "1")';
const GARBAGE = "for (let i = 0; i < 3e5; i++) { const a = { i }; a.self = { a } } return 'done'";
const LARGE = "try { kept.push(new Uint8Array(1e8)) } catch (error) { return error.name }";

interface Outcome {
  readonly code: number;
  /** Its first line. */
  readonly line: unknown;
}

async function run(arch: "i386" | "x86_64", body: string): Promise<Outcome> {
  const app = inFolder(`${arch}.js`);
  const program = `const kept = [];
    (async () => { ${body} })().then((value) => console.log("returned", value));`;
  await writeFile(app, program);
  const lines: string[] = [];
  const onLine = ({ text }: { readonly text: string }) => lines.push(text);
  const code = await runProgram({ app, on: "qemu", arch, memoryBytes: MEMORY_BYTES, onLine });
  return { code, line: lines[0] };
}

const begins = (text: string): unknown => expect.stringMatching(`^Uncaught ${text}`);

for (const arch of ["x86_64", "i386"] as const) {
  const kinds = Object.entries(KINDS).slice(0, IS_LONG ? undefined : KINDS_IN_EACH_RUN);
  const cases: readonly [string, string, Outcome][] = [
    ...kinds.map(([kind, body]): [string, string, Outcome] => [
      `${kind} without end`,
      body,
      { code: 14, line: begins(OUT_OF_MEMORY) },
    ]),
    ["iterators of iterators", ITERATORS, { code: 14, line: begins(TOO_DEEP) }],
    ["functions in functions, deep", NESTED, { code: 14, line: begins(TOO_DEEP) }],
    ["functions in functions, without a word", UNTOUCHED, { code: 14, line: begins(TOO_DEEP) }],
    ["a block that is too large, caught", LARGE, { code: 0, line: "returned InternalError" }],
    ["garbage of circles", GARBAGE, { code: 0, line: "returned done" }],
  ];
  it.for(cases)(`%s, on ${arch}`, { timeout: TIMEOUT_MS }, async ([, body, outcome], context) => {
    const qemu = `qemu-system-${arch}`;
    toolOrSkip(context, findOnPath(qemu), qemu);
    expect(await run(arch, body)).toEqual(outcome);
  });
}
