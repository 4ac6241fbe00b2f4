/** The hostile guest in an image: rounds until the time is over or the device is, told as TAP. */
import type { Bench } from "../check/bench.ts";
import { type Check, inSection } from "../check/check.ts";
import { hostileRound, stepsOf } from "../check/hostile.ts";
import { tapHead, tapLines } from "../check/tap.ts";

const [HOSTILE] = inSection("2.4.1", [
  [
    "HOSTILE",
    "MUST",
    "serves a reset and a clean start, whatever a guest has done",
    () => undefined,
  ],
]) as [Check];

/** What the words of the command line say. */
export interface HostileOptions {
  /** Of the first round; each next one has the next number. */
  readonly seed: number;
  /** Milliseconds. */
  readonly forMs: number;
  /** Places of the steps to take, of one round alone. */
  readonly keep?: readonly number[];
  now(): number;
  print(line: string): void;
}

/**
 * Returns whether the device held. Each round is told before it begins, and of one alone each step:
 * it may be the last.
 */
export function runHostile(bench: Bench, options: HostileOptions): boolean {
  const { seed, forMs, keep, now, print } = options;
  for (const line of tapHead(1)) print(line);
  const end = now() + forMs;
  let round = seed;
  let wrong: string | undefined;
  do {
    print(`# round ${round}`);
    const onStep = (text: string) => keep && print(`# step ${text}`);
    wrong = hostileRound(bench, round, { keep, onStep });
    round++;
  } while (wrong === undefined && keep === undefined && now() < end);
  const taken = stepsOf(round - 1).filter((_, place) => keep?.includes(place) ?? true);
  const seen = `${wrong}; round ${round - 1}: ${taken.map(({ text }) => text).join("; ")}`;
  const outcome = wrong === undefined ? "holds" : "broken";
  for (const line of tapLines({ check: HOSTILE, outcome, seen }, 1)) print(line);
  print(`# ${round - seed} rounds from ${seed} on`);
  return wrong === undefined;
}
