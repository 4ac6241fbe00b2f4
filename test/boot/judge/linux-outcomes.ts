/**
 * What an unmodified Linux does in each scenario on the strict device with PCI's modern interface:
 * how it ends, and the rules that it breaks. Each was looked up in the specification and in Linux's
 * source. Three of Debian's kernels do the same, but for what is said below.
 */
import { expect } from "vitest";
import type { JudgeReport, ScenarioResult } from "../../../src/judge/index.ts";

const USUAL = "up G-NOTIFY-EARLY Q-ORDER";
/** Nothing comes back, so `actual` is never written; the order is that of the few pages told of. */
const WAITS = "up G-NOTIFY-EARLY Q-ACTUAL-INIT Q-ORDER?";
/** Linux uses nothing that the fault spoils. */
const LEFT_OUT = "left out G-NOTIFY-EARLY Q-ORDER";

/** Rules with a `?` show by chance: by where the pages lie, and by when it is looked. */
export const OUTCOMES: Readonly<Record<string, string>> = {
  start: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  targets: USUAL,
  reversed: USUAL,
  unreachable: "up G-NOTIFY-EARLY Q-ACTUAL-BURST Q-ORDER",
  statistics: "up G-NOTIFY-EARLY Q-ACTUAL-INIT Q-ORDER",
  hints: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  "hints-stopped": "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  // These kernels clear all memory before they use it (init_on_alloc=1).
  "hints-pressure": "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  reports: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  // The command line has no page_poison=1.
  poison: "left out G-NOTIFY-EARLY",
  pressure: USUAL,
  oom: "up D4 G-NOTIFY-EARLY Q-ORDER",
  rebind: USUAL,
  "rebind-no-oom": "up D7 G-NOTIFY-EARLY Q-ORDER",
  reload: USUAL,
  removal: USUAL,
  suspend: "up G-FEATURE-READ G-NOTIFY-EARLY Q-ORDER",
  move: USUAL,
  "needs-reset": "lost G-NOTIFY-EARLY Q-NEEDS-RESET Q-ORDER",
  "completion-late": USUAL,
  "completion-scattered": USUAL,
  "completion-batched": USUAL,
  "completion-shuffled": USUAL,
  "completion-never": WAITS,
  "fault-used-id-out-of-range": WAITS,
  "fault-used-id-not-in-flight": WAITS,
  "fault-used-id-twice": USUAL,
  "fault-used-idx-jump": USUAL,
  "fault-used-idx-back": USUAL,
  "fault-used-unseen": WAITS,
  "fault-queue-hangs": USUAL,
  "fault-used-flags-stray": USUAL,
  "fault-event-bits-stray": LEFT_OUT,
  "fault-refuse-features": "gave up",
  "fault-refuse-without-must-tell-host": USUAL,
  "fault-reset-never-clears": "gave up",
  "fault-reset-slow": USUAL,
  "fault-queue-reset-slow": LEFT_OUT,
  "fault-queue-reset-never": LEFT_OUT,
  "fault-vector-refused": LEFT_OUT,
  "fault-message-lost": LEFT_OUT,
  "fault-generation-never-settles": LEFT_OUT,
  "fault-hint-id-stale": "up G-NOTIFY-EARLY Q-ACTUAL-INIT Q-ORDER",
  "fault-hint-done-early": "up G-NOTIFY-EARLY Q-ACTUAL-INIT Q-ORDER",
  "fault-gone": "lost G-NOTIFY-EARLY Q-ORDER?",
  "fault-gone-zeros": "lost G-NOTIFY-EARLY Q-ORDER?",
  "fault-needs-reset": "lost G-NOTIFY-EARLY Q-NEEDS-RESET? Q-ORDER?",
  "profile-qemu": USUAL,
  "profile-v86": USUAL,
  "profile-firecracker": USUAL,
  "profile-crosvm": USUAL,
  // It has no statistics.
  "profile-cloud-hypervisor": "up Q-ORDER",
  "profile-libkrun": WAITS,
};

/** In v86 a function is not removed, a machine does not sleep, and memory is too small to report. */
export const IN_V86: Readonly<Record<string, string>> = {
  ...OUTCOMES,
  // Linux writes `actual` again where it finds no more page to take back.
  oom: "up D4 G-NOTIFY-EARLY Q-ACTUAL-BURST? Q-ORDER",
  reports: "left out G-NOTIFY-EARLY",
  removal: "left out G-NOTIFY-EARLY",
  suspend: "left out G-NOTIFY-EARLY",
};

/** How a scenario ended and the rules that were broken, each once. */
function inShort({ outcome, findings }: ScenarioResult): string {
  return [outcome ?? "left out", ...findings.map(({ rule }) => rule).sort()].join(" ");
}

/** Compares results with a table, in which all of their scenarios must stand. */
export function expectOutcomes(
  results: JudgeReport["results"],
  table: Readonly<Record<string, string>>,
): void {
  const told = results.map((result) => [result.scenario, inShort(result)]);
  const expected = results.map((result) => {
    const words = (table[result.scenario] ?? "unknown").split(" ");
    const seen = inShort(result).split(" ");
    const due = words.filter((word) => !word.endsWith("?") || seen.includes(word.slice(0, -1)));
    return [result.scenario, due.map((word) => word.replace("?", "")).join(" ")];
  });
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(expected));
}
