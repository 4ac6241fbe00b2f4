/**
 * Behaviours on real QEMU and v86: a few of them, each of another kind. `npm run test:long` runs all
 * on both, and on the newest QEMU.
 */
import { expect, test } from "vitest";
import {
  behaviours,
  type CheckHostSystem,
  checkBehaviours,
  qemuHost,
} from "../../../src/check/index.ts";
import { qemu11OrSkip } from "../../support/tools.ts";
import { v86Host } from "../../support/v86-host.ts";

const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= 1000;
const QEMU_FEW = [
  "firecracker/test_rss_memory_lower",
  "cloud-hypervisor/test_virtio_balloon_deflate_on_oom",
  "cloud-hypervisor/test_live_migration_balloon",
  "firecracker/test_memory_scrub-reporting",
];
const V86_FEW = [
  "firecracker/test_memory_scrub-hinting",
  "cloud-hypervisor/test_live_migration_balloon",
];

/** v86 has no process of its own to measure, and no features to choose from. */
const NO_RESIDENT = /^left out: the host's hand: resident/;
const NO_OOM = /^left out: the host's hand: deflate-on-oom$/;
const NO_REPORTING = /^left out: the host's hand: reporting$/;
const V86_KNOWN: Readonly<Record<string, RegExp>> = {
  "firecracker/test_device_reset": /^up: the host shows 10240 pages, not 5120/,
  "firecracker/test_stats_update": /^left out: the host's hand: interval$/,
  "firecracker/test_rss_memory_lower": NO_RESIDENT,
  "firecracker/test_deflate_on_oom-true": NO_OOM,
  "firecracker/test_deflate_on_oom-false": NO_OOM,
  "firecracker/test_balloon_snapshot": NO_RESIDENT,
  "firecracker/test_hinting_reporting_snapshot-reporting": NO_RESIDENT,
  "firecracker/test_hinting_reporting_snapshot-hinting": NO_RESIDENT,
  "cloud-hypervisor/test_virtio_balloon_free_page_reporting": NO_RESIDENT,
  "firecracker/test_memory_scrub-traditional":
    /^up: (\d+) of \1 pages still have what was in them$/,
  "firecracker/test_memory_scrub-reporting": NO_REPORTING,
};

/** What QEMU does otherwise, or cannot do: README.md says why. */
const QEMU_KNOWN: Readonly<Record<string, RegExp>> = {
  "stratovirt/balloon_feature_001": /^up: FEATURES-INVALID: /,
  "firecracker/test_stats_update": /^up: no sample comes/,
  "firecracker/test_memory_scrub-hinting": /^left out: the host's hand: hint$/,
  "firecracker/test_hinting_reporting_snapshot-hinting": /^left out: the host's hand: hint$/,
};
const QEMU_7_KNOWN = {
  ...QEMU_KNOWN,
  "qemu/test_virtio_balloon_stats": /^up: \d+ statistics are there after a reset$/,
};

/** Runs all, or of `few` what is there; what does not hold has to be known. */
async function expectKnown(
  host: CheckHostSystem,
  few: readonly string[],
  known: Readonly<Record<string, RegExp>>,
): Promise<void> {
  const { results } = await checkBehaviours({ host, ...(!IS_LONG && { only: few }) });
  expect(results).toHaveLength(IS_LONG ? behaviours.length : few.length);
  for (const { scenario, outcome, note, findings, lastSteps } of results) {
    if (outcome === "up" && findings.length === 0) continue;
    const seen = `${outcome ?? "left out"}: ${findings[0]?.seen ?? note}`;
    expect([scenario, seen, ...lastSteps]).toEqual([
      scenario,
      expect.stringMatching(known[scenario] ?? /^holds$/),
    ]);
  }
}

const LIMIT = { timeout: IS_LONG ? 600_000 : 180_000 };

test("QEMU, as installed", LIMIT, async () => {
  await expectKnown(await qemuHost(), QEMU_FEW, QEMU_7_KNOWN);
});

test.skipIf(!IS_LONG)("the newest QEMU", LIMIT, async (context) => {
  await expectKnown(await qemuHost({ binary: qemu11OrSkip(context) }), [], QEMU_KNOWN);
});

test("v86", LIMIT, async () => {
  await expectKnown(v86Host(), V86_FEW, V86_KNOWN);
});
