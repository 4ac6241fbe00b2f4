/**
 * Debian's kernels as they are, judged in QEMU: how their driver ends in each scenario, and exactly
 * the rules that it breaks there. Each was looked up in the specification and in Linux's source.
 */
import { dirname, join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import {
  type JudgeKernelOptions,
  type JudgeReport,
  judgeKernel,
} from "../../../src/judge/index.ts";
import { kernelOrSkip, qemu11OrSkip } from "../../support/tools.ts";

/** A boot and a dozen scenarios on a busy machine. */
const RUN_MS = 400_000;

const NEWEST = "linux-7-x86_64";
const KERNELS = ["linux-6.1-x86_64", NEWEST];

/** `npm run test:long` boots the older kernel on a legacy device, too. */
const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;

type Choice = Partial<Omit<JudgeKernelOptions, "device" | "kernel">> & {
  readonly device?: Partial<JudgeKernelOptions["device"]>;
};

function judged(context: TestContext, name: string, choice: Choice): Promise<JudgeReport> {
  const kernel = kernelOrSkip(context, name);
  const { device, ...rest } = choice;
  return judgeKernel({
    kernel,
    modules: join(dirname(kernel), "modules"),
    qemu: qemu11OrSkip(context),
    signal: context.signal,
    ...rest,
    device: { profile: "strict", transport: "modern", ...device },
  });
}

/** Each scenario's outcome and the rules that were broken, without how often. */
function inShort({ results }: JudgeReport): Record<string, string> {
  return Object.fromEntries(
    results.map(({ scenario, outcome, note, findings }) => {
      const rules = findings.map(({ rule }) => rule).sort();
      return [scenario, [outcome ?? `left out: ${note}`, ...rules].join(" ")];
    }),
  );
}

describe.each(KERNELS)("%s", (name) => {
  it("breaks these rules on the strict device", { timeout: RUN_MS }, async (context) => {
    const expected = {
      start: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
      targets: "up G-NOTIFY-EARLY Q-ORDER",
      statistics: "up G-NOTIFY-EARLY Q-ACTUAL-INIT Q-ORDER",
      hints: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
      rebind: "up G-NOTIFY-EARLY Q-ORDER",
      "rebind-no-oom": "up D7 G-NOTIFY-EARLY Q-ORDER",
      reload: "up G-NOTIFY-EARLY Q-ORDER",
      removal: "up G-NOTIFY-EARLY Q-ORDER",
      suspend: "up G-FEATURE-READ G-NOTIFY-EARLY Q-ORDER",
      "completion-scattered": "up G-NOTIFY-EARLY Q-ORDER",
      move: "up G-NOTIFY-EARLY Q-ORDER",
      oom: "up D4 G-NOTIFY-EARLY Q-ORDER",
      // These kernels clear all memory before they use it (init_on_alloc=1).
      "hints-pressure": "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
      "needs-reset": "lost G-NOTIFY-EARLY Q-NEEDS-RESET Q-ORDER",
    };
    const report = await judged(context, name, { scenarios: Object.keys(expected) });
    expect(inShort(report)).toEqual(expected);
    expect(report.passed).toBe(false);
  });

  it.runIf(IS_LONG || name === NEWEST)(
    "writes a legacy device byte by byte, and uses what it hinted as the host left it",
    {
      timeout: RUN_MS,
    },
    async (context) => {
      const report = await judged(context, name, {
        scenarios: ["targets", "hints-pressure"],
        append: "init_on_alloc=0",
        device: { transport: "legacy" },
      });
      expect(inShort(report)).toEqual({
        targets: "up D17 G-NOTIFY-EARLY L-ANY-LAYOUT Q-ORDER",
        "hints-pressure": "up D24 G-NOTIFY-EARLY L-ANY-LAYOUT Q-ACTUAL-INIT",
      });
    },
  );
});

describe("a Linux of today", () => {
  it("takes MSI-X on q35, and leaves out two features that it should accept", {
    timeout: RUN_MS,
  }, async (context) => {
    const report = await judged(context, NEWEST, {
      machine: "q35",
      scenarios: ["targets", "reports"],
      device: { vectors: 3, offer: { accessPlatform: true, notifConfigData: true } },
    });
    expect(inShort(report)).toEqual({
      targets: "up G-ACCESS-PLATFORM G-NOTIF-CONFIG-DATA G-NOTIFY-EARLY Q-ORDER",
      reports: "up G-ACCESS-PLATFORM G-NOTIF-CONFIG-DATA G-NOTIFY-EARLY Q-ACTUAL-INIT",
    });
  });
});
