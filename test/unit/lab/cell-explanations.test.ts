/**
 * Why a cell came out as it did: each kind of cell has its sentences, with the cell's figures and
 * the sections of the specification; and who is who, for every name.
 */
import { describe, expect, it } from "vitest";
import { DIALECTS, PERSONA_NAMES } from "../../../runtime/index.ts";
import { explainCell } from "../../../src/lab/cell-explanations.ts";
import { cellNamed, HOST_NAMES, PATH_NAMES } from "../../../src/lab/cell-names.ts";
import { SUBJECTS } from "../../../src/lab/explain.ts";
import { findingsOf } from "../../../src/lab/findings.ts";
import type { ComparedCell } from "../../../src/lab/outcome.ts";
import { cellFacts } from "../../../src/lab/report/facts.ts";
import { explanationLines } from "../../../src/lab/report/text.ts";
import {
  describeDialect,
  describeHost,
  describePath,
  describePersona,
  HISTORY,
} from "../../../src/lab/subject-descriptions.ts";
import { losing, madeUp, moving, refused } from "./cells.ts";

/** What `ballonet explain` shows of a cell: its reasons and its facts, each in one line. */
function why(cell: ComparedCell): string {
  const facts = cellFacts(cell).map(([term, text]) => `${term}: ${text}`);
  return [...explainCell(cell), ...facts].join("\n");
}
const { pages, touches } = madeUp();
const kept = { ...pages, locked: 5000, unlocked: 0 };
const declined = { mustTellFirst: false, mayUnlock: false, pages: kept } as const;
const early = { ...touches, unanswered: 1007 };

describe("a cell's reasons", () => {
  it.each<[string, ComparedCell, readonly string[]]>([
    [
      "a promise that was kept",
      madeUp(),
      [
        "driver accepted it",
        "locked when inflated: 2,999 of 5,000 pages",
        "as it has to",
        "inflated, unlocked: 2,001, 2,001",
        "all of them could be taken away",
      ],
    ],
    [
      "a promise that was broken",
      losing({ mustTellFirst: true, host: "locked" }),
      ["driver accepted it", "It had promised not to do that (virtio 1.3, 5.5.6.1)"],
    ],
    [
      "a promise that was taken for granted",
      losing(),
      [
        "which it should (virtio 1.3, 5.5.3.1)",
        "though nobody promised",
        "faults: 1,006",
        "taken away of used early: 1,005 of 1,007",
        "frames lost: 1,004",
        "D1, SHOULD (5.5.3.1)",
      ],
    ],
    [
      "no promise, and a driver that tells first",
      madeUp(declined),
      [
        "did not accept it",
        "unlocks none of the inflated pages",
        "inflated, unlocked: 2,001, 0",
        "though nothing made it",
        "gained nothing",
      ],
    ],
    [
      "no promise, and none needed",
      madeUp({ ...declined, touches: early }),
      [
        "Without the promise that is allowed",
        "used early were locked all the time",
        "used before the answer: 1,007",
      ],
    ],
    [
      "silence",
      madeUp({ ...declined, touches: early, pages: { ...kept, told: 3 } }),
      ["told of taken back: 3 of 1,003", "That is never allowed"],
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
      ["did not come up", "refused: config: not granted"],
    ],
    [
      "a host without the bit",
      madeUp({ ...declined, offered: [] }),
      ["does not offer MUST_TELL_HOST"],
    ],
    [
      "a move from a host without the bit",
      madeUp({ ...declined, path: "to-new", migration: { worked: true, renegotiated: false } }),
      ["which changes nothing", "The second host took the guest"],
    ],
    [
      "a guest that is not taken",
      moving({ worked: false, error: "Features", bits: ["STATS_VQ"], renegotiated: false }),
      [
        "finds one that it lacks",
        "goes on where it was",
        "migration: not taken; the second host lacks STATS_VQ: Features",
      ],
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

it("an explanation of a cell shows its reasons, each of its facts, and what was found", () => {
  const cell = losing();
  const named = { type: "explanation", name: cell.name, kinds: ["cell"], cells: [cell] } as const;
  const findings = findingsOf([cell]);
  const lines = explanationLines(
    { ...named, paragraphs: explainCell(cell), findings },
    (_style, text) => text,
  );
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  const words = lines.join(" ").replace(/ +/g, " ");
  for (const fact of cellFacts(cell)) expect(words).toContain(fact.join(" "));
  for (const said of explainCell(cell)) expect(words).toContain(said);
  expect(lines.at(-1)).toMatch(/^! locked-always with windows: 1,006 faults/);
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
