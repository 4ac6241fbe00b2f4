/**
 * The scenarios over memory-mapped registers, in both versions: found by name and by probing,
 * reset, with and without what some devices lack.
 */
import type { Testbed } from "../testbed.ts";
import { late, restart, targets } from "./moves.ts";
import { queueReset } from "./ring.ts";

const mmio = { transport: "mmio" } as const;
const legacy = { transport: "legacy-mmio" } as const;
const probing = { discover: { probe: true } } as const;

export const mmioScenarios = {
  "MMIO, found by its name": (testbed: Testbed) => targets(testbed, mmio),
  "MMIO, found by probing": (testbed: Testbed) => targets(testbed, mmio, probing),
  "MMIO, packed rings": (testbed: Testbed) =>
    targets(testbed, { ...mmio, offer: { packed: true } }),
  "MMIO, data with notifications": (testbed: Testbed) =>
    targets(testbed, { ...mmio, offer: { notificationData: true }, completion: late }),
  "MMIO, a device that asks for a reset": (testbed: Testbed) => restart(testbed, mmio),
  "MMIO, a queue that hangs": (testbed: Testbed) => queueReset(testbed, mmio),
  "MMIO, a queue that hangs, its reset is slow": (testbed: Testbed) =>
    queueReset(testbed, { ...mmio, faults: [{ name: "queue-reset-slow", times: 3 }] }),
  "MMIO, a queue that hangs, its reset has no register": (testbed: Testbed) =>
    queueReset(testbed, { ...mmio, mmio: { queueReset: false } }),
  "MMIO, somebody listens to the interrupt": async (testbed: Testbed) => {
    const vm = await testbed.vm({ machine: mmio });
    vm.machine.onInterrupt = () => {};
    vm.machine.setTarget(100);
    testbed.checkAtRest(vm, { held: 100 });
  },
  "legacy MMIO, found by its name": (testbed: Testbed) => targets(testbed, legacy),
  "legacy MMIO, found by probing": (testbed: Testbed) => targets(testbed, legacy, probing),
  "legacy MMIO, a device that asks for a reset": (testbed: Testbed) => restart(testbed, legacy),
} as const satisfies Record<string, (testbed: Testbed) => Promise<unknown>>;
