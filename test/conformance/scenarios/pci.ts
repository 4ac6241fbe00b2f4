/**
 * The scenarios of what PCI can be: the older interface, a device with both, messages in place of a
 * line, and nothing but looking.
 */

import type { TestVmOptions } from "../../support/vm.ts";
import { watch } from "../../support/vm.ts";
import type { Testbed } from "../testbed.ts";
import { GUEST_FRAMES, late, type Machine, restart, reversals, targets } from "./moves.ts";

const legacy = { transport: "legacy", completion: late } as const;
const transitional = { transport: "transitional", completion: late } as const;
const preferLegacy = { discover: { prefer: "legacy" } } as const;
/** One for each queue and one for the configuration, and some to spare. */
const MANY = 8;

/** Several targets, and at the end the driver is interrupted in this way. */
async function interrupted(
  testbed: Testbed,
  kind: "polling" | "line" | "msix",
  machine: Machine,
  more: TestVmOptions = {},
) {
  const vm = await targets(testbed, machine, more);
  const { interrupts } = vm.balloon.status();
  testbed.check("B-INTERRUPTS", interrupts === kind, `${interrupts} instead of ${kind}`);
}

/** Messages get lost: what the driver was not told of it finds by looking. */
async function lostMessages(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { vectors: MANY, completion: late } });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const target of [500, 900, 200]) {
    vm.machine.inject({ name: "message-lost", times: 2 });
    vm.machine.setTarget(target);
    watch(vm, 5000);
    testbed.checkAtRest(vm, { held: target });
  }
}

async function spuriousMessages(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { vectors: MANY, completion: late } });
  for (const target of [500, 20]) {
    vm.machine.setTarget(target);
    vm.machine.spuriousInterrupt();
    watch(vm, 10);
    vm.machine.spuriousInterrupt();
    testbed.checkAtRest(vm, { held: target });
    vm.machine.spuriousInterrupt();
    testbed.checkAtRest(vm, { held: target });
  }
}

/** The driver before this one left the device to its messages; this one has its line. */
async function leftOn(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { vectors: MANY } });
  vm.machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
  await vm.balloon.suspend();
  await vm.balloon.resume();
  testbed.checkAtRest(vm, { held: 300 });
  const { interrupts } = vm.balloon.status();
  testbed.check("B-INTERRUPTS", interrupts === "msix", `${interrupts} after waking up`);
}

export const pciScenarios = {
  "legacy PCI": (testbed: Testbed) => interrupted(testbed, "line", legacy),
  "legacy PCI, reversals": (testbed: Testbed) => reversals(testbed, legacy),
  "legacy PCI, a device that asks for a reset": (testbed: Testbed) => restart(testbed, legacy),
  "legacy PCI, every feature that it can have": (testbed: Testbed) =>
    targets(testbed, { ...legacy, offer: { freePageHint: true, pageReporting: true } }),
  "legacy PCI, MSI-X": (testbed: Testbed) =>
    interrupted(testbed, "msix", { ...legacy, vectors: MANY }),
  "legacy PCI, MSI-X, a device that asks for a reset": (testbed: Testbed) =>
    restart(testbed, { ...legacy, vectors: MANY }),
  "transitional, its modern interface": (testbed: Testbed) =>
    interrupted(testbed, "line", transitional),
  "transitional, its legacy interface": (testbed: Testbed) =>
    interrupted(testbed, "line", transitional, preferLegacy),
  "transitional, its legacy interface, MSI-X": (testbed: Testbed) =>
    interrupted(testbed, "msix", { ...transitional, vectors: MANY }, preferLegacy),
  "MSI-X": (testbed: Testbed) => interrupted(testbed, "msix", { vectors: MANY, completion: late }),
  "MSI-X, two vectors": (testbed: Testbed) => interrupted(testbed, "msix", { vectors: 2 }),
  "MSI-X, one vector": (testbed: Testbed) => interrupted(testbed, "msix", { vectors: 1 }),
  "MSI-X, few messages left": (testbed: Testbed) =>
    interrupted(testbed, "msix", { vectors: MANY, messages: 3 }),
  "MSI-X, a machine without messages": (testbed: Testbed) =>
    interrupted(testbed, "line", { vectors: MANY, messages: 0 }),
  "MSI-X, a line by choice": (testbed: Testbed) =>
    interrupted(testbed, "line", { vectors: MANY }, { discover: { interrupts: "line" } }),
  "MSI-X, every vector refused": (testbed: Testbed) =>
    interrupted(testbed, "line", {
      vectors: MANY,
      faults: [{ name: "vector-refused", times: 1000 }],
    }),
  "MSI-X, lost messages": lostMessages,
  "MSI-X, messages without cause": spuriousMessages,
  "MSI-X, suspend and resume": leftOn,
  "MSI-X, a device that asks for a reset": (testbed: Testbed) =>
    restart(testbed, { vectors: MANY }),
  polling: (testbed: Testbed) =>
    interrupted(testbed, "polling", { completion: late }, { discover: { interrupts: "polling" } }),
} as const;
