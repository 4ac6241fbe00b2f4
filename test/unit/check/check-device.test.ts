/** Checking a device: what a machine prints, and how it ends, to a report. */
import { describe, expect, it } from "vitest";
import type { CheckResult } from "../../../runtime/check/suite.ts";
import { checks } from "../../../runtime/check/suite.ts";
import { tapHead, tapLines, tapSummary } from "../../../runtime/check/tap.ts";
import { type CheckHostSystem, checkDevice, type HostLaunch } from "../../../src/check/index.ts";
import { readTap } from "../../../src/check/tap.ts";

/** Results of which every fourth is of another kind, and one breaks a recommendation. */
const results = checks.map((check, index): CheckResult => {
  if (index % 4 === 1) return { check, outcome: "broken", seen: `a "thing" # ${index}` };
  if (index % 4 === 2) return { check, outcome: "left out", seen: "no # of it" };
  return { check, outcome: "holds", seen: "" };
});
const names = checks.map(({ id }) => id);
const LINES = [
  "ballonet: a line of the log",
  ...tapHead(checks.length),
  `# checks ${names.join(",")}`,
  ...results.flatMap((result, index) => tapLines(result, index + 1)),
  ...tapSummary(results),
];

interface MadeUp {
  /** What it prints; without end when it is a function. */
  readonly lines: readonly string[] | (() => string);
  /** How it ends by itself; undefined: it hangs until it is killed. */
  readonly end?: string;
}

/** A host whose machine only prints. */
function hostOf({ lines, end }: MadeUp) {
  const launches: HostLaunch[] = [];
  let kills = 0;
  const host: CheckHostSystem = {
    ...{ name: "a VMM 1.0", arch: "i386", machine: "pc", control: "com2" },
    launch: async (options) => {
      launches.push(options);
      let killed = () => {};
      const death = new Promise<string>((done) => {
        killed = () => done("a signal");
      });
      async function* printed() {
        if (typeof lines === "function") for (;;) yield lines();
        yield* lines;
        if (end === undefined) await death;
      }
      const kill = async () => {
        kills++;
        killed();
      };
      return { lines: printed(), ended: end === undefined ? death : Promise.resolve(end), kill };
    },
  };
  return { host, launches, killed: () => kills > 0 };
}

const image = "none.elf";
/** How the report says that not all checks came to their end. */
const endOf = (report: Awaited<ReturnType<typeof checkDevice>>) => {
  const last = report.results.at(-1);
  expect(last).toMatchObject({ scenario: "ENDS", outcome: "crashed", passed: false });
  expect(report.passed).toBe(false);
  return last?.note;
};

describe("a report", () => {
  it("has each check with what the guest said of it", async () => {
    const { host, launches, killed } = hostOf({ lines: LINES, end: "exit code 1" });
    const told: string[] = [];
    const report = await checkDevice({ host, image, onCheck: (id) => told.push(id) });
    expect(told).toEqual(names);
    expect(report.scenarios).toEqual(names);
    expect(report).toMatchObject({ driver: "a VMM 1.0", profile: "pc", passed: false });
    for (const [index, { check, outcome, seen }] of results.entries()) {
      const result = report.results[index];
      expect(result).toMatchObject({ scenario: check.id, text: `a device ${check.says}` });
      expect(result?.outcome).toBe(outcome === "left out" ? null : "up");
      expect(result?.note).toBe(outcome === "left out" ? "no  of it" : null);
      const { section, level } = check;
      const found = outcome === "broken" ? [{ rule: check.id, section, level, seen }] : [];
      expect(result?.findings).toMatchObject(found);
      const isBad = outcome === "broken" && level.startsWith("MUST");
      expect(result?.passed).toBe(!isBad);
    }
    expect(launches[0]).toMatchObject({ image, append: "check.host=com2" });
    expect(killed()).toBe(true);
  });

  it("asks the guest for the checks and the part that are wanted", async () => {
    const { host, launches } = hostOf({ lines: LINES, end: "exit code 1" });
    const only = names.slice(0, 2);
    const report = await checkDevice({ host, image, only, shard: { number: 2, of: 3 } });
    expect(launches[0]?.append).toBe(
      `check.host=com2 check.only=${only.join(",")} check.shard=2/3`,
    );
    expect(report.shard).toBe("2/3");
  });

  it("is refused for checks that the guest does not know, with those that are near", async () => {
    const lines = [`# known ${names.join(",")}`, "Bail out! no check FRAMMING, framing"];
    const { host, killed } = hostOf({ lines, end: "exit code 1" });
    const work = checkDevice({ host, image, only: ["FRAMMING", "framing", names[0] ?? ""] });
    await expect(work).rejects.toMatchObject({
      ...{ kind: "usage", what: "checks", seen: '"FRAMMING", "framing"' },
      todo: `did you mean FRAMING? a report without --only names all ${names.length}`,
    });
    expect(killed()).toBe(true);
  });

  it("is refused where a part has no check", async () => {
    const lines = ["1..0", "# checks FRAMING", ...tapSummary([])];
    const { host } = hostOf({ lines, end: "exit code 0" });
    const only = ["FRAMING"];
    const work = checkDevice({ host, image, only, shard: { number: 2, of: 2 } });
    await expect(work).rejects.toThrow(/part 2\/2 of 1/);
  });
});

describe("a machine that", () => {
  it("dies is an outcome, which says after which check", async () => {
    const { host } = hostOf({ lines: LINES.slice(0, 6), end: "signal SIGSEGV" });
    const report = await checkDevice({ host, image });
    expect(endOf(report)).toBe(`signal SIGSEGV, after ${names[1]}`);
    expect(report.results.at(-1)?.lastSteps).toEqual(
      LINES.slice(0, 6).map((line) => line.slice(0, 400)),
    );
  });

  it("hangs is killed in time, and is an outcome", async () => {
    const { host, killed } = hostOf({ lines: [] });
    const note = endOf(await checkDevice({ host, image, timeoutMs: 50 }));
    expect(note).toBe("it did not end within 50 ms, before the first check");
    expect(killed()).toBe(true);
  });

  it("floods its serial port is killed, and is an outcome", async () => {
    const { host, killed } = hostOf({ lines: () => `ok 1 - ${"A".repeat(9)} a device is` });
    const note = endOf(await checkDevice({ host, image }));
    expect(note).toMatch(/^it floods its serial port, after A+$/);
    expect(killed()).toBe(true);
  });

  it("gives up says why", async () => {
    const { host } = hostOf({ lines: ["Bail out! no memory"], end: "exit code 11" });
    expect(endOf(await checkDevice({ host, image }))).toBe("no memory, before the first check");
  });

  it("runs when the caller gives up is killed, and the caller's reason is thrown", async () => {
    const { host, killed } = hostOf({ lines: [] });
    const given = new AbortController();
    const work = checkDevice({ host, image, signal: given.signal });
    setTimeout(() => given.abort(new Error("enough")), 20);
    await expect(work).rejects.toThrow("enough");
    expect(killed()).toBe(true);
  });
});

describe("what is read as TAP", () => {
  const read = (...lines: string[]) =>
    readTap(
      (async function* () {
        yield* lines;
      })(),
    );

  it("keeps a cut value as it is, and takes other lines for the log", async () => {
    const run = await read(
      "1..2",
      "not ok 1 - A a device is",
      '  seen: "\\q"',
      "  seen: no",
      "ok?",
    );
    expect(run).toMatchObject({ planned: 2, points: [{ id: "A", about: { seen: '"\\q"' } }] });
  });

  it("gives a value without a result to nobody", async () => {
    expect((await read('  seen: "x"')).points).toEqual([]);
  });
});
