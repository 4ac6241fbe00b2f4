/** Policies on traces of demand: what is counted is what driver and device did. */
import { describe, expect, it } from "vitest";
import { follow, type Policy } from "../../../runtime/index.ts";
import {
  checkedTrace,
  namedTrace,
  type SimulateOptions,
  simulate,
  simulationLines,
  TRACE_NAMES,
} from "../../../src/lab/index.ts";

const PAGES = 2048;

function play(options: Partial<SimulateOptions>) {
  const trace = [{ atMs: 0, usedPages: 200, targetPages: 1000 }];
  return simulate({ policy: "follow", trace, pages: PAGES, durationMs: 2000, ...options });
}

describe("a policy on a trace", () => {
  it("moves what the host asks for, and the sums agree with the samples", async () => {
    const trace = [
      { atMs: 0, usedPages: 200, targetPages: 1000 },
      { atMs: 500, targetPages: 100 },
      { atMs: 1000, usedPages: 1800 },
    ];
    const simulation = await play({ trace });
    const at = (ms: number) => simulation.samples.find(({ atMs }) => atMs === ms);
    expect(at(400)).toEqual({
      ...{ atMs: 400, targetPages: 1000, heldPages: 1000 },
      ...{ freePages: PAGES - 1200, usedPages: 200, wantedPages: 200 },
    });
    expect(at(900)).toMatchObject({ heldPages: 100, usedPages: 200 });
    expect(at(2000)).toMatchObject({ heldPages: 100, usedPages: 1800, freePages: PAGES - 1900 });
    expect(simulation).toMatchObject({ inflatedPages: 1000, deflatedPages: 900, shortages: 0 });
    expect(simulation.samples).toHaveLength(21);
    for (const { heldPages, freePages, usedPages } of simulation.samples) {
      expect(heldPages + freePages + usedPages).toBeLessThanOrEqual(PAGES);
    }
  });

  it("counts what programs lacked until the host gave way", async () => {
    const trace = [
      { atMs: 0, targetPages: 1500 },
      { atMs: 500, usedPages: 1000 },
      { atMs: 1000, targetPages: 0 },
    ];
    const simulation = await play({ trace, profile: "crosvm" });
    const withoutOom = await play({ trace, profile: "qemu" });
    // The host without DEFLATE_ON_OOM leaves the program without 452 pages for half a second.
    expect(withoutOom).toMatchObject({ shortages: 1, shortPagesMost: 1000 + 1500 - PAGES });
    expect(withoutOom.shortMs).toBeGreaterThanOrEqual(490);
    expect(withoutOom.shortMs).toBeLessThanOrEqual(520);
    // With it the guest takes them back at once.
    expect(simulation.shortMs).toBeLessThan(50);
    expect(simulation.samples.find(({ atMs }) => atMs === 900)?.heldPages).toBeLessThan(1500);
  });

  it("leaves the reserve free", async () => {
    const trace = [{ atMs: 0, usedPages: 0, targetPages: PAGES }];
    const { samples } = await play({ trace, reservePages: 300 });
    expect(samples.at(-1)).toMatchObject({ heldPages: PAGES - 300, freePages: 300 });
  });

  it("is the same each time", async () => {
    const trace = namedTrace("spike", { pages: PAGES, durationMs: 9000 });
    const once = await play({ trace, durationMs: 9000 });
    expect(await play({ trace, durationMs: 9000 })).toEqual(once);
  });

  it("goes on without a policy that lies, and says so", async () => {
    const stock = follow();
    const liar: Policy = {
      name: "mine",
      decide: (view) =>
        view.nowMs < 200 ? stock.decide(view) : { ...stock.decide(view), goalPages: Number.NaN },
    };
    const trace = [
      { atMs: 0, targetPages: 500 },
      { atMs: 1000, targetPages: 800 },
    ];
    const simulation = await play({ policy: liar, trace });
    expect(simulation.policy).toBe("mine");
    expect(simulation.trouble).toMatch(/policy mine.*goalPages NaN/);
    expect(simulation.samples.at(-1)?.heldPages).toBe(800);
    expect(simulationLines(simulation).join("\n")).toContain("goalPages NaN");
  });

  it("ends when it is told to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(play({ signal })).rejects.toThrow("enough");
  });

  it.each([
    [{ pages: 0 }, /pages.*0.*from 1 to 262144/],
    [{ pages: 1.5 }, /pages.*1\.5/],
    [{ durationMs: Number.NaN }, /durationMs.*NaN/],
    [{ trace: [{ atMs: 3000 }] }, /durationMs.*2000.*from 3000/],
    [{ sampleMs: 1 }, /sampleMs.*from 10/],
    [{ trace: [] }, /no steps/],
    [{ policy: "flolow" as "follow" }, /flolow/],
  ] satisfies [Partial<SimulateOptions>, RegExp][])("is refused with %j", async (options, said) => {
    await expect(play(options)).rejects.toMatchObject({ code: "config" });
    await expect(play(options)).rejects.toThrow(said);
  });
});

describe("a trace", () => {
  it.each(TRACE_NAMES)("%s asks for what the guest can give", (name) => {
    const steps = checkedTrace(namedTrace(name, { pages: PAGES, durationMs: 30_000 }));
    expect(steps).toHaveLength(300);
    const used = steps.map(({ usedPages = -1 }) => usedPages);
    expect(Math.min(...used)).toBeGreaterThan(0);
    expect(Math.max(...used)).toBeGreaterThan(PAGES / 2);
    expect(Math.max(...used)).toBeLessThan(PAGES);
    for (const { targetPages = -1 } of steps) {
      expect(targetPages).toBeGreaterThanOrEqual(0);
      expect(targetPages).toBeLessThan(PAGES);
    }
  });

  it.each([
    ["no list", {}, /trace: seen object/],
    ["a step without a time", [{ usedPages: 1 }], /step 0/],
    ["a step back", [{ atMs: 5 }, { atMs: 5 }], /step 1/],
    ["a negative size", [{ atMs: 0, usedPages: -1 }], /step 0/],
    ["a part of a page", [{ atMs: 0, targetPages: 0.5 }], /step 0/],
    ["a name that means nothing", [{ atMs: 0, target: 1 }], /step 0/],
    ["null", [null], /step 0/],
  ])("is refused with %s", (_, trace, said) => {
    expect(() => checkedTrace(trace)).toThrow(said);
  });
});

describe("the plot", () => {
  it("is as wide as it may be, with a bar for the mean of each column", async () => {
    const simulation = await play({ trace: [{ atMs: 0, targetPages: 1024 }], durationMs: 1000 });
    const lines = simulationLines(simulation, { columns: 28 });
    expect(lines[0]).toBe("follow: 1 s; a full bar is 8.0 MiB");
    const row = (name: string) => lines.find((line) => line.startsWith(name)) ?? "";
    expect(row("target")).toBe(`target  ${"▄".repeat(20)}`);
    expect(row("used")).toBe(`used    ${" ".repeat(20)}`);
    expect(lines).toContain("moved            1,024 pages in, 0 pages out");
    expect(lines).toContain("shortages        none");
  });
});
