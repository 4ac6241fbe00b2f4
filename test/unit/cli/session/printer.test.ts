/**
 * How a session looks: as text, on a terminal, quiet, and as JSON.
 */
import { stripVTControlCharacters } from "node:util";
import { fc, it as property } from "@fast-check/vitest";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bar, gaugeLine } from "../../../../src/cli/session/gauge.ts";
import { sessionPrinter } from "../../../../src/cli/session/printer.ts";
import { formatMs } from "../../../../src/cli/session/text.ts";
import { isColoured, isInteractive, supportsUnicode } from "../../../../src/cli/terminal.ts";
import type { SessionEvent, SessionStep } from "../../../../src/session/events.ts";
import { type KeptIo, keptIo, keptOutput } from "../outputs.ts";

const ESCAPE = "\u001b";

const pages = { memoryPages: 16384, freePages: 4096, heldPages: 2048 };
const building = (done: number): SessionStep => ({
  ...{ type: "building", step: `step ${done}`, done, of: 3 },
});
const progress = (actualPages: number): SessionStep => ({
  ...{ type: "progress", targetPages: 8192, actualPages, ...pages },
});
const reached: SessionStep = {
  ...{ type: "reached", pages: 8192, ...pages, heldPages: 8192 },
  ...{ movedPages: 8192, ms: 250, pagesPerSecond: 32768, kicks: 1 },
};
const summary: SessionStep = {
  ...{ type: "summary", targets: 1, readyMs: 500, sessionMs: 2500, inflatedPages: 8192 },
  ...{ inflateMs: 250, deflatedPages: 0, deflateMs: 0, verifiedBytes: 2 ** 20, mismatches: 0 },
  ...{ reportedPages: 0, kicks: 2 },
};

/** Prints the steps, each a given time after the session's start. */
function print(
  steps: readonly (readonly [number, SessionStep])[],
  options: { io?: KeptIo; json?: boolean; quiet?: boolean; verbose?: boolean } = {},
): string {
  const { io = keptIo(), json = false, quiet = false, verbose = false } = options;
  const printer = sessionPrinter({ io, json, quiet, verbose });
  for (const [atMs, step] of steps) printer.event({ ...step, atMs } as SessionEvent);
  printer.close();
  return io.out.text;
}

const terminal = (): KeptIo => keptIo({ isTerminal: true, environment: { LANG: "C.UTF-8" } });

describe("text without a terminal", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("has neither escape sequences nor carriage returns", () => {
    const text = print([
      [0, building(0)],
      [10, { type: "target", number: 1, of: 1, pages: 8192, memoryPages: 16384 }],
      [2000, progress(2048)],
      [3000, reached],
      [3001, summary],
    ]);
    expect(text).not.toContain(ESCAPE);
    expect(text).not.toContain("\r");
    expect(text).toBe(
      [
        "target   1/1: a balloon of 32.0 MiB (8,192 pages, 50% of memory)",
        "         held 8.0 MiB of 32.0 MiB, free 16.0 MiB",
        "         32.0 MiB held, 16.0 MiB free after 250 ms: 32,768 pages/s, 1 kick",
        "good     1 target reached, 1.0 MiB verified, 0 mismatches",
        "         8,192 pages inflated in 250 ms (32,768 pages/s)",
        "         2 kicks; ready after 500 ms, session of 2.50 s",
        "",
      ].join("\n"),
    );
  });

  it("tells progress at most once a second", () => {
    const steps = Array.from({ length: 50 }, (_, index): [number, SessionStep] => [
      index * 100,
      progress(index),
    ]);
    expect(print(steps).trimEnd().split("\n")).toHaveLength(4);
  });

  it("tells only those steps of a build that take their time", () => {
    const io = keptIo();
    const printer = sessionPrinter({ io, json: false, quiet: false, verbose: false });
    printer.event({ ...building(0), atMs: 0 } as SessionEvent);
    vi.advanceTimersByTime(100);
    printer.event({ ...building(1), atMs: 100 } as SessionEvent);
    vi.advanceTimersByTime(5_000);
    printer.event({ ...building(2), atMs: 5_100 } as SessionEvent);
    printer.close();
    vi.advanceTimersByTime(5_000);
    expect(io.out.text).toBe("build    2/3 step 1\n");
  });

  it("shows the guest's log when it is asked for", () => {
    const log: [number, SessionStep] = [0, { type: "log", line: "ballonet: ready" }];
    expect(print([log])).toBe("");
    expect(print([log], { verbose: true })).toBe("         | ballonet: ready\n");
  });

  it("is the summary alone when it is quiet", () => {
    const text = print(
      [
        [0, building(0)],
        [2000, progress(1)],
        [3000, reached],
        [3001, summary],
      ],
      { quiet: true },
    );
    expect(text).toMatch(/^good .*\n.*\n.*\n$/);
  });
});

describe("text on a terminal", () => {
  it("redraws its last line, and leaves none of it behind", () => {
    const text = print(
      [
        [0, building(0)],
        [10, building(1)],
        [20, progress(2048)],
      ],
      { io: terminal() },
    );
    const drawn = text.split("\r");
    expect(drawn).toHaveLength(5);
    expect(drawn[2]).toContain("2/3 step 1");
    expect(drawn[3]).toContain("held 8.0 MiB of 32.0 MiB, free 16.0 MiB");
    expect(drawn[4]).toBe(`${ESCAPE}[K`);
    expect(text).not.toContain("\n");
  });

  it("keeps the gauge of a target that is reached", () => {
    const text = print([[0, reached]], { io: terminal() });
    expect(text).toContain(`[${"█".repeat(13)}`);
    expect(text.split("\n")).toHaveLength(3);
  });

  it.each([
    ["not a terminal", keptOutput(), {}],
    ["CI", keptOutput({ isTerminal: true }), { CI: "true" }],
    ["TERM=dumb", keptOutput({ isTerminal: true }), { TERM: "dumb" }],
  ])("is plain with %s", (_, output, environment) => {
    expect(isInteractive(output, environment)).toBe(false);
  });

  it("has a gauge without colours with NO_COLOR", () => {
    const environment = { NO_COLOR: "1", LANG: "C.UTF-8" };
    const io = keptIo({ isTerminal: true, environment });
    const target: SessionStep = {
      ...{ type: "target", number: 1, of: 1, pages: 8192, memoryPages: 16384 },
    };
    const steps: SessionStep[] = [building(0), target, progress(2048), reached, summary];
    const text = print(
      steps.map((step, index) => [index, step]),
      { io },
    );
    expect(text).toContain("\r");
    expect(text).toContain("held 8.0 MiB of 32.0 MiB");
    expect(text.replaceAll(`${ESCAPE}[K`, "")).not.toContain(ESCAPE);
    expect(isColoured(keptOutput({ isTerminal: true }), environment)).toBe(false);
    expect(isColoured(keptOutput({ isTerminal: true }), {})).toBe(true);
  });

  it.each([40, 80, 200])("draws nothing that is wider than %d columns", (columns) => {
    for (const NO_COLOR of ["", "1"]) {
      const io = keptIo({ isTerminal: true, columns, environment: { LANG: "C.UTF-8", NO_COLOR } });
      const long = { ...building(1), step: "compile ".repeat(40) } as SessionStep;
      const text = print(
        [building(0), long, progress(1), progress(2048), progress(8000)].map((it, at) => [at, it]),
        { io },
      );
      const lines = text.split("\r").map((line) => stripVTControlCharacters(line));
      expect(lines.length).toBeGreaterThan(4);
      for (const line of lines) expect([...line].length).toBeLessThan(columns);
    }
  });

  it("is interactive otherwise, and ASCII where the locale is", () => {
    expect(isInteractive(keptOutput({ isTerminal: true }), { NO_COLOR: "", TERM: "xterm" })).toBe(
      true,
    );
    expect(supportsUnicode({ LANG: "de_DE.utf8" })).toBe(true);
    expect(supportsUnicode({ LANG: "de_DE.utf8", LC_ALL: "C" })).toBe(false);
    expect(supportsUnicode({})).toBe(false);
  });
});

describe("JSON", () => {
  it("is every event as one line, integers of any size exact", () => {
    const text = print(
      [
        [1, { type: "statistics", values: { totalMemory: 2n ** 64n - 1n }, ms: 3 }],
        [2, { type: "log", line: "a\nb" }],
        [3, summary],
      ],
      { json: true },
    );
    const lines = text.trimEnd().split("\n");
    expect(lines[0]).toBe(
      '{"type":"statistics","values":{"totalMemory":18446744073709551615},"ms":3,"atMs":1}',
    );
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(["statistics", "log", "summary"]);
  });
});

describe("the gauge", () => {
  const state = fc
    .tuple(fc.nat(10_000), fc.nat(10_000), fc.nat(10_000), fc.nat(10_000))
    .map(([heldPages, freePages, usedPages, targetPages]) => ({
      ...{ heldPages, freePages, targetPages },
      memoryPages: heldPages + freePages + usedPages + 1,
    }));

  property.prop([state, fc.integer({ min: 8, max: 60 }), fc.boolean()])(
    "has exactly its cells, and as many for what is held as its share",
    (given, cells, unicode) => {
      const drawn = [...bar(given, cells, unicode)];
      expect(drawn).toHaveLength(cells);
      const share = Math.round((given.heldPages / given.memoryPages) * cells);
      const held = drawn.filter((cell) => cell === (unicode ? "█" : "#")).length;
      const marked = drawn.some((cell) => cell === (unicode ? "┃" : "|")) ? 1 : 0;
      expect(Math.abs(held - share)).toBeLessThanOrEqual(marked);
    },
  );

  property.prop([state, fc.integer({ min: 1, max: 200 }), fc.boolean()])(
    "never fills the terminal's last column",
    (given, columns, unicode) => {
      expect([...gaugeLine(given, { columns, unicode })].length).toBeLessThan(columns);
    },
  );

  it("shows held, the target's place, free and used", () => {
    const given = { heldPages: 25, freePages: 50, targetPages: 50, memoryPages: 100 };
    expect(bar(given, 8, false)).toBe("##..|.++");
    expect(bar({ ...given, heldPages: 50, freePages: 25 }, 8, false)).toBe("####..++");
  });
});

describe("times", () => {
  it.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1.00 s"],
    [61234, "61.23 s"],
  ])("%d ms are %s", (ms, words) => {
    expect(formatMs(ms)).toBe(words);
  });
});
