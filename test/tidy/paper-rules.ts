/** Rules for the papers: what they name is there. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, readRootFile } from "./source-files.ts";

const papers = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
/** The changelog speaks of what was. */
const present = papers.filter((name) => name !== "CHANGELOG.md");

/** Paths in backticks that begin in one of the source folders; NAME stands for any name. */
function pathsIn(text: string): string[] {
  const found = text.matchAll(/`((?:src|runtime|assembly|test|\.ci)\/[\w./-]*)`/g);
  return [...found].map((match) => match[1] as string).filter((path) => !path.includes("NAME"));
}

/** Scripts that a text tells its reader to run with npm. */
function scriptsIn(text: string): string[] {
  return [...text.matchAll(/\bnpm run ([\w:]+)/g)].map((match) => match[1] as string);
}

describe("papers", () => {
  it("name files and folders that are there", () => {
    const wrong = present.flatMap((name) =>
      pathsIn(readRootFile(name))
        .filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${name} names ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  it("name scripts and papers that are there", () => {
    const { scripts } = JSON.parse(readRootFile("package.json"));
    const wrong = present.flatMap((name) => {
      const text = readRootFile(name);
      const named = [...text.matchAll(/\b([A-Z]+\.md)\b/g)].map((match) => match[1] as string);
      return [
        ...scriptsIn(text).filter((script) => !Object.hasOwn(scripts, script)),
        ...named.filter((paper) => !papers.includes(paper)),
      ].map((missing) => `${name} names ${missing}`);
    });
    expect(wrong).toEqual([]);
  });
});
