/** A guest that checks, and a host that never answers it: it waits once, and its run comes to an end. */
import { expect, test } from "vitest";
import { provideCheckImage } from "../../../src/image/index.ts";
import { launchQemu } from "../../../src/vmm/qemu/qemu.ts";
import { BOOT_MS, MIB } from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";

const ANSWER_MS = 10_000;
/** The guest's clock and this one may part by some hundredths. */
const EARLY_MS = 500;
const LIMIT = { timeout: 3 * BOOT_MS };

test("a host that never answers is waited for once", LIMIT, async (context) => {
  toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
  const { path } = await provideCheckImage({ arch: "x86_64" });
  const append = "check.host=com2 check.only=CONFIG-EVENT,STATS-ORDER,STATS-UNKNOWN";
  const vm = await launchQemu({ arch: "x86_64", image: path, memoryBytes: 64 * MIB, append });
  context.onTestFinished(async () => {
    await vm.kill();
  });
  await vm.log.waitForLine({ pattern: /^# checks /, timeoutMs: BOOT_MS });
  const startMs = performance.now();
  expect(await vm.exited).toMatchObject({ reason: "guest" });
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeGreaterThan(ANSWER_MS - EARLY_MS);
  expect(tookMs).toBeLessThan(2 * ANSWER_MS - EARLY_MS);
  const results = vm.log.lines.filter((line) => /^(not )?ok /.test(line));
  expect(results).toHaveLength(3);
  for (const line of results) expect(line).toContain("# SKIP the host's hand");
});
