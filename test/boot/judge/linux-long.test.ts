/** Debian's kernels in every scenario there is: on QEMU for x86_64, in v86 for i386. */
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { judgeKernel, runScenario, scenarios } from "../../../src/judge/index.ts";
import { kernelOrSkip, qemu11OrSkip } from "../../support/tools.ts";
import { linuxOf } from "./linux-in-v86.ts";
import { expectOutcomes, IN_V86, OUTCOMES } from "./linux-outcomes.ts";

const RUN_MS = 1_800_000;

/** It takes five minutes for each kernel on a busy machine: `npm run test:long` alone runs it. */
const isLong = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;

const NAMES = scenarios.map(({ name }) => name);

describe.runIf(isLong)("in every scenario", () => {
  it("there is an outcome to expect", () => {
    expect(Object.keys(OUTCOMES).sort()).toEqual([...NAMES].sort());
  });

  it.for(["linux-6.1-x86_64", "linux-7-x86_64"])(
    "%s on QEMU ends so",
    { timeout: RUN_MS },
    async (name, context) => {
      const kernel = kernelOrSkip(context, name);
      const { results } = await judgeKernel({
        kernel,
        modules: join(dirname(kernel), "modules"),
        qemu: qemu11OrSkip(context),
        signal: context.signal,
        scenarios: NAMES,
        device: { profile: "strict", transport: "modern" },
      });
      expectOutcomes(results, OUTCOMES);
    },
  );

  it("Linux 6.1 for i386 in v86 ends so", { timeout: RUN_MS }, async (context) => {
    const platform = await linuxOf(context);
    onTestFinished(() => platform.end());
    const results = [];
    for (const scenario of scenarios) {
      results.push(await runScenario(platform, scenario, context.signal));
    }
    expectOutcomes(results, IN_V86);
  });
});
