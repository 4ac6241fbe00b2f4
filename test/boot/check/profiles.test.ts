/**
 * Real devices and the profiles that stand for them: every check ends the same on both, and with
 * the same words. A device that differs from its profile is news about one of the two.
 */
import { expect, test } from "vitest";
import type { CheckResult } from "../../../runtime/check/suite.ts";
import {
  type CheckHostSystem,
  checkDevice,
  type HostRequest,
  qemuHost,
} from "../../../src/check/index.ts";
import { createMachine, type MachineOptions } from "../../../src/device/index.ts";
import type { JudgeReport, ScenarioResult } from "../../../src/judge/index.ts";
import { runOn } from "../../conformance/device/reference.ts";
import { qemu11OrSkip } from "../../support/tools.ts";
import { v86Host } from "../../support/v86-host.ts";

type Device = Omit<MachineOptions, "memory">;

/** A counter that starts anywhere. */
const withoutGeneration = (seen: string) => seen.replace(/stays \d+/, "stays");

function lineOfProfile({ check, outcome, seen }: CheckResult): string {
  return `${check.id} ${outcome} ${withoutGeneration(seen)}`;
}

function lineOfReal({ scenario, outcome, note, findings: [finding] }: ScenarioResult): string {
  if (outcome === null) return `${scenario} left out ${note}`;
  const how = outcome === "up" ? "holds" : outcome;
  const ends = finding === undefined ? how : "broken";
  return `${scenario} ${ends} ${withoutGeneration(finding?.seen ?? note ?? "")}`;
}

/** QEMU asks for no hints on its own, v86 does. */
const noHints = ({ do: what }: HostRequest) => !what.startsWith("hint");

async function expectSame(
  host: CheckHostSystem,
  device: Device,
  does?: (request: HostRequest) => boolean,
): Promise<JudgeReport> {
  const report = await checkDevice({ host });
  const wanted = runOn(createMachine, device, undefined, does);
  expect(report.results.map(lineOfReal)).toEqual(wanted.map(lineOfProfile));
  return report;
}

test("v86", async () => {
  const { passed } = await expectSame(v86Host(), { profile: "v86" });
  expect(passed).toBe(false);
}, 120_000);

test.each([
  ["pc", "transitional"],
  ["microvm", "mmio"],
] as const)(
  "QEMU's %s",
  async (machine, transport) => {
    await expectSame(await qemuHost({ machine }), { profile: "qemu", transport }, noHints);
  },
  60_000,
);

test("the newest QEMU, with packed rings and messages", async (context) => {
  const properties = { packed: "on", "disable-legacy": "on", in_order: "on" };
  const host = await qemuHost({ binary: qemu11OrSkip(context), balloon: { properties } });
  const offer = { packed: true, inOrder: true };
  await expectSame(host, { profile: "qemu", offer, vectors: 3 }, noHints);
}, 60_000);
