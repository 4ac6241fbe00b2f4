/**
 * A comparison as text: layout, letters, marks, and sentences in which each cell is once.
 */
import { describe, expect, it } from "vitest";
import { PERSONA_NAMES } from "../../../../runtime/index.ts";
import type { Comparison } from "../../../../src/lab/compare.ts";
import { findingsOf } from "../../../../src/lab/findings.ts";
import { comparedCell } from "../../../../src/lab/outcome.ts";
import { featureLetters } from "../../../../src/lab/report/feature-letters.ts";
import { comparisonLines } from "../../../../src/lab/report/text.ts";
import { wrapped } from "../../../../src/text/wrap.ts";
import { comparisonOf, losing, madeUp, moving, refused } from "../cells.ts";

const lines = (comparison: Comparison) => comparisonLines(comparison, (_style, text) => text);

describe("the table", () => {
  const shown = lines(comparisonOf(madeUp(), losing(), refused()));

  it("has a line for each driver, each figure under its head, the mark before it", () => {
    const head = shown.find((line) => line.includes("takes back")) ?? "";
    const row = shown.find((line) => line.startsWith("! windows")) ?? "";
    const under = (name: string) =>
      row
        .slice(0, head.indexOf(name) + name.length)
        .split(/ +/)
        .pop();
    expect(["locked", "early", "faults", "lost"].map(under)).toEqual([
      "2,999",
      "1,007",
      "1,006",
      "1,004",
    ]);
    expect(row).toMatch(/^! windows +S +tells late +no +yes +stayed /);
    expect(shown).toContainEqual(
      expect.stringMatching(/^\+ linux +Mr +tells first +no +yes +stayed /),
    );
    expect(shown).toContainEqual(
      expect.stringMatching(/^x freebsd +- +no balloon: refused \(features\)$/),
    );
  });

  it("says in a word what came of a migration", () => {
    const { migration: _none, ...stayed } = moving({ worked: true, renegotiated: false });
    const words = [
      comparedCell(stayed),
      moving({ worked: true, renegotiated: false }),
      moving({ worked: true, renegotiated: true }),
      moving({ worked: false, error: "no", bits: ["STATS_VQ"], renegotiated: false }),
    ].map((cell) => lines(comparisonOf(cell)).find((line) => line.startsWith("+ linux")));
    expect(words.map((line) => line?.split(/ {2,}/)[5])).toEqual([
      "stayed",
      "moved",
      "renegotiated",
      "not taken",
    ]);
  });

  it("fits a hundred columns", () => {
    for (const line of shown) expect(line.length).toBeLessThanOrEqual(100);
  });

  it("says the worst first, at the end", () => {
    const found = shown.slice(shown.indexOf("Found") + 1);
    expect(found[0]).toBe(
      "! locked-always with windows: 1,006 faults, 1,004 frames lost of what the guest had written",
    );
    expect(found[1]).toMatch(/^x refusing with freebsd: no balloon/);
    expect(found[2]).toMatch(/^\+ locked with linux: the host may take 2,001 pages away/);
  });
});

describe("findings", () => {
  it("hold every cell once; what is the same is said once", () => {
    const cells = [madeUp(), madeUp({ persona: "ballonet" }), losing(), refused()];
    const found = findingsOf(cells);
    expect(found.flatMap((one) => one.cells).sort()).toEqual(cells.map(({ name }) => name).sort());
    expect(found.map(({ outcome }) => outcome)).toEqual(["lost", "refused", "gains"]);
  });

  it("say what happened to the same drivers in several places once", () => {
    const cells = [
      madeUp(),
      madeUp({ host: "refusing" }),
      moving({ worked: true, renegotiated: false }),
    ];
    expect(findingsOf(cells).map(({ text }) => text)).toEqual([
      expect.stringMatching(/^locked, refusing with linux: the host may take/),
      expect.stringMatching(/^locked\/equal with linux: migrated; the host may take/),
    ]);
  });

  it("say of two bits that no driver knows who would have to change", () => {
    const nothing = { ...madeUp().pages, locked: 5000, unlocked: 0 };
    const idle = {
      host: "two-bit",
      mustTellFirst: false,
      mayUnlock: false,
      pages: nothing,
    } as const;
    const cells = PERSONA_NAMES.map((persona) => madeUp({ ...idle, persona }));
    expect(findingsOf(cells).map(({ text }) => text)).toEqual([
      "two-bit with today's drivers: the host gains nothing until drivers change; nothing is lost",
    ]);
    const [one] = findingsOf([madeUp({ ...idle, dialect: "two-bit" })]);
    expect(one?.text).toContain(
      "two-bit/two-bit with linux: told first without having promised it",
    );
  });
});

it("a feature without a letter is written in full, and none is a dash", () => {
  expect(featureLetters(["STATS_VQ", "bit 61", "VERSION_1"])).toBe("S(bit 61)1");
  expect(featureLetters([])).toBe("-");
});

it("wrapped lines keep every word, and are no longer than asked for", () => {
  const text = "one two three four-and-a-half five";
  expect(wrapped(text, 9)).toEqual(["one two", "three", "four-and-a-half", "five"]);
});
