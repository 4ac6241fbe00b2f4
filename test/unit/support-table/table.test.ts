/** The table of support: a cell works only if each of its tests passed, and HOSTS.md has no other. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshResults } from "../../support-table/reporter.ts";
import { SUPPORT_ROWS } from "../../support-table/rows.ts";
import {
  contradictions,
  type FileResults,
  stateOf,
  supportTable,
  tableIn,
} from "../../support-table/table.ts";

const ROOT = new URL("../../../", import.meta.url);
const hosts = readFileSync(new URL("HOSTS.md", ROOT), "utf8");
const EVIDENCE = { file: "a.test.ts", name: /^reset > / };

function ran(tests: FileResults["tests"], file = EVIDENCE.file): FileResults[] {
  return [{ file, tests }];
}

describe("a cell", () => {
  it.each([
    ["works", { "reset > once": "passed", "reset > twice": "passed", other: "failed" }],
    ["fails", { "reset > once": "passed", "reset > twice": "failed" }],
    ["not run", { "reset > once": "passed", "reset > twice": "skipped" }],
    ["gone", { "resets > once": "passed" }],
  ] as const)("%s", (state, tests) => {
    expect(stateOf(EVIDENCE, ran(tests))).toBe(state);
  });

  it("is not run without results of its file, and untried without a test", () => {
    expect(stateOf(EVIDENCE, ran({ "reset > once": "passed" }, "b.test.ts"))).toBe("not run");
    expect(stateOf(undefined, [])).toBe("untried");
  });
});

describe("HOSTS.md", () => {
  it("has the rows that there are, and claims nothing that is not tried", () => {
    expect(contradictions(hosts, [])).toEqual([]);
    expect(tableIn(hosts)).toBe(
      supportTable(({ tests }, place) => (tests[place] ? "works" : "untried")),
    );
  });

  it("contradicts a run in which a test failed, or is gone", () => {
    const row = SUPPORT_ROWS.find(({ tests }) => tests.inProcess);
    const { file = "" } = row?.tests.inProcess ?? {};
    const said = contradictions(hosts, ran({ "no such name": "passed" }, file));
    expect(said).toContain(`${row?.what}, in process: "works", but no such test`);
    expect(contradictions("", [])).toEqual([`0 rows instead of ${SUPPORT_ROWS.length}`]);
  });
});

it("each cell rests on a file that is there", () => {
  const files = SUPPORT_ROWS.flatMap(({ tests }) => Object.values(tests).map(({ file }) => file));
  expect(files.filter((file) => !existsSync(new URL(`test/${file}`, ROOT)))).toEqual([]);
});

it("results older than a source count no more", () => {
  const folder = mkdtempSync(join(tmpdir(), "support-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [results, sources] = ["results", "sources/deep"].map((name) => join(folder, name));
  const [result] = ran({ "reset > once": "passed" });
  for (const path of [results, sources]) mkdirSync(path ?? "", { recursive: true });
  writeFileSync(`${sources}/a.ts`, "");
  writeFileSync(`${results}/a.json`, JSON.stringify(result));
  utimesSync(`${results}/a.json`, 2000, 2000);
  utimesSync(`${sources}/a.ts`, 1000, 1000);
  expect(freshResults(results, [join(folder, "sources")])).toEqual([result]);
  utimesSync(`${sources}/a.ts`, 3000, 3000);
  expect(freshResults(results, [join(folder, "sources")])).toEqual([]);
});
