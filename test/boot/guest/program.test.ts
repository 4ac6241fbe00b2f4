/**
 * A program of the user's in a guest: what it has, how it ends, and that neither its errors nor its
 * endless loops touch the driver.
 */
import { writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { EXIT } from "../../../runtime/abi.ts";
import { ImageError } from "../../../src/image/errors.ts";
import { programImageFile, provideProgramImage } from "../../../src/image/provide-program-image.ts";
import {
  type ProgramLine,
  type RunProgramOptions,
  runProgram,
} from "../../../src/session/run-program.ts";
import { launchQemu } from "../../../src/vmm/qemu/qemu.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { programOfGuide } from "../support/guide.ts";
import { useProgramFolder } from "../support/program-folder.ts";
import { machineOrSkip, PROGRAM_MACHINES } from "../support/program-machines.ts";

const BUILD_MS = 600_000;
const MIB = 2 ** 20;
const QEMU = "qemu-system-x86_64";

const inFolder = useProgramFolder();

interface Ran {
  readonly code: number;
  readonly lines: readonly ProgramLine[];
  /** The texts of one level. */
  of(level: ProgramLine["level"]): string[];
}

/** How long a guest on QEMU may take to answer while its program computes. */
const ANSWER_MS = 50;

/** How long each of some calls takes, in milliseconds. */
async function waitsOf(call: () => Promise<unknown>): Promise<number[]> {
  const waits: number[] = [];
  for (let at = 0; at < 20; at++) {
    const began = performance.now();
    await call();
    waits.push(performance.now() - began);
  }
  return waits;
}

let written = 0;

async function write(source: string): Promise<string> {
  const app = inFolder(`app-${++written}.ts`);
  await writeFile(app, source);
  return app;
}

/** Runs a program; `meanwhile` gets its machine. */
async function run(
  source: string,
  options: Partial<RunProgramOptions> = {},
  meanwhile: (vm: Vmm) => Promise<void> = async () => {},
): Promise<Ran> {
  const lines: ProgramLine[] = [];
  let done = Promise.resolve();
  const code = await runProgram({
    app: await write(source),
    onLine: (line) => lines.push(line),
    onStart: (vm) => {
      done = meanwhile(vm);
      done.catch(() => vm.kill());
    },
    ...options,
  });
  await done;
  const of = (level: string) => lines.filter((it) => it.level === level).map(({ text }) => text);
  return { code, lines, of };
}

const EVERYTHING = `
import { args, env, exit, knowsDate, memory } from "ballonet/guest";
interface Pair { readonly a: number }
const pair: Pair = { a: 1 };
const before = Date.now();
setTimeout(() => console.log("timer 2"), 20);
setTimeout(() => console.log("timer 1"), 5);
const stopped = setTimeout(() => console.log("never"), 1);
clearTimeout(stopped);
let ticks = 0;
const ticking = setInterval(() => { ticks += 1; if (ticks === 3) clearInterval(ticking); }, 2);
queueMicrotask(() => console.log("microtask"));
console.log("start", pair, [1, "two", null], new Map([["k", new Set([1n])]]), -0);
console.log("%s has %d%%", "it", 5, { deep: { er: [] } });
console.info("info"); console.debug("debug"); console.warn("two\\nlines"); console.error("grüße", "😀");
while (ticks < 3) await new Promise((done) => setTimeout(done, 10));
await new Promise((done) => setTimeout(done, 60));
console.log("ticks", ticks);
const bytes = new TextEncoder().encode("aé€😀");
console.log(bytes.length, new TextDecoder().decode(bytes), new TextDecoder().decode(Uint8Array.of(0xff, 65)));
const circle: { self?: unknown; at: Date } = { at: new Date(0) };
circle.self = circle;
const copy = structuredClone(circle);
console.log(copy !== circle, copy.self === copy, copy.at.getTime());
const measured = Date.now() - before;
console.log(measured >= 60 && measured < 60000, performance.now() > 0, knowsDate(), new Date().getFullYear() >= 2024);
const url = new URL("../b c?d=1#e", "HTTP://Bücher.example:80/x/y");
url.searchParams.append("f", "ü &");
console.log(url.href, new URLSearchParams({ a: "1" }).toString(), url.origin);
try { new URL("http://[1"); } catch (error) { console.log(error instanceof TypeError); }
const known = Object.getOwnPropertyNames(globalThis).filter((name) => name.length < 4 || /ballonet|machine|guest/.test(name));
console.log(known.join());
console.log(args, env.NAME);
const MIB = 2 ** 20;
const inBuffers = () => memory.counts().buffers / MIB;
const large = new Uint8Array(memory.allocate(20 * MIB));
const lacked = memory.counts();
console.log(large[0], large.at(-1), large.fill(7).lastIndexOf(7), large.slice(-5000)[0], inBuffers());
memory.release(large.buffer);
memory.release(large.buffer);
console.log(large.length, inBuffers(), memory.counts().free - lacked.free >= 18 * MIB);
let small: ArrayBuffer[] = [];
for (let i = 0; i < 300; i++) small.push(memory.allocate(5000));
small = small.filter((_, i) => i % 3 === 0);
const moved = small[0].transfer(10000);
console.log(inBuffers() * 256, moved.byteLength, small[0].byteLength, new Uint8Array(memory.allocate(9000)).indexOf(1));
small = [];
let most = 0;
const keep: ArrayBuffer[] = [];
memory.onPressure(({ bytes, urgency }) => { if (most === 0) console.log(bytes, urgency); most = Math.max(most, keep.length); keep.length = 0; });
for (let i = 0; i < 300; i++) keep.push(memory.allocate(MIB));
console.log(most > 20, keep.length < 300, inBuffers() === keep.length);
keep.length = 0;
for (let i = 0; i < 20; i++) { const circle: object[] = [memory.allocate(Math.floor(memory.counts().free * 0.6))]; circle.push(circle); }
try { memory.allocate(2 ** 31 - 1); } catch (error) { console.log(error instanceof RangeError); }
exit(args.length);
`;

/** Nests, recursions and chains of each kind that the engine follows by calling itself. */
const DEEP = `
const N = 20000;
const nest = (open: string, close: string, inner = "1") => open.repeat(N) + inner + close.repeat(N);
const array = () => { let a: unknown[] = []; for (let i = 0; i < N; i++) a = [a]; return a; };
const proxies = (o: object) => { for (let i = 0; i < N; i++) o = new Proxy(o, {}); return o; };
const source = (text: string) => () => (0, eval)(text);
const kinds: Record<string, () => unknown> = {
  json: () => JSON.parse(nest("[", "]")),
  objects: () => JSON.parse(nest('{"a":', "}")),
  join: () => String(array()),
  flat: () => array().flat(Infinity),
  brackets: source(nest("[", "]")),
  parens: source(nest("(", ")")),
  braces: source(nest("{", "}")),
  functions: source(nest("function f(){", "}")),
  arrows: source("()=>".repeat(N) + "1"),
  templates: source(nest("\\x60\${", "}\\x60").replaceAll("\\x60", String.fromCharCode(96))),
  unary: source("!".repeat(N) + "1"),
  power: source("1" + "**1".repeat(N)),
  ternary: source("1?".repeat(N) + "1" + ":1".repeat(N)),
  assign: source("globalThis.a=" + "a=".repeat(N) + "1"),
  ifs: source("if(1)".repeat(N) + ";"),
  groups: () => new RegExp(nest("(?:", ")")),
  looks: () => new RegExp(nest("(?=", ")")),
  get: () => (proxies({}) as { x?: 1 }).x,
  has: () => "x" in proxies({}),
  keys: () => Object.keys(proxies({})),
  prototype: () => Object.getPrototypeOf(proxies({})),
  call: () => (proxies(() => 1) as () => 1)(),
  primitive: () => { const o: object = { toString() { return "" + o; } }; return "" + o; },
  iterator: () => { const o = { [Symbol.iterator](): never { return [...o] as never; } }; return [...o]; },
};
for (const [name, go] of Object.entries(kinds)) {
  try { go(); console.log(name, "ended"); } catch (error) {
    console.log(error instanceof RangeError || error instanceof SyntaxError ? "good" : name + error);
  }
}
`;

const PRINTED = [
  'start { a: 1 } [1, "two", null] Map(1) { "k" => Set(1) { 1n } } -0',
  "it has 5% { deep: { er: [] } }",
  "info",
  "microtask",
  "timer 1",
  "timer 2",
  "ticks 3",
  "10 aé€😀 \ufffdA",
  "true true 0",
  "true true true true",
  "http://xn--bcher-kva.example/b%20c?d=1&f=%C3%BC+%26#e a=1 http://xn--bcher-kva.example",
  "true",
  "NaN,Map,Set",
  '["one", "two three", "50%"] a b',
  "0 0 20971519 7 20",
  "0 0 true",
  "198 10000 0 -1",
  "1048576 allocation",
  "true true true",
  "true",
];

/** Far more than the kernel runs at once. A rejection that is handled at last is none to tell of. */
const JOBS = `
let done = 0;
for (let at = 0; at < 4000; at++) { await null; done++; }
for (let at = 0; at < 4000; at++) Promise.resolve().then(() => done++);
Promise.reject(new Error("at once")).catch(() => done++);
const late = Promise.reject(new Error("late"));
for (let at = 0; at < 4000; at++) { await null; done++; }
try { await late; } catch { done++; }
console.log(done);
`;

describe.each(PROGRAM_MACHINES)("on $on, $arch", (machine) => {
  const { on, arch } = machine;
  beforeEach((context) => machineOrSkip(context, machine));

  it(
    "has a loop, a console, the web's small things, and its arguments",
    async () => {
      const args = ["one", "two three", "50%"];
      const { code, of } = await run(EVERYTHING, { on, arch, args, env: { NAME: "a b" } });
      expect(of("log").map((text) => text.replace(/^(AggregateError,)?/, ""))).toEqual(PRINTED);
      expect(of("debug")).toEqual(["debug"]);
      expect(of("warn")).toEqual(["two", "lines"]);
      expect(of("error")).toEqual(["grüße 😀"]);
      expect(code).toBe(3);
    },
    BUILD_MS,
  );

  it(
    "runs all jobs of promises before it ends",
    async () => {
      const { code, of } = await run(JOBS, { on, arch });
      expect({ code, lines: of("log"), errors: of("error") }).toEqual({
        code: 0,
        lines: ["12002"],
        errors: [],
      });
    },
    BUILD_MS,
  );

  it(
    "throws for what is too deep, whatever it is",
    async () => {
      const { code, of } = await run(DEEP, { on, arch });
      expect(of("log")).toEqual(Array(24).fill("good"));
      expect(code).toBe(0);
    },
    BUILD_MS,
  );

  it(
    "serves methods, notifies, and never stops the balloon, also when it never ends its turn",
    async () => {
      const source = `
        import { exit, notify, serve, ServeError } from "ballonet/guest";
        serve("add", ({ a, b }) => Number(a) + Number(b));
        serve("later", async ({ ms }) => { await new Promise((done) => setTimeout(done, Number(ms))); return { ms }; });
        serve("refuse", () => { throw new ServeError({ code: -32001, message: "no", data: [1] }); });
        serve("throw", () => { throw new Error("oh"); });
        serve("spin", () => { notify("spinning"); for (;;); });
        notify("ready", { is: "grüße" });
      `;
      const ran = run(source, { on, arch }, async (vm) => {
        const told = vm.control.notifications();
        expect((await told.next()).value).toEqual({ name: "ready", value: { is: "grüße" } });
        const ask = (method: string, params = {}) => vm.control.request({ method, params });
        const later = ask("later", { ms: 50 });
        expect(await ask("add", { a: 2, b: 3 })).toBe(5);
        expect(await later).toEqual({ ms: 50 });
        await expect(ask("refuse")).rejects.toMatchObject({ rpcCode: -32001, detail: [1] });
        await expect(ask("throw")).rejects.toMatchObject({ rpcCode: -32603, detail: undefined });
        await expect(ask("nowhere")).rejects.toMatchObject({
          rpcCode: -32601,
          detail: expect.stringContaining("throw"),
        });
        vm.control.sendLine({ line: "[".repeat(13_100) });
        expect(await vm.control.takeUnattributed()).toMatchObject({ rpcCode: -32700 });
        ask("spin").catch(() => {});
        expect((await told.next()).value).toEqual({ name: "spinning", value: null });
        await vm.balloon.setTarget({ pages: 4096 });
        await vm.balloon.waitForActual({ pages: 4096 });
        expect(await ask("status")).toMatchObject({ actualPages: 4096 });
        const waits = await waitsOf(() => ask("status"));
        console.log(`answers while it computes, ms: ${waits.map((ms) => ms.toFixed(1))}`);
        // A busy machine makes most of them late, but not all.
        if (on === "qemu") expect(Math.min(...waits)).toBeLessThan(ANSWER_MS);
        // The driver goes on while a script runs that waits for it.
        const script = "while (machine.core.ledger_count(4) !== 2048); 'followed'";
        const followed = ask("evaluate", { script, timeoutMs: 60_000 });
        await vm.balloon.setTarget({ pages: 2048 });
        expect(await followed).toBe("followed");
        await expect(ask("evaluate", { script: "for (;;);", timeoutMs: 50 })).rejects.toMatchObject(
          { detail: expect.stringContaining("time limit") },
        );
        await ask("evaluate", { script: "machine.exit(42)" }).catch(() => {});
      });
      await expect(ran).rejects.toMatchObject({ what: "the guest ended", seen: /42/ });
    },
    BUILD_MS,
  );
});

describe("of the guide", () => {
  it.for([{ on: "v86" }, { on: "qemu" }] as const)(
    "one takes three packages from npm, on $on",
    { timeout: BUILD_MS },
    async ({ on }, context) => {
      if (on === "qemu") toolOrSkip(context, findOnPath(QEMU), QEMU);
      const timetable = await programOfGuide("timetable");
      const { code, of } = await run(timetable, { on, args: ["south", "2"] });
      expect(of("error")).toEqual([]);
      expect(of("log")).toEqual(["south 2030-01-01T06:11:00Z", "south 2030-01-01T06:26:00Z"]);
      expect(code).toBe(0);
    },
  );

  it(
    "one computes what it is asked for, on QEMU",
    async (context) => {
      toolOrSkip(context, findOnPath(QEMU), QEMU);
      const told: unknown[] = [];
      const service = await programOfGuide("compute-service");
      const options = { on: "qemu", env: { NAME: "sieve" } } as const;
      const { code, of } = await run(service, options, async ({ control }) => {
        for await (const { name, value } of control.notifications()) {
          told.push(name, value);
          if (name === "ready") break;
        }
        const ask = (limit: number | string) => {
          return control.request({ method: "primes.below", params: { limit } });
        };
        told.push(await ask(1000), await ask("all").catch((error: Error) => error.message));
        await control.request({ method: "stop" });
      });
      expect(of("log")).toEqual(["ready, called sieve"]);
      expect(told).toEqual([
        "ready",
        { methods: 2 },
        { count: 168 },
        expect.stringContaining("limit: a number from 2 on"),
      ]);
      expect(code).toBe(0);
    },
    BUILD_MS,
  );
});

describe("ends", () => {
  it.each([
    ["with 0 when nothing is left to do", "await null;", 0, /^$/],
    [
      "with 14 and the line of the source when it throws",
      "interface A { a: 1 }\n\nfunction inner(): never { throw new TypeError('oh'); }\ninner();",
      14,
      /^Uncaught TypeError: oh\n +at inner \(.*app-\d+\.ts:3:\d+\)\n +at .*app-\d+\.ts:4:\d+/,
    ],
    [
      "with 14 when nobody listens to a rejected promise",
      "\nvoid Promise.reject(new Error('lost'));\nsetInterval(() => {}, 1000);",
      14,
      /^Uncaught Error: lost\n +at .*app-\d+\.ts:2:\d+/,
    ],
    [
      "as if nothing were when somebody listens in time",
      "const late = Promise.reject(1);\nawait null;\nlate.catch(() => console.error('caught'));",
      0,
      /^caught$/,
    ],
    ["with 14 in a timer", "setTimeout(() => { null.x; }, 1);", 14, /^Uncaught TypeError/],
    ["with 14 too deep", "const f = () => f(); f();", 14, /^Uncaught RangeError/],
    ["with 14 in a nest", `JSON.parse("[".repeat(1e5));`, 14, /^Uncaught RangeError/],
    ["with 14 without memory", "const a = []; for (;;) a.push(new Uint8Array(1e5));", 14, /memory/],
    [
      "as it likes after having caught that",
      `const a: unknown[] = [];
       try { for (;;) a.push(new Uint8Array(1e5)); } catch (error) { a.length = 0; }
       try { "[".repeat(2 ** 30); } catch {}
       try { new RegExp("(?:".repeat(1e5)); } catch (error) { console.error(String(error)); }
       import { exit } from "ballonet/guest";
       exit(127);`,
      127,
      /^SyntaxError/,
    ],
  ] as const)(
    "%s",
    async (_, source, code, stack) => {
      const ran = await run(source);
      expect(ran.of("error").join("\n")).toMatch(stack);
      expect(ran.code).toBe(code);
    },
    BUILD_MS,
  );

  it(
    "when it is aborted, with the reason",
    async () => {
      const reason = new Error("enough");
      const controller = new AbortController();
      const options = { signal: controller.signal, onLine: () => controller.abort(reason) };
      await expect(run("console.log(1); for (;;);", options)).rejects.toBe(reason);
    },
    BUILD_MS,
  );
});

it(
  "has failed also when the log's last line is lost",
  async (context) => {
    toolOrSkip(context, findOnPath(QEMU), QEMU);
    const serving = `import { serve } from "ballonet/guest"; serve("nothing", () => null);`;
    const { code } = await run(serving, { on: "qemu" }, async ({ control, log }) => {
      await log.waitForLine({ pattern: "ready: " });
      const params = { script: `machine.exit(${EXIT.programFailed})` };
      await control.request({ method: "evaluate", params }).catch(() => {});
    });
    expect(code).toBe(EXIT.programFailed);
  },
  BUILD_MS,
);

it(
  "is in an image again less than two seconds after it has changed",
  async () => {
    const times: number[] = [];
    for (let round = 0; round < 4; round++) {
      const app = await write(`console.log("round ${round}");`);
      const before = process.cpuUsage();
      const { contents } = await provideProgramImage({ app, arch: "i386" });
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1000);
      expect(Buffer.from(contents).includes(`round ${round}`)).toBe(true);
    }
    // The first one may build the image. A processor's time does not depend on what else it does.
    expect(Math.min(...times.slice(1))).toBeLessThan(2000);
  },
  BUILD_MS,
);

describe("is not run", () => {
  it.each([
    ["without a file", undefined, /no file/],
    ["when it imports Node", `import "node:fs";`, /"node:fs" in .*app-\d+\.ts is a module of Node/],
    [
      "when it imports Node by a short name",
      `import "fs/promises";`,
      /"fs\/promises" in .* of Node/,
    ],
    ["when it is no TypeScript", "const = 1;", /app-\d+\.ts:1:6: Expected identifier/],
  ] as const)("%s", async (_, source, seen) => {
    const app = source === undefined ? inFolder("nowhere.ts") : await write(source);
    const failure = await runProgram({ app }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ImageError);
    expect(failure).toMatchObject({ code: "program", seen: expect.stringMatching(seen) });
  });

  it(
    "on a machine without a balloon, and the log says so",
    async (context) => {
      toolOrSkip(context, findOnPath(QEMU), QEMU);
      const image = await provideProgramImage({ app: await write(""), arch: "x86_64" });
      const vm = await launchQemu({
        image: await programImageFile(image, "x86_64"),
        arch: "x86_64",
        memoryBytes: 64 * MIB,
        balloon: false,
      });
      expect(await vm.exited).toMatchObject({ reason: "guest", guestExitCode: EXIT.noBalloon });
      expect(vm.log.lines.at(-1)).toMatch(/^ballonet: the program was not run/);
    },
    BUILD_MS,
  );

  it("with more words than a command line has", async () => {
    const args = ["x".repeat(5000)];
    await expect(run("", { args, memoryBytes: 64 * MIB })).rejects.toMatchObject({
      what: "the guest's command line",
    });
  });
});
