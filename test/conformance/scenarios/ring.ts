/**
 * The scenarios of what rings can be: packed ones, buffers in order, data with notifications,
 * queues that are reset by themselves, and queues that are not the driver's.
 *
 * It must not know mutants. Invariant: as in scenarios.ts.
 */

import type { Bench } from "../../support/testbed.ts";
import { watch } from "../../support/vm.ts";
import { GUEST_FRAMES, late, type Machine, restart, reversals, targets } from "./moves.ts";

const scattered = { kind: "scattered", ms: 25 } as const;
/** Longer than the driver waits for a queue that hangs, and than it waits for its reset. */
const PATIENCE_MS = 6000;

/**
 * The inflate queue hangs until it is reset: with RING_RESET its pages come back, and the queue is
 * used again.
 */
export async function queueReset(bench: Bench, machine: Machine = {}) {
  const { offer } = machine;
  const vm = await bench.vm({ machine: { ...machine, offer: { ...offer, ringReset: true } } });
  vm.guest.grow(GUEST_FRAMES, 3);
  vm.machine.setTarget(600);
  bench.rest(vm, { held: 600 });
  vm.machine.inject({ name: "queue-hangs", queue: 0 });
  vm.machine.setTarget(1000);
  watch(vm, 100);
  vm.machine.setTarget(200);
  watch(vm, PATIENCE_MS);
  const { inflating } = vm.balloon.counts();
  bench.owes("B-QUEUE-RESET", inflating === 0, `${inflating} pages still in flight`);
  bench.rest(vm, { held: 200 });
  vm.machine.setTarget(900);
  bench.rest(vm, { held: 900 });
  vm.machine.setTarget(0);
  bench.rest(vm, { held: 0 });
}

const packed = { offer: { packed: true } } as const;
const inOrder = { offer: { inOrder: true } } as const;
const packedInOrder = { offer: { packed: true, inOrder: true } } as const;
const data = { offer: { notificationData: true } } as const;
const packedData = { offer: { packed: true, notificationData: true } } as const;
const everything = {
  packed: true,
  inOrder: true,
  notificationData: true,
  ringReset: true,
  freePageHint: true,
  pageReporting: true,
} as const;

export const ringScenarios = {
  "packed rings": (bench: Bench) => targets(bench, packed),
  "packed rings, late": (bench: Bench) => targets(bench, { ...packed, completion: late }),
  "packed rings, scattered": (bench: Bench) => targets(bench, { ...packed, completion: scattered }),
  "packed rings of five": (bench: Bench) =>
    targets(bench, { ...packed, ringSize: 5, completion: scattered }),
  "packed rings of two": (bench: Bench) => targets(bench, { ...packed, ringSize: 2 }),
  "packed rings of two, late": (bench: Bench) =>
    reversals(bench, { ...packed, ringSize: 2, completion: late }),
  "packed rings, no indirect tables": (bench: Bench) =>
    targets(bench, { offer: { packed: true, indirect: false } }),
  "packed rings, without EVENT_IDX": (bench: Bench) =>
    targets(bench, { offer: { packed: true, eventIdx: false } }),
  "packed rings, a device that wants quiet while it works": (bench: Bench) =>
    reversals(bench, { ...packed, quietWhileBusy: true, completion: late }),
  "packed rings, reversals": (bench: Bench) =>
    reversals(bench, { ...packed, completion: scattered }),
  "packed rings, a device that asks for a reset": (bench: Bench) => restart(bench, packed),
  "buffers in order": (bench: Bench) => targets(bench, { ...inOrder, completion: late }),
  "buffers in order, rings of four": (bench: Bench) =>
    targets(bench, { ...inOrder, ringSize: 4, completion: late }),
  "buffers in order, one used entry each": (bench: Bench) =>
    targets(bench, { ...inOrder, inOrderBatches: false, completion: scattered }),
  "buffers in order, reversals": (bench: Bench) =>
    reversals(bench, { ...inOrder, completion: scattered }),
  "buffers in order, packed rings": (bench: Bench) =>
    targets(bench, { ...packedInOrder, completion: late }),
  "buffers in order, packed rings of five": (bench: Bench) =>
    targets(bench, { ...packedInOrder, ringSize: 5, completion: scattered }),
  "data with notifications": (bench: Bench) => targets(bench, { ...data, completion: late }),
  "data with notifications, packed rings": (bench: Bench) =>
    targets(bench, { ...packedData, completion: late }),
  "all that rings can be": (bench: Bench) =>
    targets(bench, { offer: everything, completion: late }),
  "a queue that hangs": (bench: Bench) => queueReset(bench),
  "a queue that hangs, packed rings": (bench: Bench) => queueReset(bench, packed),
  "a queue that hangs, buffers in order": (bench: Bench) => queueReset(bench, inOrder),
  "a queue that hangs, its reset is slow": (bench: Bench) =>
    queueReset(bench, { faults: [{ name: "queue-reset-slow", times: 3 }] }),
  "features refused twice": (bench: Bench) =>
    targets(bench, { faults: [{ name: "refuse-features", times: 2 }] }),
  "queues of features that nobody has described": (bench: Bench) =>
    targets(bench, {
      queueNumbering: "compact-offered",
      strangeQueues: 2,
      offer: { pageReporting: true },
    }),
} as const satisfies Record<string, (bench: Bench) => Promise<unknown>>;
