/**
 * Sizes as typed and as shown: tables of both, and that what is shown means what was typed.
 */
import { fc, it as property } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { FailureError } from "../../../src/failure.ts";
import {
  formatBytes,
  pagesOf,
  parseDuration,
  parsePages,
  parseSize,
  parseTarget,
} from "../../../src/text/units.ts";

const MIB = 2 ** 20;

describe("sizes", () => {
  it.each([
    ["0", 0],
    ["4096B", 4096],
    ["512K", 512 * 1024],
    ["256M", 256 * MIB],
    ["256m", 256 * MIB],
    ["64MiB", 64 * MIB],
    ["64 MB", 64 * MIB],
    ["1.5G", 1536 * MIB],
    ["2T", 2 ** 41],
    [" 1K ", 1024],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "M", "128", "-1M", "1X", "1.2.3M", "0x10K", "1e3K", "half", "99999999T", "0.3K"])(
    "%j is refused, with what to write instead",
    (text) => {
      expect(() => parseSize(text, "option --memory")).toThrow(FailureError);
      try {
        parseSize(text, "option --memory");
      } catch (error) {
        expect(error).toMatchObject({ kind: "usage", what: "option --memory", seen: `"${text}"` });
      }
    },
  );

  property.prop([fc.integer({ min: 1, max: 2 ** 20 }), fc.constantFrom("K", "M", "G")])(
    "a whole number of units is that many, with any spelling of the unit",
    (count, unit) => {
      const bytes = count * { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[unit as "K" | "M" | "G"];
      for (const spelled of [unit, unit.toLowerCase(), `${unit}B`, `${unit}iB`, ` ${unit}iB`]) {
        expect(parseSize(`${count}${spelled}`)).toBe(bytes);
      }
    },
  );

  property.prop([fc.integer({ min: 0, max: 2 ** 45 })])(
    "what is shown for people is right within its one decimal",
    (bytes) => {
      const [number = "", unit = "B"] = formatBytes(bytes).split(" ");
      const unitBytes = 2 ** (10 * ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(unit));
      expect(Math.abs(Number(number) - bytes / unitBytes)).toBeLessThanOrEqual(0.05 + 1e-9);
      expect(unit === "TiB" || Number(number) <= 1024).toBe(true);
    },
  );

  property.prop([fc.string()])(
    "any text is a size or a FailureError, never anything else",
    (text) => {
      try {
        expect(Number.isSafeInteger(parseSize(text))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(FailureError);
      }
    },
  );
});

describe("pages", () => {
  it.each([
    ["0", 0],
    ["100p", 100],
    ["100P", 100],
    ["1M", 256],
    ["4096B", 1],
  ])("%s is %d pages", (text, pages) => {
    expect(parsePages(text)).toBe(pages);
  });

  it.each(["100", "4097B", "1K", "999999999999999p", "p"])("%j is refused", (text) => {
    expect(() => parsePages(text)).toThrow(FailureError);
  });
});

describe("targets", () => {
  it.each([
    ["half", 8192],
    ["50%", 8192],
    ["12.5%", 2048],
    ["0%", 0],
    ["100%", 16384],
    ["0", 0],
    ["32M", 8192],
    ["777p", 777],
  ])("%s of 64 MiB is %d pages", (text, pages) => {
    expect(pagesOf(parseTarget(text), 64 * MIB)).toBe(pages);
  });

  it.each(["101%", "-1%", "Half", "128", "%", "full"])("%j is refused", (text) => {
    expect(() => parseTarget(text)).toThrow(/^target: seen /);
  });

  property.prop([fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 1, max: 2 ** 20 })])(
    "a share is never more than its part of memory, and less than a page below it",
    (share, pages) => {
      const found = pagesOf(parseTarget(`${share / 10_000}%`), pages * 4096);
      const exact = (pages * (share / 10_000)) / 100;
      expect(found).toBeLessThanOrEqual(exact + 1e-6);
      expect(found).toBeGreaterThan(exact - 1 - 1e-6);
    },
  );
});

describe("times", () => {
  it.each([
    ["30s", 30_000],
    ["500ms", 500],
    ["2m", 120_000],
    ["1.5s", 1_500],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["0", "1", "30", "0ms", "-1s", "1h", "", "ms", "0.5ms"])("%j is refused", (text) => {
    expect(() => parseDuration(text)).toThrow(FailureError);
  });
});
