/** `ballonet simulate`: what is taken, what is printed, and what is refused. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../../src/cli/cli.ts";
import { keptIo } from "./outputs.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "simulate-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const io = keptIo({ columns: 60 });
  const code = await main({ args: ["simulate", ...args], io });
  return { code, out: io.out.text, err: io.err.text };
}

async function written(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const SMALL = ["--memory", "8M", "--duration", "2s"];

describe("simulate", () => {
  it("plots each value, no wider than the terminal", async () => {
    const { code, out } = await run(...SMALL);
    expect(code).toBe(0);
    const lines = out.split("\n");
    expect(lines[0]).toBe("follow: 2 s; a full bar is 8.0 MiB");
    for (const name of ["target", "held", "wanted", "used", "free"]) {
      expect(lines.find((line) => line.startsWith(name))).toMatch(/ [ ▁▂▃▄▅▆▇█]{20,}$/);
    }
    expect(out).toMatch(/^moved +[\d,]+ pages in, [\d,]+ pages? out$/m);
    expect(Math.max(...lines.slice(0, 8).map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  it("takes a policy, a reserve and a trace of one's own, which says how long", async () => {
    const steps = [{ atMs: 0, usedPages: 100, targetPages: 2048 }, { atMs: 3000 }];
    const trace = await written("trace.json", JSON.stringify(steps));
    const args = ["--trace", trace, "--policy", "follow", "--reserve", "2M", "--memory", "8M"];
    const { code, out } = await run(...args, "--json");
    expect(code).toBe(0);
    const { durationMs, samples, reservePages } = JSON.parse(out);
    expect({ durationMs, reservePages }).toEqual({ durationMs: 4000, reservePages: 512 });
    expect(samples.at(-1)).toMatchObject({ heldPages: 2048 - 100 - 512, freePages: 512 });
  });

  it.each(["follow", "gentle", "report-only"])("ends well with the policy %s", async (policy) => {
    expect(await run(...SMALL, "--policy", policy)).toMatchObject({ code: 0, err: "" });
  });

  it("takes a policy of one's own, and goes on without one that never returns", async () => {
    const half = await written(
      "half.ts",
      `import { type Policy, pagesBound, spendablePages } from "ballonet";
       const policy: Policy = { name: "half", decide: (view) => ({
         goalPages: Math.min(view.targetPages, view.totalPages / 2,
           pagesBound(view) + spendablePages(view)),
         atMostPages: Infinity, short: undefined, lookAgainMs: undefined }) };
       export default policy;`,
    );
    const spinner = await written("spinner.ts", "export default { decide() { for (;;); } };");
    const steps = [{ atMs: 0, targetPages: 2000 }];
    const trace = await written("half.json", JSON.stringify(steps));
    const played = async (policy: string) => {
      const { code, out } = await run("--policy", policy, "--trace", trace, ...SMALL, "--json");
      expect(code).toBe(0);
      return JSON.parse(out);
    };
    const good = await played(half);
    expect(good).toMatchObject({ policy: "half", trouble: null });
    expect(good.samples.at(-1)).toMatchObject({ heldPages: 1024 });
    const bad = await played(spinner);
    expect(bad).toMatchObject({ policy: "spinner", trouble: expect.stringMatching(/timed out/) });
    expect(bad.samples.at(-1).heldPages).toBeGreaterThan(1024);
  });

  it("refuses what it cannot take in one message", async () => {
    const bad = await written("bad.json", "[{");
    const wrong = await written("wrong.json", '[{ "atMs": 0, "used": 4 }]');
    const cases = [
      [["--trace", "sinus"], 3, /no such file.*--trace FILE/s],
      [["--trace", bad], 2, /bad\.json.*write a list of steps/s],
      [["--trace", wrong], 2, /step 0.*"used":4/s],
      [["--memory", "2G"], 2, /pages.*524288.*262144/s],
      [["--memory", "64"], 2, /unit/],
      [["--duration", "0s"], 2, /above 0/],
      [["--policy", "folow"], 2, /did you mean follow.*or give a file/],
      [["--policy", "./nowhere.ts"], 2, /no file .*nowhere\.ts/],
    ] as const;
    for (const [args, exitCode, said] of cases) {
      const { code, err } = await run(...args);
      expect(err).toMatch(said);
      expect(code).toBe(exitCode);
    }
  });
});
