/** What the judge itself needs of memory while a Linux gives it thousands of pages. */
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readKernel } from "../../../src/judge/agent/kernel.ts";
import { readModules } from "../../../src/judge/agent/modules.ts";
import { runScenario, type Scenario } from "../../../src/judge/index.ts";
import { LinuxInQemu } from "../../../src/judge/qemu/linux.ts";
import { kernelOrSkip, qemu11OrSkip } from "../../support/tools.ts";

const PAGES = 30_000;
const MIB = 2 ** 20;
const GROWTH_BYTES_MAX = 64 * MIB;
const SAMPLE_MS = 20;
const RUN_MS = 240_000;

const RUN = "30,000 pages of Linux's cost the judge at most 64 MiB";
it(RUN, { timeout: RUN_MS }, async (context) => {
  const kernel = await readKernel(kernelOrSkip(context, "linux-7-x86_64"));
  const modules = await readModules(join(dirname(kernel.path), "modules"));
  const platform = new LinuxInQemu({
    ...{ qemu: qemu11OrSkip(context), machine: "pc", kernel, modules },
    ...{ memoryBytes: 256 * MIB, append: "", device: { profile: "strict" } },
  });
  onTestFinished(() => platform.end());
  let grownBytes = 0;
  const scenario: Scenario = {
    name: "large",
    text: "The target goes to 30,000 pages.",
    isDefault: false,
    run: async (guest) => {
      await guest.rest();
      const before = process.memoryUsage.rss();
      const samples = setInterval(() => {
        grownBytes = Math.max(grownBytes, process.memoryUsage.rss() - before);
      }, SAMPLE_MS);
      try {
        guest.device.setTarget(PAGES);
        await guest.rest();
        guest.device.check();
        expect(guest.device.heldPages).toBe(PAGES);
      } finally {
        clearInterval(samples);
      }
    },
  };
  const { outcome, findings } = await runScenario(platform, scenario);
  const rules = findings.map(({ rule }) => rule).sort();
  expect({ outcome, rules }).toEqual({ outcome: "up", rules: ["G-NOTIFY-EARLY", "Q-ORDER"] });
  console.log(`the judge grew by ${Math.round(grownBytes / MIB)} MiB`);
  expect(grownBytes).toBeGreaterThan(0);
  expect(grownBytes).toBeLessThan(GROWTH_BYTES_MAX);
});
