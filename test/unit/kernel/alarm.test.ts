/** The boot code's alarm: when it starts the timer anew, and when it leaves it as it is. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compile, findHostCompiler } from "../../../src/image/compiler.ts";
import { toolOrSkip } from "../../support/tools.ts";

let directory: string | undefined;
let program: string | undefined;

beforeAll(async () => {
  // The boot code's header has instructions of this processor in it.
  if (process.arch !== "x64") return;
  const compiler = await findHostCompiler().catch(() => undefined);
  if (compiler === undefined) return;
  directory = mkdtempSync(join(tmpdir(), "ballonet-alarm-"));
  const sources = ["./alarm-program.c", "../../../runtime/kernel/boot/platform/alarm.c"];
  const paths = sources.map((it) => fileURLToPath(new URL(it, import.meta.url)));
  program = join(directory, "alarm");
  await compile({ compiler, directory, args: ["-O1", "-fno-builtin", "-o", program, ...paths] });
});
afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true });
});

it.for([
  ["the first", ["set 0 100"], ["started"]],
  ["a later one than that which is set", ["set 0 100", "set 50 200"], ["started", "kept"]],
  ["an earlier one", ["set 0 100", "set 50 60"], ["started", "started"]],
  ["the next, after it rang", ["set 0 100", "ring", "set 100 200"], ["started", "started"]],
  ["the next, where the first never rang", ["set 0 100", "set 101 200"], ["started", "started"]],
] as const)("%s", ([, input, output], context) => {
  const path = toolOrSkip(context, program, "a C compiler for x86");
  const text = execFileSync(path, { input: input.join("\n"), encoding: "utf8" });
  expect(text.trimEnd().split("\n")).toEqual(output);
});
