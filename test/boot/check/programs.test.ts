/**
 * The real Firecracker, cloud-hypervisor and crosvm, where a variable names them and the machine has
 * KVM. They are no tools of the setup, so without them the test is skipped in CI, too.
 */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { checks } from "../../../runtime/check/suite.ts";
import {
  checkDevice,
  cloudHypervisorHost,
  crosvmHost,
  firecrackerHost,
} from "../../../src/check/index.ts";

const PROGRAMS = [
  ["Firecracker", "BALLONET_FIRECRACKER", firecrackerHost],
  ["cloud-hypervisor", "BALLONET_CLOUD_HYPERVISOR", cloudHypervisorHost],
  ["crosvm", "BALLONET_CROSVM", crosvmHost],
] as const;

test.for(PROGRAMS)(
  "the checks run to their end on %s",
  { timeout: 120_000 },
  async ([_name, variable, hostOf], context) => {
    const program = process.env[variable] || undefined;
    const missing = program === undefined ? variable : existsSync("/dev/kvm") ? "" : "/dev/kvm";
    if (program === undefined || missing !== "") {
      console.log(`skipped: no ${missing} on this machine`);
      return context.skip(`no ${missing} on this machine`);
    }
    const host = await hostOf({ program: [program] });
    const { results } = await checkDevice({ host });
    expect(results.map(({ scenario }) => scenario)).toEqual(checks.map(({ id }) => id));
    expect(results.find(({ scenario }) => scenario === "VERSION-1")?.outcome).toBe("up");
  },
);
