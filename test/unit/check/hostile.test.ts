/** The hostile guest's host side: a machine that falls over, and the shortest round that shows it. */
import { expect, it } from "vitest";
import { type CheckHostSystem, hostileGuest } from "../../../src/check/index.ts";

/** A machine that dies in round 9 when steps 3 and 11 are taken, and only then. */
function fragile(): CheckHostSystem & { readonly words: string[] } {
  const words: string[] = [];
  return {
    ...{ name: "a VMM", arch: "i386", machine: "pc", words },
    launch: async ({ append }) => {
      words.push(append);
      const keep = /hostile\.keep=(\S+)/.exec(append)?.[1]?.split(",");
      const dies = keep === undefined || (keep.includes("3") && keep.includes("11"));
      const lines = ["TAP version 14", "1..1", "# round 9"];
      if (!dies) lines.push("ok 1 - HOSTILE a device serves a reset", "# 1 rounds from 9 on");
      return {
        lines: (async function* () {
          yield* lines;
        })(),
        ended: Promise.resolve(dies ? "signal SIGSEGV" : "exit code 0"),
        kill: async () => undefined,
      };
    },
  };
}

it("a VMM that dies is an outcome, with the fewest steps that it takes", async () => {
  const host = fragile();
  const report = await hostileGuest({ host, image: "none.elf", seed: 7, forMs: 1_000 });
  expect(report.passed).toBe(false);
  expect(report.results.at(-1)?.note).toBe("signal SIGSEGV, before the first check");
  expect(report.settings).toEqual({ hostile: "hostile.seed=9 hostile.keep=3,11" });
  expect(host.words[0]).toBe("hostile.seed=7 hostile.ms=1000");
});
