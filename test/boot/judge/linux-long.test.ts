/**
 * Debian's kernels on every kind of device: each order of completion, each fault, each profile. How
 * they end, and what they break. Each was looked up in the specification and in Linux's source.
 */
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { judgeKernel, scenarios } from "../../../src/judge/index.ts";
import { kernelOrSkip, qemu11OrSkip } from "../../support/tools.ts";

const RUN_MS = 1_800_000;
const KERNELS = ["linux-6.1-x86_64", "linux-7-x86_64"];

const USUAL = "up G-NOTIFY-EARLY";
/** Nothing comes back, so `actual` is never written. */
const WAITS = "up G-NOTIFY-EARLY Q-ACTUAL-INIT";
/** Linux uses nothing that the fault spoils. */
const LEFT_OUT = "left out G-NOTIFY-EARLY";

const EXPECTED: Readonly<Record<string, string>> = {
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
  "fault-hint-id-stale": WAITS,
  "fault-hint-done-early": WAITS,
  "fault-gone": "lost G-NOTIFY-EARLY",
  "fault-gone-zeros": "lost G-NOTIFY-EARLY",
  "fault-needs-reset": "lost G-NOTIFY-EARLY",
  "profile-qemu": USUAL,
  "profile-v86": USUAL,
  "profile-firecracker": USUAL,
  "profile-crosvm": USUAL,
  // It has no statistics.
  "profile-cloud-hypervisor": "up",
  "profile-libkrun": WAITS,
};

/** Of a buffer or two, these show by chance: by where the pages lie, and by when it is looked. */
const BY_CHANCE: readonly string[] = ["Q-ORDER", "Q-NEEDS-RESET"];

/** It takes ten minutes for each kernel on a busy machine: `npm run test:long` alone runs it. */
const isLong = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;

describe.runIf(isLong).each(KERNELS)("%s", (name) => {
  it("ends so on every kind of device", { timeout: RUN_MS }, async (context) => {
    const kernel = kernelOrSkip(context, name);
    const names = scenarios
      .map((scenario) => scenario.name)
      .filter((one) => /^(?:completion|fault|profile)-/.test(one));
    const { results } = await judgeKernel({
      kernel,
      modules: join(dirname(kernel), "modules"),
      qemu: qemu11OrSkip(context),
      signal: context.signal,
      scenarios: names,
      device: { profile: "strict", transport: "modern" },
    });
    const told = results.map(({ scenario, outcome, findings }) => {
      const rules = findings.map(({ rule }) => rule).filter((rule) => !BY_CHANCE.includes(rule));
      return [scenario, [outcome ?? "left out", ...rules.sort()].join(" ")];
    });
    expect(Object.fromEntries(told)).toEqual(EXPECTED);
  });
});
