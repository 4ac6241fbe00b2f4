/** `ballonet run`: its options reach the program, and `--watch` runs it anew at each change. */
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as command from "../../../src/cli/commands/run.ts";
import { parseOptions } from "../../../src/cli/options.ts";
import type { RunProgramOptions } from "../../../src/session/run-program.ts";
import { keptIo } from "./outputs.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "run-watch-"));
});
afterAll(() => rm(folder, { recursive: true }));

function given(...args: string[]) {
  const { spec } = command;
  return parseOptions({
    command: "ballonet run",
    specs: spec.options,
    operand: spec.operand,
    takesRest: true,
    args,
  });
}

it("hands over a policy, by name as a word of the command line and else as a file", async () => {
  const seen: RunProgramOptions[] = [];
  const runProgram = async (options: RunProgramOptions) => {
    seen.push(options);
    return 7;
  };
  const run = (...args: string[]) =>
    command.run({ given: given("app.ts", ...args), io: keptIo() }, async () => ({ runProgram }));
  expect(await run("--policy", "./mine.ts", "--", "a")).toBe(7);
  expect(await run("--policy", "gentle", "--append", "ballonet.reserve=9")).toBe(7);
  expect(seen[0]).toMatchObject({ policy: "./mine.ts", append: "", args: ["a"] });
  expect(seen[1]).toMatchObject({ append: "ballonet.policy=gentle ballonet.reserve=9" });
  expect(seen[1]?.policy).toBeUndefined();
});

it("runs anew when a file that the program is made of has changed", async () => {
  const app = join(folder, "app.ts");
  const part = join(folder, "part.ts");
  for (const path of [app, part]) await writeFile(path, "");
  const long = new Date(Date.now() - 60_000);
  for (const path of [app, part]) await utimes(path, long, long);
  const end = new AbortController();
  const io = keptIo({ signal: end.signal });
  let runs = 0;
  const runProgram = async ({ signal, onBundled }: RunProgramOptions) => {
    runs += 1;
    onBundled?.([app, part]);
    if (runs === 3) end.abort(new Error("enough"));
    else setTimeout(() => utimes(part, new Date(), new Date(Date.now() + 50)), 50);
    // The second one ends by itself, the others when they are aborted.
    if (runs === 2) return 5;
    await new Promise((_, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
    return 0;
  };
  const watching = command.run({ given: given(app, "--watch"), io }, async () => ({ runProgram }));
  await expect(watching).rejects.toThrow("enough");
  expect(runs).toBe(3);
  expect(io.err.text.match(/a file has changed: booting anew/g)).toHaveLength(2);
  expect(io.err.text).toContain("ended with code 5; waiting for a change");
});
