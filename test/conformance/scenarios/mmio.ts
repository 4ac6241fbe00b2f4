/**
 * The scenarios over memory-mapped registers, in both versions: found by name and by probing, reset,
 * with and without what some devices lack.
 *
 * It must not know mutants. Invariant: as in scenarios.ts.
 */
import type { Bench } from "../../support/testbed.ts";
import { late, restart, targets } from "./moves.ts";
import { queueReset } from "./ring.ts";

const mmio = { transport: "mmio" } as const;
const legacy = { transport: "legacy-mmio" } as const;
const probing = { discover: { probe: true } } as const;

export const mmioScenarios = {
  "MMIO, found by its name": (bench: Bench) => targets(bench, mmio),
  "MMIO, found by probing": (bench: Bench) => targets(bench, mmio, probing),
  "MMIO, packed rings": (bench: Bench) => targets(bench, { ...mmio, offer: { packed: true } }),
  "MMIO, data with notifications": (bench: Bench) =>
    targets(bench, { ...mmio, offer: { notificationData: true }, completion: late }),
  "MMIO, a device that asks for a reset": (bench: Bench) => restart(bench, mmio),
  "MMIO, a queue that hangs": (bench: Bench) => queueReset(bench, mmio),
  "MMIO, a queue that hangs, its reset is slow": (bench: Bench) =>
    queueReset(bench, { ...mmio, faults: [{ name: "queue-reset-slow", times: 3 }] }),
  "MMIO, a queue that hangs, its reset has no register": (bench: Bench) =>
    queueReset(bench, { ...mmio, mmio: { queueReset: false } }),
  "MMIO, somebody listens to the interrupt": async (bench: Bench) => {
    const vm = await bench.vm({ machine: mmio });
    vm.machine.onInterrupt = () => {};
    vm.machine.setTarget(100);
    bench.rest(vm, { held: 100 });
  },
  "legacy MMIO, found by its name": (bench: Bench) => targets(bench, legacy),
  "legacy MMIO, found by probing": (bench: Bench) => targets(bench, legacy, probing),
  "legacy MMIO, a device that asks for a reset": (bench: Bench) => restart(bench, legacy),
} as const satisfies Record<string, (bench: Bench) => Promise<unknown>>;
