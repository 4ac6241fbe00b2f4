/**
 * An unmodified Linux for i386 in v86: what its driver breaks there, from one state saved after its
 * boot.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readKernel } from "../../../src/judge/agent/kernel.ts";
import { readModules } from "../../../src/judge/agent/modules.ts";
import { linuxInV86, runScenario, type Scenario, scenarios } from "../../../src/judge/index.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { ROOT } from "../support/cli-program.ts";

const FOLDER = join(ROOT, "build/kernels/linux-6.1-i386");
const BOOT_MS = 240_000;
const MEMORY_BYTES = 128 * 1024 * 1024;

/** How it ends, and the rules that it breaks. */
const EXPECTED: Readonly<Record<string, string>> = {
  start: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  targets: "up G-NOTIFY-EARLY Q-ORDER",
  reversed: "up G-NOTIFY-EARLY Q-ORDER",
  statistics: "up G-NOTIFY-EARLY Q-ACTUAL-INIT Q-ORDER",
  hints: "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  pressure: "up G-NOTIFY-EARLY Q-ORDER",
  rebind: "up G-NOTIFY-EARLY Q-ORDER",
  reload: "up G-NOTIFY-EARLY Q-ORDER",
  "needs-reset": "lost G-NOTIFY-EARLY Q-NEEDS-RESET Q-ORDER",
  "completion-late": "up G-NOTIFY-EARLY Q-ORDER",
  "completion-shuffled": "up G-NOTIFY-EARLY Q-ORDER",
  move: "up G-NOTIFY-EARLY Q-ORDER",
  "hints-pressure": "up G-NOTIFY-EARLY Q-ACTUAL-INIT",
  "fault-refuse-features": "gave up",
  "profile-firecracker": "up G-NOTIFY-EARLY Q-ORDER",
};

function scenarioNamed(name: string): Scenario {
  return scenarios.find((one) => one.name === name) as Scenario;
}

it("is judged in every scenario that it can do", { timeout: BOOT_MS }, async (context) => {
  const here = existsSync(join(FOLDER, "vmlinuz")) ? FOLDER : undefined;
  const folder = toolOrSkip(context, here, "Linux for i386");
  const kernel = await readKernel(join(folder, "vmlinuz"));
  const modules = await readModules(join(folder, "modules"));
  const platform = linuxInV86({ kernel, modules, memoryBytes: MEMORY_BYTES, device: {} });
  onTestFinished(() => platform.end());
  const told: Record<string, string> = {};
  for (const name of Object.keys(EXPECTED)) {
    const { outcome, findings } = await runScenario(platform, scenarioNamed(name));
    told[name] = [outcome, ...findings.map(({ rule }) => rule).sort()].join(" ");
  }
  expect(told).toEqual(EXPECTED);
});
