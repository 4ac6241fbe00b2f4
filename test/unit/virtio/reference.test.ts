/** Discovery, the modern transport and bring-up against the reference machine and its judge. */
import { describe, expect, it } from "vitest";
import {
  BALLOON_CONFIG,
  BALLOON_CONFIG_LENGTH,
  BALLOON_PCI_IDS,
} from "../../../runtime/balloon/constants.ts";
import { portConfigAccess } from "../../../runtime/pci/config.ts";
import { enumeratePci, matchPci } from "../../../runtime/pci/enumerate.ts";
import { BringUp } from "../../../runtime/virtio/bring-up.ts";
import { STATUS, VIRTIO_PCI_VENDOR } from "../../../runtime/virtio/constants.ts";
import { featureSet } from "../../../runtime/virtio/features.ts";
import { openModernPci } from "../../../runtime/virtio/pci/modern.ts";
import type { Transport } from "../../../runtime/virtio/transport.ts";
import {
  createMachine,
  type FaultSpec,
  formatVerdict,
  type Machine,
  type MachineOptions,
  type ProfileName,
  profiles,
} from "../../../src/device/index.ts";

const PAGE = 4096;
/** Three rings of up to 256 entries fit well below this. */
const MEMORY_BYTES = 64 * PAGE;
/** What this test can answer for: the queues exist and stay empty. */
const WANTED = featureSet(0, 28, 29, 32);

function machineFor(options: Partial<MachineOptions> = {}): Machine {
  const buffer = new ArrayBuffer(MEMORY_BYTES);
  return createMachine({ memory: { buffer }, ...options });
}

function find(machine: Machine): Transport {
  const { hal } = machine;
  const config = portConfigAccess(hal);
  const found = matchPci(enumeratePci({ config }), VIRTIO_PCI_VENDOR, BALLOON_PCI_IDS);
  expect(found).toHaveLength(1);
  const { address } = found[0] as (typeof found)[number];
  return openModernPci({ hal, config, address, configLength: BALLOON_CONFIG_LENGTH });
}

/** A bring-up of the inflate and deflate queues alone, each on pages of its own. */
function bringUpOf(transport: Transport): BringUp {
  return new BringUp({
    transport,
    decide: (offered, refusals) => offered & (refusals === 0 ? WANTED : featureSet(0, 32)),
    queues: () =>
      [0, 1].map((index) => ({
        index,
        size: transport.queueMaxSize(index),
        descriptorArea: (4 + 8 * index) * PAGE,
        driverArea: (6 + 8 * index) * PAGE,
        deviceArea: (8 + 8 * index) * PAGE,
      })),
  });
}

function drive(bringUp: BringUp): string[] {
  const steps: string[] = [];
  for (let turn = 0; turn < 2000; turn++) {
    const step = bringUp.advance();
    steps.push(step);
    if (step === "running" || step === "failed") return steps;
  }
  throw new Error("bring-up does not end");
}

function broken(machine: Machine): string[] {
  return machine.verdicts.map(formatVerdict);
}

const PLACES = [
  { name: "on the first bus", pci: {} },
  { name: "behind a bridge", pci: { bus: 1 } },
  { name: "as function 3, among decoys", pci: { function: 3, decoys: true } },
  { name: "behind a bridge, as function 5", pci: { bus: 1, function: 5, decoys: true } },
] as const;

describe("the reference machine", () => {
  for (const profile of Object.keys(profiles) as ProfileName[]) {
    for (const { name, pci } of PLACES) {
      it(`is found and brought up: ${profile}, ${name}`, () => {
        const machine = machineFor({ profile, pci });
        const transport = find(machine);
        const bringUp = bringUpOf(transport);
        expect(drive(bringUp).at(-1)).toBe("running");
        expect(machine.status).toBe(
          STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK,
        );
        const { negotiation } = bringUp.state as { negotiation: { negotiated: bigint } };
        expect(machine.negotiated).toBe(negotiation.negotiated);
        expect(broken(machine)).toEqual([]);
      });
    }
  }

  it("shows its configuration, and a changed target by an interrupt", () => {
    const machine = machineFor({ profile: "qemu", staleActual: 9 });
    const transport = find(machine);
    drive(bringUpOf(transport));
    machine.setTarget(7);
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: false, config: true });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: false, config: false });
    const { numPages, actual } = BALLOON_CONFIG;
    expect(transport.readConfig(numPages)).toBe(7);
    expect(transport.readConfig(actual)).toBe(9);
    transport.writeConfig(actual, 0);
    expect(machine.actual).toBe(0);
    expect(broken(machine)).toEqual([]);
  });

  it("can be torn down and brought up again", () => {
    const machine = machineFor();
    const transport = find(machine);
    drive(bringUpOf(transport));
    transport.tearDown();
    expect(machine.status).toBe(0);
    expect(drive(bringUpOf(transport)).at(-1)).toBe("running");
    transport.notify(0);
    machine.run();
    expect(broken(machine)).toEqual([]);
  });
});

describe("faults during bring-up", () => {
  const withFault = (fault: FaultSpec, offer: MachineOptions["offer"] = {}) => {
    const machine = machineFor({ faults: [fault], offer });
    const bringUp = bringUpOf(find(machine));
    drive(bringUp);
    return { machine, state: bringUp.state };
  };

  it("one refusal: negotiated anew with less", () => {
    const { machine, state } = withFault({ name: "refuse-features", times: 1 });
    expect(state).toMatchObject({ name: "running", negotiation: { refusals: 1 } });
    expect(machine.negotiated).toBe(featureSet(0, 32));
    expect(broken(machine)).toEqual([]);
  });

  it("endless refusal: FAILED, with the reason", () => {
    const { machine, state } = withFault({ name: "refuse-features", times: 100 });
    expect(state).toMatchObject({ name: "failed", error: { code: "features" } });
    expect(machine.status & STATUS.FAILED).toBe(STATUS.FAILED);
    expect(broken(machine)).toEqual([]);
  });

  it("a device that insists on MUST_TELL_HOST gets it", () => {
    const { machine, state } = withFault({ name: "refuse-without-must-tell-host" });
    expect(state).toMatchObject({ name: "running", negotiation: { refusals: 0 } });
    expect(broken(machine)).toEqual([]);
  });

  it("a slow reset: waited for", () => {
    const machine = machineFor();
    const transport = find(machine);
    drive(bringUpOf(transport));
    machine.inject({ name: "reset-slow", times: 20 });
    const steps = drive(bringUpOf(transport));
    expect(steps.filter((step) => step === "wait").length).toBeGreaterThan(10);
    expect(steps.at(-1)).toBe("running");
    expect(broken(machine)).toEqual([]);
  });

  it("a reset that never ends: given up", () => {
    const machine = machineFor();
    const transport = find(machine);
    drive(bringUpOf(transport));
    machine.inject({ name: "reset-never-clears" });
    const again = bringUpOf(transport);
    expect(drive(again).at(-1)).toBe("failed");
    expect(again.state).toMatchObject({ error: { code: "reset-timeout" } });
    expect(broken(machine)).toEqual([]);
  });

  it("a device without VERSION_1: refused, since this transport needs it", () => {
    const { state } = withFault({ name: "reset-slow" }, { version1: false });
    expect(state).toMatchObject({ name: "failed", error: { code: "features" } });
  });
});
