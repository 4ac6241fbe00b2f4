/**
 * The table of drivers and hosts: what text, JSON and page show of a cell is what the laboratory
 * said of it, and a driver with a mistake shows.
 *
 * What is expected of a shown cell is what its run said, kept before anything was shown.
 */
import { beforeAll, describe, expect, it, vi } from "vitest";
import { PERSONA_NAMES } from "../../runtime/index.ts";
import type { CellResult } from "../../src/lab/cell.ts";
import { HOST_NAMES, PATH_NAMES } from "../../src/lab/cell-names.ts";
import { type Comparison, compareDeflate } from "../../src/lab/compare.ts";
import { type ComparedCell, comparedCell } from "../../src/lab/outcome.ts";
import { featureLetters } from "../../src/lab/report/feature-letters.ts";
import { comparisonPage } from "../../src/lab/report/page.ts";
import { comparisonLines } from "../../src/lab/report/text.ts";
import { importPatched, type Patch, patchFiles } from "../support/patched.ts";
import { coreModule } from "../support/vm.ts";

/** What the laboratory said, run by run. */
const said = vi.hoisted((): CellResult[] => []);

vi.mock("../../src/lab/cell.ts", async (original) => {
  const real = await original<typeof import("../../src/lab/cell.ts")>();
  const runCell: typeof real.runCell = async (options) => {
    const cell = await real.runCell(options);
    said.push(structuredClone(cell));
    return cell;
  };
  return { ...real, runCell };
});

const count = (value: number) => value.toLocaleString("en-US");
const yes = (it: boolean) => (it ? "yes" : "no");

/** A migration in a word. */
function movedIn({ migration }: CellResult): string {
  if (migration === undefined) return "stayed";
  const taken = migration.renegotiated ? "renegotiated" : "moved";
  return migration.worked ? taken : "not taken";
}

const textOf = (comparison: Comparison) => comparisonLines(comparison, (_style, text) => text);

/** All of the table, on a machine that is busy with other tests. */
const TABLE_MS = 300_000;

/** The rows of a table in the text, by the cell's name, as words. */
function rowsOf(comparison: Comparison): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>();
  let column = "";
  for (const line of textOf(comparison)) {
    if (line === "Found") break;
    column = /^([\w/-]+): /.exec(line)?.[1] ?? column;
    const [persona, ...words] = line.slice(2).split(/ {2,}/);
    if (words.length > 1 && persona !== "driver") rows.set(`${persona}/${column}`, words);
  }
  return rows;
}

/** The figures of a cell's section in the page, by what they are called. */
function factsOf(page: string, { name }: ComparedCell): ReadonlyMap<string, string> {
  const from = page.indexOf(`<article id="${name}">`);
  const section = page.slice(from, page.indexOf("</article>", from));
  const pairs = [...section.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)];
  return new Map(pairs.map(([, term = "", text = ""]) => [term, text]));
}

describe("every driver on every host", () => {
  let comparison: Comparison;
  let page: string;
  let runs: readonly CellResult[];
  const asked: string[] = [];

  beforeAll(async () => {
    comparison = await compareDeflate({
      core: coreModule,
      onCell: (name, done, of) => asked.push(`${done} of ${of} ${name}`),
    });
    runs = said.splice(0);
    page = comparisonPage(comparison);
  }, TABLE_MS);

  it("is run: each cell once, told before it starts", () => {
    const moved = PATH_NAMES.filter((path) => path !== "none").map((path) => `locked/${path}`);
    const columns = [...HOST_NAMES, "two-bit/two-bit", ...moved];
    const wanted = columns.flatMap((one) => PERSONA_NAMES.map((persona) => `${persona}/${one}`));
    const names = comparison.cells.map(({ name }) => name);
    expect([...names].sort()).toEqual(wanted.sort());
    expect(asked).toEqual(names.map((name, done) => `${done} of ${names.length} ${name}`));
    expect(comparison.findings.flatMap(({ cells }) => cells).sort()).toEqual(names.sort());
  });

  it("is what the laboratory says, in JSON, in text and on the page", () => {
    const rows = rowsOf(comparison);
    expect([...rows.keys()].sort()).toEqual(comparison.cells.map(({ name }) => name).sort());
    expect(runs).toHaveLength(comparison.cells.length);
    for (const [index, cell] of comparison.cells.entries()) {
      const { name } = cell;
      const facts = runs[index] as CellResult;
      expect(JSON.parse(JSON.stringify(cell))).toEqual(comparedCell(facts));
      const early = facts.touches.untold + facts.touches.unanswered;
      const figures = [facts.pages.locked, early, facts.touches.faults, facts.damagedFrames];
      const words = rows.get(name);
      expect(words?.[0], name).toBe(featureLetters(facts.negotiated));
      if (facts.refused === undefined) {
        const may = [facts.mayBeSilent, facts.mayUnlock].map(yes);
        expect(words?.slice(2), name).toEqual([...may, movedIn(facts), ...figures.map(count)]);
      } else expect(words?.[1], name).toContain(facts.refused.code);
      const shown = factsOf(page, cell);
      expect(shown.get("negotiated"), name).toBe(facts.negotiated.join(" ") || "nothing");
      expect(shown.get("may munlock"), name).toBe(yes(facts.mayUnlock));
      expect(shown.get("may be silent"), name).toBe(yes(facts.mayBeSilent));
      expect(shown.get("locked when inflated"), name).toMatch(count(facts.pages.locked));
      expect(shown.get("faults"), name).toBe(count(facts.touches.faults));
      expect(shown.get("frames lost"), name).toBe(count(facts.damagedFrames));
    }
  });

  it("shows each fault that was kept with its page and its line of the trace", () => {
    for (const { touches } of comparison.cells) {
      for (const { pfn, line, unlocked } of touches.list) {
        if (!unlocked) continue;
        expect(page).toContain(`<td>0x${pfn.toString(16)}</td>`);
        expect(page).toContain(line.replaceAll("'", "&#39;"));
      }
    }
  });

  it("finds what the question was about", () => {
    const found = comparison.findings.map(({ text }) => text);
    expect(found[0]).toMatch(
      /^locked-always with windows, silent: 1,024 faults, 1,024 frames lost/,
    );
    expect(found).toContainEqual(
      "two-bit with today's drivers: the host gains nothing until drivers change; nothing is lost",
    );
    expect(found).toContainEqual(
      expect.stringMatching(
        /^locked, refusing with ballonet, linux, openbsd, nanos: the host may take 2,048/,
      ),
    );
  });
});

it("runs what was asked for alone; a dialect where it is spoken, or where both were named", async () => {
  const names = async (options: Parameters<typeof compareDeflate>[0]) => {
    const { cells } = await compareDeflate({ ...options, core: coreModule });
    return cells.map(({ name }) => name);
  };
  const personas = ["linux"] as const;
  expect(await names({ personas, hosts: ["plain"] })).toEqual(["linux/plain"]);
  expect(await names({ personas, paths: ["amid"] })).toEqual(["linux/locked/amid"]);
  expect(await names({ personas, hosts: ["plain"], paths: ["amid"] })).toEqual([
    "linux/plain/amid",
  ]);
  const both = { personas, dialects: ["two-bit"], paths: ["to-old"] } as const;
  expect(await names(both)).toEqual(["linux/two-bit/two-bit/to-old"]);
  expect(await names({ personas, dialects: ["two-bit"] })).toEqual(["linux/two-bit/two-bit"]);
  expect(await names({ personas, hosts: ["plain"], dialects: ["two-bit"] })).toEqual([
    "linux/plain/two-bit",
  ]);
});

it("stops between two cells when it is told to", async () => {
  const { signal, abort } = (() => {
    const controller = new AbortController();
    return { signal: controller.signal, abort: () => controller.abort(new Error("enough")) };
  })();
  const started: string[] = [];
  const onCell = (name: string) => {
    started.push(name);
    if (started.length === 2) abort();
  };
  const running = compareDeflate({ core: coreModule, hosts: ["refusing"], signal, onCell });
  await expect(running).rejects.toThrow("enough");
  expect(started).toHaveLength(2);
});

describe("a driver that uses pages before it is answered", () => {
  const patch: Patch = {
    file: "runtime/balloon/device-queues.ts",
    find: "return this.core.balloon_deflate(pages);",
    replace: "return this.core.balloon_deflate_untold(pages);",
  };

  it("changes the rows of hosts that unlock, and no other figure of loss", async () => {
    const entry = 'export { compareDeflate } from "./src/lab/compare.ts";';
    const files = patchFiles([patch]);
    const built = await importPatched<{ compareDeflate: typeof compareDeflate }>(entry, files);
    const paths = ["none", "to-new"] as const;
    const options = { core: coreModule, personas: ["ballonet"], paths } as const;
    const good = rowsOf(await compareDeflate(options));
    const mutant = await built.compareDeflate(options);
    const rows = rowsOf(mutant);
    const changed = [...rows].map(([name, words]) => [
      name,
      `${good.get(name)?.at(-1)} ${words.at(-1)}`,
      words[1],
    ]);
    const late = "tells late";
    expect(changed).toEqual([
      ["ballonet/plain", "0 0", late],
      ["ballonet/locked", "0 1,024", late],
      ["ballonet/locked/to-new", "0 0", late],
      ["ballonet/locked-always", "0 1,024", late],
      ["ballonet/refusing", "0 1,024", late],
      ["ballonet/two-bit", "0 0", late],
      ["ballonet/two-bit/two-bit", "0 1,024", late],
    ]);
    expect(comparisonPage(mutant)).toContain("It had promised not to do that");
  });
});
