/**
 * Explanations: what they say of how cells come out is what a run says.
 */
import { describe, expect, it } from "vitest";
import { PERSONA_NAMES } from "../../src/index.ts";
import { explainCell } from "../../src/lab/cell-explanations.ts";
import { compareDeflate } from "../../src/lab/compare.ts";
import { explainDeflate } from "../../src/lab/explain.ts";
import { coreModule } from "../support/vm.ts";

const core = coreModule;

describe("an explanation", () => {
  it("of a cell has the reasons of that cell, run for it", async () => {
    const asked: string[] = [];
    const name = "windows/locked-always";
    const onCell = (cell: string) => asked.push(cell);
    const { kinds, paragraphs, cells } = await explainDeflate({ name, core, onCell });
    const hosts = ["locked-always"] as const;
    const run = await compareDeflate({ core, personas: ["windows"], hosts });
    expect({ kinds, asked }).toEqual({ kinds: ["cell"], asked: [name] });
    expect(cells).toEqual(run.cells);
    expect(paragraphs).toEqual(run.cells.flatMap(explainCell));
    expect(paragraphs.join()).toContain("wrote to pages that the host had unlocked");
    expect(cells[0]?.touches.faults).toBe(1024);
  });

  it.each([
    ["silent", ["persona"], 6, /^silent\//],
    ["refusing", ["host"], PERSONA_NAMES.length, /\/refusing$/],
    ["two-bit", ["host", "dialect"], 2 * PERSONA_NAMES.length, /\/two-bit/],
    ["to-old", ["path"], PERSONA_NAMES.length, /\/locked\/to-old$/],
  ])("of %s runs what it is about", async (name, kinds, count, names) => {
    const explained = await explainDeflate({ name, core });
    expect(explained.kinds).toEqual(kinds);
    expect(explained.cells).toHaveLength(count);
    for (const cell of explained.cells) expect(cell.name).toMatch(names);
    const found = explained.findings.flatMap(({ cells }) => cells).sort();
    expect(found).toEqual(explained.cells.map((cell) => cell.name).sort());
    expect(explained.paragraphs.length).toBeGreaterThan(2);
  });

  it("of the question runs nothing", async () => {
    const { kinds, cells, paragraphs } = await explainDeflate();
    expect({ kinds, cells }).toEqual({ kinds: ["question"], cells: [] });
    expect(paragraphs.join()).toContain("2013");
  });

  it.each([
    ["windos", "did you mean windows?"],
    ["windws/lockd", "did you mean windows/locked?"],
    ["linux/locked/too-old", "did you mean linux/locked/to-old?"],
    ["xyzzy", "`ballonet explain` lists"],
  ])("of %s, which is not there, names what is", async (name, words) => {
    await expect(explainDeflate({ name, core })).rejects.toMatchObject({
      kind: "usage",
      todo: expect.stringContaining(words),
    });
  });
});
