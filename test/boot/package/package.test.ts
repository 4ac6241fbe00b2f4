/** The published package as the tools see it that check packages for those who import them. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../support/cli-program.ts";
import { packPackage } from "../support/packed.ts";

/** Node 10 knows no `exports`, and CommonJS loads ESM by `import()` alone: so be it. */
const ACCEPTED = new Set(["node10", "node16-cjs"]);

async function packed(): Promise<{ readonly archive: string; readonly bytes: number }> {
  const directory = await mkdtemp(join(tmpdir(), "ballonet-packed-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return packPackage(directory);
}

it("has no fault that publint knows", async () => {
  const { messages, pkg } = await publint({ pkgDir: ROOT, level: "suggestion", strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

it("gives types for every entry to ESM in Node and to bundlers", async () => {
  const { archive } = await packed();
  const result = await checkPackage(createPackageFromTarballData(await readFile(archive)));
  if (result.types === false) throw new Error("the package has no types");
  const wrong = result.problems.filter(
    (problem) => !("resolutionKind" in problem && ACCEPTED.has(problem.resolutionKind)),
  );
  expect(wrong).toEqual([]);
  const entries = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")).exports;
  expect(Object.keys(result.entrypoints).sort()).toEqual(Object.keys(entries).sort());
});
