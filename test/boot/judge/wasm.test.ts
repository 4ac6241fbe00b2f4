/**
 * Drivers in C and AssemblyScript, compiled to WebAssembly and judged by the program: the guide's as
 * they are, with mistakes planted in them, and modules that are no driver.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { JudgeReport } from "../../../src/judge/index.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { ROOT, run, start } from "../support/cli-program.ts";

const GUIDE = join(ROOT, "GUIDE.md");
const CLANG = "/usr/bin/clang";
const ASC = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
const ASC_FLAGS = ["-O3", "--initialMemory", "272"];
const COMPILE = ["--target=wasm32", "-O2", "-Wall", "-Werror", "-nostdlib", "-Wl,--no-entry"];

/** Does not end, and does nothing that the device could see. */
const LOOP = `EXPORT(step) double step(void) {
  for (volatile int i = 0;; i++) {}`;

type Language = "assemblyscript" | "c";

/** Compiles to a module, and returns its path. */
async function compiled(source: string, language: Language = "c"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ballonet-judge-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const module = join(folder, "driver.wasm");
  const name = language === "c" ? "driver.c" : "driver.ts";
  await writeFile(join(folder, name), source);
  const [command, ...args] =
    language === "c" ? [CLANG, ...COMPILE] : [process.execPath, ASC, ...ASC_FLAGS];
  await promisify(execFile)(command as string, [...args, "-o", module, name], { cwd: folder });
  return module;
}

/** The driver in the guide, with these pieces replaced, each of which is there once. */
async function example(
  mistakes: Readonly<Record<string, string>> = {},
  language: Language = "c",
): Promise<string> {
  const blocks = (await readFile(GUIDE, "utf8")).matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm);
  let text = [...blocks].find(([, name]) => name === language)?.[2] ?? "";
  for (const [piece, mistake] of Object.entries(mistakes)) {
    expect(text.split(piece)).toHaveLength(2);
    text = text.replace(piece, () => mistake);
  }
  return text;
}

async function judged(...args: string[]): Promise<{ code: number | null; report: JudgeReport }> {
  const { code, stdout, stderr } = await run(["judge", ...args, "--json"]);
  expect(stderr).toBe("");
  return { code, report: JSON.parse(stdout) };
}

function rulesOf({ results }: JudgeReport): string[] {
  return [...new Set(results.flatMap(({ findings }) => findings.map(({ rule }) => rule)))].sort();
}

beforeEach((context) => {
  toolOrSkip(context, existsSync(CLANG) ? CLANG : undefined, "clang");
});

describe("a driver in C", () => {
  it("that is good breaks no rule", async () => {
    const module = await compiled(await example());
    const { code, report } = await judged("--wasm", module, "--transport", "mmio");
    expect(rulesOf(report)).toEqual([]);
    expect(code).toBe(0);
    const ran = report.results.filter(({ outcome }) => outcome === "up");
    expect(ran.map(({ scenario }) => scenario)).toEqual(
      expect.arrayContaining(["start", "targets", "reversed", "unreachable", "completion-late"]),
    );
  });

  it("that comes up in its first step passes just so", async () => {
    const source = await example({
      "EXPORT(start) void start(void)": "static int begun;\nstatic void start(void)",
      "EXPORT(step) double step(void) {":
        "EXPORT(step) double step(void) {\n  if (!begun++) start();",
    });
    const module = await compiled(source);
    const { code, report } = await judged("--wasm", module, "--transport", "mmio");
    expect(report.results.filter(({ passed }) => !passed)).toEqual([]);
    expect(code).toBe(0);
  });

  it("with three mistakes is found to break the rules of each", async () => {
    const source = await example({
      "if (!(get(STATUS) & 8)) { set(STATUS, 139); return; }": "",
      "if (held != asked) set(ACTUAL, held = asked);": "held = asked;",
      "  send(&queues[!inflate], count);":
        "  send(&queues[!inflate], count);\n  if (inflate) pages[first][7] = 1;",
    });
    const module = await compiled(source);
    const { code, report } = await judged("--wasm", module, "--transport", "mmio");
    expect(code).toBe(1);
    expect(rulesOf(report)).toEqual(["D10", "D12", "D14", "G-FEATURES-REREAD"]);
  });

  it("that never returns is ended, and so is the program at an interrupt", async () => {
    const source = await example({ "EXPORT(step) double step(void) {": LOOP });
    const module = await compiled(source);
    const options = ["--wasm", module, "--scenario", "targets"];
    const { code, report } = await judged(...options, "--timeout", "1s");
    expect(code).toBe(1);
    expect(report.results[0]).toMatchObject({ outcome: "hung", passed: false });
    const { child, ended } = start(["judge", ...options]);
    setTimeout(() => child.kill("SIGINT"), 1000);
    expect(await ended).toMatchObject({ code: 130, stdout: "" });
  });

  it("that traps has crashed", async () => {
    const source = await example({ "if (target == held) return -1;": "__builtin_trap();" });
    const module = await compiled(source);
    const options = ["--wasm", module, "--transport", "mmio", "--scenario", "targets"];
    const { code, report } = await judged(...options);
    expect(code).toBe(1);
    expect(report.results[0]).toMatchObject({ outcome: "crashed", note: /unreachable/ });
  });
});

describe("a driver in AssemblyScript", () => {
  it("that is good breaks no rule", async () => {
    const module = await compiled(await example({}, "assemblyscript"), "assemblyscript");
    const { code, report } = await judged("--wasm", module, "--transport", "mmio");
    expect(rulesOf(report)).toEqual([]);
    expect(code).toBe(0);
    const ran = report.results.filter(({ outcome }) => outcome === "up");
    expect(ran.map(({ scenario }) => scenario)).toEqual(
      expect.arrayContaining(["start", "targets", "reversed", "unreachable", "move"]),
    );
  });

  it("with two mistakes is found to break the rules of each", async () => {
    const mistakes = {
      "set(0x70, 11);": "",
      "held = asked; set(0x104, held);": "held = asked;",
    };
    const source = await example(mistakes, "assemblyscript");
    const module = await compiled(source, "assemblyscript");
    const { code, report } = await judged(
      "--wasm",
      module,
      "--scenario",
      "targets",
      "--transport",
      "mmio",
    );
    expect({ code, outcome: report.results[0]?.outcome }).toEqual({ code: 1, outcome: "gave up" });
    const [, ...lasting] = Object.entries(mistakes);
    const untold = await compiled(
      await example(Object.fromEntries(lasting), "assemblyscript"),
      "assemblyscript",
    );
    const later = await judged("--wasm", untold, "--scenario", "targets", "--transport", "mmio");
    expect(rulesOf(later.report)).toEqual(["D14"]);
  });
});

describe("a file that is no driver", () => {
  it.each([
    ["no WebAssembly", "int x;", "expected magic word"],
    ["a module without step", "void f(void) {}", 'no export "step"'],
    [
      "a module that imports what is not there",
      '__attribute__((import_module("env"), import_name("puts"))) void puts_(int);' +
        '__attribute__((export_name("step"))) double step(void) { puts_(1); return -1; }',
      'it imports function "puts" of "env"',
    ],
  ])("%s", async (name, source, seen) => {
    const module = name === "no WebAssembly" ? GUIDE : await compiled(source);
    const { code, stderr } = await run(["judge", "--wasm", module]);
    expect(code).toBe(3);
    expect(stderr).toContain(seen);
    expect(stderr.split("\n")).toHaveLength(4);
  });

  it.each([
    ["a folder", ROOT, "EISDIR"],
    ["nothing", join(ROOT, "nothing.wasm"), "ENOENT"],
  ])("%s", async (_name, path, seen) => {
    const { code, stderr } = await run(["judge", "--wasm", path]);
    expect(code).toBe(3);
    expect(stderr).toMatch(`failed   option --wasm\n         seen: ${seen}`);
    expect(stderr.split("\n")).toHaveLength(4);
  });
});
