/**
 * What --json prints: every type and every field stands in JSON.md, and nothing else does.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type CheckHostSystem, checkDevice, hostileGuest } from "../../../src/check/index.ts";
import { COMMANDS, main } from "../../../src/cli/cli.ts";
import { withBaseline } from "../../../src/judge/index.ts";
import type { SessionStep } from "../../../src/session/events.ts";
import { REPORT } from "../judge/report.ts";
import { keptIo } from "./outputs.ts";

const paper = readFileSync(new URL("../../../JSON.md", import.meta.url), "utf8");
const ROW = /^\| (`\w+`[^|]*) \| (.*) \|$/gm;

/** The fields of each row, by its first cell without backticks. */
const documented = new Map(
  [...paper.matchAll(ROW)].map(([, name = "", fields = ""]) => [
    name.replaceAll("`", ""),
    [...fields.matchAll(/`(\w+)`/g)].map((match) => match[1] as string),
  ]),
);

/** One event of each type with all of its fields. */
const STEPS: { readonly [T in SessionStep["type"]]: SessionStep & { type: T } } = {
  building: { type: "building", step: "link", done: 1, of: 2 },
  booting: {
    ...{ type: "booting", on: "v86", arch: "i386", machine: null, memoryBytes: 1 },
    ...{ image: "a.elf", imageBytes: 1, append: "" },
  },
  log: { type: "log", line: "a" },
  ready: {
    ...{ type: "ready", ms: 1, transport: "MMIO", persona: "linux", policy: "follow" },
    ...{ deflateMode: "tell-first", offered: ["STATS_VQ"], negotiated: ["STATS_VQ"] },
    ...{ hostAgrees: true, queues: [], memoryPages: 2, freePages: 1, reservePages: 1 },
  },
  allocated: { type: "allocated", pages: 1, seed: 1, ms: 1 },
  target: { type: "target", number: 1, of: 1, pages: 1, memoryPages: 2 },
  progress: {
    ...{ type: "progress", targetPages: 1, actualPages: 1, heldPages: 1, freePages: 1 },
    memoryPages: 2,
  },
  reached: {
    ...{ type: "reached", pages: 1, heldPages: 1, freePages: 1, memoryPages: 2, movedPages: 1 },
    ...{ ms: 1, pagesPerSecond: 1000, kicks: 1 },
  },
  verified: { type: "verified", bytes: 1, mismatches: 0, ms: 1 },
  statistics: { type: "statistics", values: {}, ms: 1 },
  freed: { type: "freed", pages: 1 },
  reported: { type: "reported", pages: 1, residentBytesBefore: 2, residentBytes: 1, ms: 1 },
  summary: {
    ...{ type: "summary", targets: 1, readyMs: 1, sessionMs: 1, inflatedPages: 1, inflateMs: 1 },
    ...{ deflatedPages: 1, deflateMs: 1, reportedPages: 0, verifiedBytes: 1, mismatches: 0 },
    kicks: 1,
  },
  failed: {
    ...{ type: "failed", kind: "usage", what: "a", seen: "b", todo: "c", guestExitCode: null },
    logTail: [],
  },
};

async function printed(...args: string[]): Promise<Record<string, unknown>> {
  const io = keptIo();
  await main({ args: [...args, "--json"], io });
  return JSON.parse(io.out.text);
}

function expectFields(name: string, value: object): void {
  const fields = Object.keys(value).filter((key) => key !== "type");
  expect(fields.sort()).toEqual([...(documented.get(name) ?? [])].sort());
}

describe("JSON.md has each field of", () => {
  it.each(Object.values(STEPS))("the event $type", (step) => {
    expectFields(step.type, step);
  });

  it("a failure of any command, and of an unknown one", async () => {
    for (const args of [["boot", "--on", "xen"], ["image", "x"], ["explain", "x"], ["bot"]]) {
      const failed = await printed(...args);
      expect(failed.type).toBe("failed");
      expectFields("failed", failed);
    }
  });

  it("a list", async () => {
    const list = await printed("list", "rules");
    expect(list.type).toBe("list");
    expectFields("list", list);
    for (const entry of list.entries as object[]) expectFields("entries", entry);
  });

  it("a judge's report", () => {
    const { baseline, ...rest } = withBaseline(REPORT, { ...REPORT, results: [] }, "a.json");
    expectFields("judge", { baseline, ...rest });
    expectFields("baseline", baseline);
    for (const one of baseline.appeared) expectFields("appeared, gone", one);
    for (const result of REPORT.results) {
      expectFields("results", result);
      for (const finding of result.findings) expectFields("findings of a result", finding);
    }
  });

  it("a report of check, of a machine that dies, too", async () => {
    const lines = [
      ...[
        "TAP version 14",
        "1..3",
        "# checks FRAMING,SPURIOUS,IN-ORDER",
        "ok 1 - FRAMING a device",
      ],
      ...["not ok 2 - SPURIOUS a device", "  ---", '  section: "2.7.10.2"', '  level: "MUST"'],
      ...['  seen: "x"', "  ...", "ok 3 - IN-ORDER a device # SKIP feature 35 is not offered"],
    ];
    const hostOf = (printed: readonly string[]): CheckHostSystem => ({
      ...{ name: "a VMM", arch: "i386", machine: "pc" },
      launch: async () => ({
        lines: (async function* () {
          yield* printed;
        })(),
        ended: Promise.resolve("signal SIGSEGV"),
        kill: async () => undefined,
      }),
    });
    const image = "none.elf";
    const reports = [
      await checkDevice({ host: hostOf(lines), image }),
      await checkDevice({ host: hostOf(lines.slice(0, 4)), image }),
      await hostileGuest({ host: hostOf(["# round 1"]), image, forMs: 1 }),
    ];
    expect(reports.map(({ results }) => results.length)).toEqual([3, 2, 1]);
    for (const report of reports) {
      const { baseline: _, ...rest } = withBaseline(report, REPORT, "a.json");
      expect(rest.type).toBe("judge");
      expectFields("judge", { baseline: null, ...rest });
      for (const result of report.results) {
        expectFields("results", result);
        for (const finding of result.findings) {
          expectFields("findings of a result", { pages: null, cause: null, ...finding });
        }
      }
    }
  });

  it("a simulation", async () => {
    const { samples, ...rest } = await printed("simulate", "--memory", "4M", "--duration", "1s");
    expect(rest.type).toBe("simulation");
    expectFields("simulation", { samples, ...rest });
    for (const sample of samples as object[]) expectFields("samples", sample);
  });

  // It boots a guest on each emulator.
  it("a diagnosis", { timeout: 60_000 }, async () => {
    const { findings, ...rest } = await printed("doctor");
    expect(rest.type).toBe("diagnosis");
    expectFields("diagnosis", { findings, ...rest });
    for (const check of findings as object[]) expectFields("findings of a diagnosis", check);
  });

  it.each([
    ["comparison", ["compare", "deflate", "--persona", "windows", "--host", "locked-always"]],
    ["explanation", ["explain", "windows/locked-always"]],
  ])("a %s", async (type, args) => {
    const { cells, findings, ...rest } = await printed(...args);
    expect(rest.type).toBe(type);
    expectFields(type, { cells, findings, ...rest });
    for (const cell of cells as object[]) {
      expectFields("cells", { migration: null, refused: null, ...cell });
    }
    for (const finding of findings as object[]) expectFields("findings of a comparison", finding);
  });
});

it("JSON.md names each command that takes --json", () => {
  const taking = COMMANDS.filter(({ spec }) => spec.options.some(({ name }) => name === "json"));
  const named = taking.filter(({ spec }) => paper.includes(`\`${spec.name}\``));
  expect(named.map(({ spec }) => spec.name)).toEqual(taking.map(({ spec }) => spec.name));
  expect(taking.length).toBeGreaterThan(8);
});

it("JSON.md has no other type", () => {
  const others = [
    "interrupted",
    "image",
    "judge",
    "list",
    "diagnosis",
    "comparison",
    "explanation",
    "simulation",
  ];
  const lists = [
    "samples",
    "queues",
    "entries",
    "results",
    "findings of a result",
    "baseline",
    "appeared, gone",
    "findings of a diagnosis",
    "findings of a comparison",
    "cells",
  ];
  expect([...documented.keys()].sort()).toEqual(
    [...Object.keys(STEPS), ...others, ...lists].sort(),
  );
});
