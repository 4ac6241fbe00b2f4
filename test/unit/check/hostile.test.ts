/** The hostile guest's host side: machines that fall over, and the shortest rounds that show it. */
import { describe, expect, it } from "vitest";
import { type CheckHostSystem, hostileGuest } from "../../../src/check/index.ts";

const START = ["TAP version 14", "1..1"];
const STEPS = 16;

interface Boot {
  /** The first round, and in a round alone the steps that are taken. */
  readonly seed: number;
  readonly keep: readonly number[] | undefined;
}

/** What one machine prints, and how it ends; undefined: it hangs until it is killed. */
interface Shown {
  readonly lines: Iterable<string>;
  readonly end: string | undefined;
}

/** A host whose machines only print. */
function hostOf(show: (boot: Boot) => Shown) {
  const words: string[] = [];
  let living = 0;
  const host: CheckHostSystem = {
    ...{ name: "a VMM", arch: "i386", machine: "pc", settings: { packed: "on" } },
    launch: async ({ append }) => {
      words.push(append);
      living++;
      const seed = Number(/hostile\.seed=(\d+)/.exec(append)?.[1]);
      const keep = /hostile\.keep=(\S+)/.exec(append)?.[1]?.split(",").map(Number);
      const { lines, end } = show({ seed, keep });
      let died: (how: string) => void = () => undefined;
      const ended = new Promise<string>((done) => {
        died = (how) => {
          living--;
          died = () => undefined;
          done(how);
        };
      });
      return {
        lines: (async function* () {
          yield* START;
          yield* lines;
          if (end === undefined) await ended;
          else died(end);
        })(),
        ended,
        kill: async () => died("a kill"),
      };
    },
  };
  return { host, words, living: () => living };
}

const HOLDS = ["ok 1 - HOSTILE a device serves a reset"];
const image = "none.elf";

/** Rounds of machines of which those with these steps die. */
function dying(round: number, steps: readonly number[], end = "signal SIGSEGV") {
  return ({ seed, keep }: Boot): Shown => {
    const dies = seed <= round && steps.every((step) => keep?.includes(step) ?? true);
    const last = dies ? round : seed;
    const rounds = Array.from({ length: last - seed + 1 }, (_, n) => `# round ${seed + n}`);
    return dies ? { lines: rounds, end } : { lines: [...rounds, ...HOLDS], end: "exit code 0" };
  };
}

describe("a hostile guest on a VMM that", () => {
  it("lives through all rounds passes, and the report says how many there were", async () => {
    const { host, words } = hostOf(dying(0, []));
    const report = await hostileGuest({ host, image, forMs: 500 });
    expect(report).toMatchObject({ passed: true, scenarios: ["HOSTILE"] });
    expect(report.results[0]).toMatchObject({ outcome: "up", note: "1 round from 1 on" });
    expect(words).toHaveLength(1);
    expect(report.settings).toEqual({ packed: "on", hostile: "seed 1, 500 ms" });
  });

  it("dies is an outcome, with the fewest steps that it takes", async () => {
    const { host, words, living } = hostOf(dying(9, [3, 11]));
    const seen: string[] = [];
    const onProgress = (what: string) => seen.push(what);
    const report = await hostileGuest({ host, image, seed: 7, forMs: 1_000, onProgress });
    expect(report.passed).toBe(false);
    expect(report.results).toMatchObject([{ scenario: "HOSTILE", outcome: "crashed" }]);
    expect(report.results[0]?.note).toBe(
      "signal SIGSEGV; hostile.seed=9 hostile.keep=3,11; 1 of 4 rounds ended so",
    );
    expect(words[0]).toBe("hostile.seed=7 hostile.ms=1000");
    expect(words.length).toBeLessThan(25);
    expect(seen).toContain("round 8");
    expect(seen).toContain(`round 9: ${STEPS} steps`);
    expect(living()).toBe(0);
  });

  it("dies at one step of any round needs few machines to show it", async () => {
    const { host, words } = hostOf(dying(5, [5]));
    const report = await hostileGuest({ host, image, seed: 5, forMs: 1_000 });
    expect(report.results[0]?.note).toContain("hostile.seed=5 hostile.keep=5;");
    expect(words.length).toBeLessThan(12);
  });

  it("falls over in two ways has two results, each counted", async () => {
    const first = dying(2, [0], "signal SIGABRT, at 0x17");
    const later = dying(9, [1], "TypeError");
    const { host } = hostOf((boot) => (boot.seed <= 2 ? first(boot) : later(boot)));
    const report = await hostileGuest({ host, image, seed: 1, forMs: 1_000 });
    expect(report.scenarios).toEqual(["HOSTILE", "HOSTILE-2"]);
    const notes = report.results.map(({ note }) => note);
    expect(notes[0]).toContain("signal SIGABRT, at 0x17; hostile.seed=2 hostile.keep=0; 1 of 10");
    expect(notes[1]).toContain("TypeError; hostile.seed=9 hostile.keep=1; 1 of 10");
  });

  it("fails a clean start has it as a broken MUST", async () => {
    const { host } = hostOf(({ keep }) => {
      const steps = keep ?? [0];
      if (!steps.includes(0)) return { lines: ["# round 4", ...HOLDS], end: "exit code 0" };
      const block = [
        "  ---",
        '  section: "2.4.1"',
        '  level: "MUST"',
        '  seen: "status 8; round 4: x"',
      ];
      const lines = ["# round 4", "not ok 1 - HOSTILE a device serves", ...block];
      return { lines, end: "exit code 1" };
    });
    const { results } = await hostileGuest({ host, image, seed: 4, forMs: 1 });
    expect(results[0]?.findings).toMatchObject([{ level: "MUST", section: "2.4.1" }]);
    expect(results[0]).toMatchObject({ scenario: "HOSTILE", outcome: "up", passed: false });
    expect(results[0]?.note).toContain("hostile.seed=4 hostile.keep=0");
  });

  it("dies after the rounds before, and not in the last one alone, is said so", async () => {
    const { host } = hostOf(({ keep }) =>
      keep === undefined
        ? { lines: ["# round 1", "# round 2"], end: "signal SIGSEGV" }
        : { lines: ["# round 2", ...HOLDS], end: "exit code 0" },
    );
    const { results } = await hostileGuest({ host, image, forMs: 1 });
    expect(results[0]?.note).toContain("hostile.seed=1 hostile.ms=1; round 2, and only after");
  });

  it("floods its serial port, or gives up, is ended", async () => {
    const flood = hostOf(() => ({
      lines: (function* () {
        for (;;) yield "A".repeat(80);
      })(),
      end: "never",
    }));
    const { results } = await hostileGuest({ host: flood.host, image, forMs: 1 });
    expect(results[0]?.note).toContain("it floods its serial port");
    const lost = hostOf(() => ({ lines: ["Bail out! no balloon"], end: "exit code 1" }));
    const report = await hostileGuest({ host: lost.host, image, forMs: 60_000 });
    expect(report.results[0]?.note).toContain("no balloon");
    expect(lost.words).toHaveLength(3);
  });

  it("runs when the caller gives up is killed, and the caller's reason is thrown", async () => {
    const { host, living } = hostOf(() => ({ lines: ["# round 1"], end: undefined }));
    const given = new AbortController();
    const work = hostileGuest({ host, image, signal: given.signal });
    setTimeout(() => given.abort(new Error("enough")), 20);
    await expect(work).rejects.toThrow("enough");
    expect(living()).toBe(0);
  });
});
