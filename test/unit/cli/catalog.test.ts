/** `ballonet list` and what `ballonet explain` tells of its names. */
import { describe, expect, it } from "vitest";
import { CATALOG, LIST_NAMES } from "../../../src/cli/catalog.ts";
import { main } from "../../../src/cli/cli.ts";
import { rules } from "../../../src/device/index.ts";
import { keptIo } from "./outputs.ts";

async function printed(...args: string[]): Promise<string> {
  const io = keptIo();
  expect(await main({ args, io })).toBe(0);
  return io.out.text;
}

describe.each(LIST_NAMES)("ballonet list %s", (list) => {
  it("has a line and a sentence for each, and no name twice", async () => {
    const names = CATALOG[list].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { text } of CATALOG[list]) expect(text).toMatch(/\.\)?$/);
    const lines = (await printed("list", list)).split("\n");
    for (const name of names) {
      expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
    }
  });
});

it("every rule is explained: what, level, section, how it is seen", async () => {
  for (const { id, level, section, title, observed } of rules) {
    const text = (await printed("explain", id)).replaceAll(/\s+/g, " ");
    for (const part of [title, level, section, observed]) {
      expect(text).toContain(part.replaceAll(/\s+/g, " "));
    }
  }
});

it("a name of no list is still one of the laboratory's", async () => {
  expect(await printed("explain", "fault-gone-zeros")).toContain("--scenario fault-gone-zeros");
  const io = keptIo();
  expect(await main({ args: ["explain", "D1234"], io })).toBe(2);
});
