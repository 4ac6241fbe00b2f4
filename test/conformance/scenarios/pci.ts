/**
 * The scenarios of what PCI can be: the older interface, a device with both, messages in place of a
 * line, and nothing but looking.
 *
 * It must not know mutants. Invariant: as in scenarios.ts.
 */

import type { Bench } from "../../support/testbed.ts";
import type { TestVmOptions } from "../../support/vm.ts";
import { watch } from "../../support/vm.ts";
import { GUEST_FRAMES, late, type Machine, restart, reversals, targets } from "./moves.ts";

const legacy = { transport: "legacy", completion: late } as const;
const transitional = { transport: "transitional", completion: late } as const;
const preferLegacy = { discover: { prefer: "legacy" } } as const;
/** One for each queue and one for the configuration, and some to spare. */
const MANY = 8;

/** Several targets, and at the end the driver is interrupted in this way. */
async function interrupted(
  bench: Bench,
  kind: "polling" | "line" | "msix",
  machine: Machine,
  more: TestVmOptions = {},
) {
  const vm = await targets(bench, machine, more);
  const { interrupts } = vm.balloon.status();
  bench.owes("B-INTERRUPTS", interrupts === kind, `${interrupts} instead of ${kind}`);
}

/** Messages get lost: what the driver was not told of it finds by looking. */
async function lostMessages(bench: Bench) {
  const vm = await bench.vm({ machine: { vectors: MANY, completion: late } });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const target of [500, 900, 200]) {
    vm.machine.inject({ name: "message-lost", times: 2 });
    vm.machine.setTarget(target);
    watch(vm, 5000);
    bench.rest(vm, { held: target });
  }
}

async function spuriousMessages(bench: Bench) {
  const vm = await bench.vm({ machine: { vectors: MANY, completion: late } });
  for (const target of [500, 20]) {
    vm.machine.setTarget(target);
    vm.machine.spuriousInterrupt();
    watch(vm, 10);
    vm.machine.spuriousInterrupt();
    bench.rest(vm, { held: target });
    vm.machine.spuriousInterrupt();
    bench.rest(vm, { held: target });
  }
}

/** The driver before this one left the device to its messages; this one has its line. */
async function leftOn(bench: Bench) {
  const vm = await bench.vm({ machine: { vectors: MANY } });
  vm.machine.setTarget(300);
  bench.rest(vm, { held: 300 });
  await vm.balloon.suspend();
  await vm.balloon.resume();
  bench.rest(vm, { held: 300 });
  const { interrupts } = vm.balloon.status();
  bench.owes("B-INTERRUPTS", interrupts === "msix", `${interrupts} after waking up`);
}

export const pciScenarios = {
  "legacy PCI": (bench: Bench) => interrupted(bench, "line", legacy),
  "legacy PCI, reversals": (bench: Bench) => reversals(bench, legacy),
  "legacy PCI, a device that asks for a reset": (bench: Bench) => restart(bench, legacy),
  "legacy PCI, every feature that it can have": (bench: Bench) =>
    targets(bench, { ...legacy, offer: { freePageHint: true, pageReporting: true } }),
  "legacy PCI, MSI-X": (bench: Bench) => interrupted(bench, "msix", { ...legacy, vectors: MANY }),
  "legacy PCI, MSI-X, a device that asks for a reset": (bench: Bench) =>
    restart(bench, { ...legacy, vectors: MANY }),
  "transitional, its modern interface": (bench: Bench) => interrupted(bench, "line", transitional),
  "transitional, its legacy interface": (bench: Bench) =>
    interrupted(bench, "line", transitional, preferLegacy),
  "transitional, its legacy interface, MSI-X": (bench: Bench) =>
    interrupted(bench, "msix", { ...transitional, vectors: MANY }, preferLegacy),
  "MSI-X": (bench: Bench) => interrupted(bench, "msix", { vectors: MANY, completion: late }),
  "MSI-X, two vectors": (bench: Bench) => interrupted(bench, "msix", { vectors: 2 }),
  "MSI-X, one vector": (bench: Bench) => interrupted(bench, "msix", { vectors: 1 }),
  "MSI-X, few messages left": (bench: Bench) =>
    interrupted(bench, "msix", { vectors: MANY, messages: 3 }),
  "MSI-X, a machine without messages": (bench: Bench) =>
    interrupted(bench, "line", { vectors: MANY, messages: 0 }),
  "MSI-X, a line by choice": (bench: Bench) =>
    interrupted(bench, "line", { vectors: MANY }, { discover: { interrupts: "line" } }),
  "MSI-X, every vector refused": (bench: Bench) =>
    interrupted(bench, "line", {
      vectors: MANY,
      faults: [{ name: "vector-refused", times: 1000 }],
    }),
  "MSI-X, lost messages": lostMessages,
  "MSI-X, messages without cause": spuriousMessages,
  "MSI-X, suspend and resume": leftOn,
  "MSI-X, a device that asks for a reset": (bench: Bench) => restart(bench, { vectors: MANY }),
  polling: (bench: Bench) =>
    interrupted(bench, "polling", { completion: late }, { discover: { interrupts: "polling" } }),
} as const;
