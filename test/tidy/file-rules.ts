/** Rules: how a file opens, how wide its lines and how long its functions are. */
import { describe, expect, it } from "vitest";
import { longFunctions } from "./functions.ts";
import { codeOf, kernelC, product, tests } from "./source-files.ts";

const COLUMNS_MAX = 100;
const FUNCTION_LINES_MAX = 70;

/** The comment that a file opens with, or "". */
function header(text: string): string {
  return /^(?:#!.*\n)?(?:\/\*\*?[\s\S]*?\*\/|(?:(?:\/\/|#).*\n)+)/.exec(text)?.[0] ?? "";
}

const all = [...product, ...kernelC, ...tests];

describe("every file", () => {
  it("opens with a header comment that says what it is", () => {
    const wrong = all
      .filter(({ text }) => header(text).replace(/[\s/*#]+/g, " ").length < 20)
      .map(({ name }) => name);
    expect(wrong).toEqual([]);
  });

  it(`has lines of at most ${COLUMNS_MAX} columns`, () => {
    const wrong = [...product, ...kernelC].flatMap(({ name, text }) =>
      text
        .split("\n")
        .map((line, index) => ({ at: `${name}:${index + 1}`, columns: line.length }))
        .filter(({ columns }) => columns > COLUMNS_MAX)
        .map(({ at, columns }) => `${at}: ${columns} columns`),
    );
    expect(wrong).toEqual([]);
  });

  it(`of the product has functions of at most ${FUNCTION_LINES_MAX} lines`, () => {
    const wrong = longFunctions([...product, ...kernelC], FUNCTION_LINES_MAX).map(
      ({ file, name, lines }) => `${file} ${name}: ${lines} lines, name a part of it`,
    );
    expect(wrong).toEqual([]);
  });

  it("is finished: no word for work left over", () => {
    // Spelt in halves, or this file would hold them.
    const words = ["TO-DO", "FIX-ME", "XX-X"].map((word) => word.replace("-", "")).join("|");
    const left = new RegExp(`(//|\\*|#) *(${words})\\b|\\b(${words})[:(]`);
    const wrong = all
      .filter(({ text }) => left.test(text))
      .map(({ name, text }) => `${name}: ${left.exec(text)?.[0]}`);
    expect(wrong).toEqual([]);
  });
});

describe("runtime/", () => {
  it.each([
    ["a clock of the host", /\b(Date|performance)\b/],
    ["chance", /\bMath\.random\b|\bcrypto\b/],
    ["timers", /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
    ["a console", /\bconsole\b/],
    ["a process, a page or a browser", /\b(process|document|navigator)\./],
    ["the file system of a loader", /\b(require|__dirname|__filename)\b|\bimport\.meta\b/],
  ])("does without %s", (_what, forbidden) => {
    const wrong = product
      // What a program in a guest imports gives these to it.
      .filter(({ name }) => name.startsWith("runtime/") && !name.startsWith("runtime/guest/"))
      .filter(({ text }) => forbidden.test(codeOf(text)))
      .map(({ name }) => `${name}: ask the Hal`);
    expect(wrong).toEqual([]);
  });
});
