/**
 * Keeps how each test ended in build/support/, and writes the table of support into
 * build/support.md after each run.
 *
 * Results older than the product's sources count as not run. A run of all that the table rests on
 * in one project fails when HOSTS.md says otherwise.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { contradictions, type FileResults, tableOf } from "./table.ts";

const ROOT = join(import.meta.dirname, "../..");
const RESULTS = join(ROOT, "build/support");
/** What the tests try. */
const SOURCES = ["assembly", "runtime", "src"];

function newestMs(folder: string): number {
  const times = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs);
  return Math.max(0, ...times);
}

/** The results in a folder that are newer than all sources. */
export function freshResults(
  folder: string = RESULTS,
  sources: readonly string[] = SOURCES.map((name) => join(ROOT, name)),
): FileResults[] {
  const sourcesMs = Math.max(...sources.map(newestMs));
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).mtimeMs > sourcesMs)
    .map((path) => JSON.parse(readFileSync(path, "utf8")) as FileResults);
}

/** The full name as rows.ts has it: quotes come from how a table's values are printed. */
function plainName({ fullName }: TestCase): string {
  return fullName.replace(/\\?['"]/g, "");
}

export class SupportReporter implements Reporter {
  private isFiltered = false;

  onInit({ config }: { readonly config: { readonly testNamePattern?: RegExp } }): void {
    this.isFiltered = config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    mkdirSync(RESULTS, { recursive: true });
    const known = freshResults();
    for (const module of modules) this.keep(module, known);
    const all = freshResults();
    writeFileSync(join(ROOT, "build/support.md"), `# What was tried\n\n${tableOf(all)}\n`);
    const wrong = contradictions(readFileSync(join(ROOT, "HOSTS.md"), "utf8"), all);
    if (wrong.length === 0) return;
    console.error(`HOSTS.md and build/support.md differ:\n  ${wrong.join("\n  ")}`);
    process.exitCode = 1;
  }

  private keep(module: TestModule, known: readonly FileResults[]): void {
    const file = relative(join(ROOT, "test"), module.moduleId);
    const before = known.find((one) => one.file === file)?.tests ?? {};
    const tests: Record<string, "passed" | "failed" | "skipped"> = {};
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      const name = plainName(test);
      // A test that this run left out is as it was.
      const end = state === "passed" || state === "failed" ? state : "skipped";
      const kept = end === "skipped" && this.isFiltered ? (before[name] ?? end) : end;
      // Of several tests with one name each has to pass.
      if (tests[name] === undefined || kept !== "passed") tests[name] = kept;
    }
    const path = join(RESULTS, `${file.replaceAll("/", "--")}.json`);
    writeFileSync(path, JSON.stringify({ file, tests } satisfies FileResults));
  }
}
