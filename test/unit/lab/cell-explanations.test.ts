/**
 * Why a cell came out as it did: each kind of cell has its sentences, with the cell's figures and
 * the sections of the specification; and who is who, for every name.
 */
import { describe, expect, it } from "vitest";
import { DIALECTS, PERSONA_NAMES } from "../../../runtime/index.ts";
import { explainCell } from "../../../src/lab/cell-explanations.ts";
import { cellNamed, HOST_NAMES, PATH_NAMES } from "../../../src/lab/cell-names.ts";
import { SUBJECTS } from "../../../src/lab/explain.ts";
import type { ComparedCell } from "../../../src/lab/outcome.ts";
import { explanationLines } from "../../../src/lab/report/explain-text.ts";
import {
  describeDialect,
  describeHost,
  describePath,
  describePersona,
  HISTORY,
} from "../../../src/lab/subject-descriptions.ts";
import { losing, madeUp, moving, refused } from "./cells.ts";

const why = (cell: ComparedCell) => explainCell(cell).join("\n");
const { pages, touches } = madeUp();
const kept = { ...pages, locked: 5000, unlocked: 0 };
const declined = { mustTellFirst: false, mayUnlock: false, pages: kept } as const;
const early = { ...touches, unanswered: 1007 };

describe("a cell's reasons", () => {
  it.each<[string, ComparedCell, readonly string[]]>([
    [
      "a promise that was kept",
      madeUp(),
      ["accepted it", "2,999 of 5,000 pages stay locked", "as it has to", "2,001 could be taken"],
    ],
    [
      "a promise that was broken",
      losing({ mustTellFirst: true, host: "locked" }),
      ["accepted it", "It had promised not to do that (virtio 1.3, 5.5.6.1)"],
    ],
    [
      "a promise that was taken for granted",
      losing(),
      [
        "which it should (virtio 1.3, 5.5.3.1)",
        "though nobody promised",
        "1,006 pages",
        "D1, SHOULD",
      ],
    ],
    [
      "no promise, and a driver that tells first",
      madeUp(declined),
      [
        "did not accept it",
        "unlocks none of the 2,001",
        "though nothing made it",
        "gained nothing",
      ],
    ],
    [
      "no promise, and none needed",
      madeUp({ ...declined, touches: early }),
      ["Without the promise that is allowed", "1,007 pages used early were locked all the time"],
    ],
    [
      "silence",
      madeUp({ ...declined, touches: early, pages: { ...kept, told: 3 } }),
      ["told the host of 3", "That is never allowed"],
    ],
    [
      "silence that was granted",
      madeUp({
        ...{ ...declined, host: "two-bit", dialect: "two-bit", mayBeSilent: true, touches: early },
        pages: { ...kept, told: 0 },
      }),
      ["was granted SILENT_DEFLATE (an experiment", "no specification does"],
    ],
    [
      "a host that locks nothing",
      madeUp({ ...declined, host: "plain", touches: early, pages: { ...kept, locked: 0 } }),
      ["locks no memory", "not taken away a second time"],
    ],
    ["a refusal", refused(), ["clears FEATURES_OK", "5.5.3.2"]],
    [
      "a driver that does not start",
      madeUp({ refused: { code: "config", message: "not granted" } }),
      ["did not come up: not granted"],
    ],
    [
      "a host without the bit",
      madeUp({ ...declined, offered: [] }),
      ["does not offer MUST_TELL_HOST"],
    ],
    [
      "a move from a host without the bit",
      madeUp({ ...declined, path: "to-new", migration: { worked: true, renegotiated: false } }),
      ["which changes nothing", "It was taken"],
    ],
    [
      "a guest that is not taken",
      moving({ worked: false, error: "Features", bits: ["STATS_VQ"], renegotiated: false }),
      ["finds STATS_VQ, which it lacks", "goes on where it was"],
    ],
    [
      "a moment that never came",
      madeUp({ path: "amid" }),
      ["There was no such moment, so the guest stayed"],
    ],
  ])("of %s", (_what, cell, sentences) => {
    for (const sentence of sentences) expect(why(cell)).toContain(sentence);
    expect(why(cell)).not.toMatch(/undefined|NaN/);
  });

  it("begin with the move where that came before any deal", () => {
    const migration = { worked: true, renegotiated: true };
    const cell = madeUp({ ...declined, path: "three-steps", migration, offered: [] });
    expect(explainCell(cell)[0]).toContain("the driver read the features again");
    const adopted = madeUp({
      path: "three-steps-adopted",
      migration: { ...migration, renegotiated: false },
    });
    expect(explainCell(adopted)[0]).toContain("finds the features that it has read");
  });
});

describe("who is who", () => {
  it("says where each persona was read, what it accepts, and in which order it tells", () => {
    const descriptions = PERSONA_NAMES.map((name) => describePersona(name).join("\n"));
    expect(new Set(descriptions).size).toBe(PERSONA_NAMES.length);
    for (const text of descriptions) expect(text).toContain("5.5.3.1");
    expect(describePersona("linux").join()).toMatch(/virtio_balloon\.c.*always tells the host/);
    expect(describePersona("windows").join()).toMatch(/accepts STATS_VQ\. It does not accept/);
    expect(describePersona("freebsd").join()).toContain("accepts no bit of the balloon's");
    expect(describePersona("openbsd").join()).toContain("where MUST_TELL_HOST was negotiated");
  });

  it("says what each host, dialect and path does, and no two are the same", () => {
    const texts = [
      ...HOST_NAMES.map(describeHost),
      ...DIALECTS.map(describeDialect),
      ...PATH_NAMES.map(describePath),
    ].map((lines) => lines.join("\n"));
    expect(new Set(texts).size).toBe(texts.length);
    expect(describeHost("refusing").join()).toContain("clears FEATURES_OK");
    expect(describeHost("two-bit").join()).toContain("WILL_TELL_HOST (bit 22)");
    expect(describePath("to-old").join()).toContain("knows the feature");
    expect(describePath("to-new").join()).toContain("does not know the feature");
  });
});

describe("names of cells", () => {
  it.each([
    ["linux/locked", { persona: "linux", host: "locked", dialect: "standard", path: "none" }],
    ["linux/two-bit/two-bit/amid", { persona: "linux", host: "two-bit", path: "amid" }],
    ["silent/plain/to-old", { dialect: "standard", path: "to-old" }],
  ])("%s leads to its cell", (name, cell) => {
    expect(cellNamed(name)).toMatchObject(cell);
  });

  it.each([
    "",
    "linux",
    "linux/",
    "locked/linux",
    "linux/locked/none",
    "linux/locked/amid/two-bit",
  ])("%j is none", (name) => {
    expect(cellNamed(name)).toBeUndefined();
  });
});

it("an explanation without a name tells how it came about, and names all that there is", () => {
  const question = { type: "explanation", name: "deflate", kinds: ["question"] } as const;
  const shown = explanationLines(
    { ...question, paragraphs: HISTORY, cells: [], findings: [] },
    (_style, text) => text,
  );
  const words = shown.join(" ").split(/ +/);
  for (const [, names] of SUBJECTS) expect(words).toEqual(expect.arrayContaining([...names]));
  for (const line of shown) expect(line.length).toBeLessThanOrEqual(100);
  expect(shown.join("\n")).toMatch(/2012: .*2013: .*Today: /s);
});
