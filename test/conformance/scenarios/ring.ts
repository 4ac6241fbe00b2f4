/**
 * The scenarios of what rings can be: packed ones, buffers in order, data with notifications,
 * queues that are reset by themselves, and queues that are not the driver's.
 */

import { watch } from "../../support/vm.ts";
import type { Testbed } from "../testbed.ts";
import { GUEST_FRAMES, late, type Machine, restart, reversals, targets } from "./moves.ts";

const scattered = { kind: "scattered", ms: 25 } as const;
/** Longer than the driver waits for a queue that hangs, and than it waits for its reset. */
const PATIENCE_MS = 6000;

/**
 * The inflate queue hangs until it is reset: with RING_RESET its pages come back, and the queue is
 * used again.
 */
export async function queueReset(testbed: Testbed, machine: Machine = {}) {
  const { offer } = machine;
  const vm = await testbed.vm({ machine: { ...machine, offer: { ...offer, ringReset: true } } });
  vm.guest.grow(GUEST_FRAMES, 3);
  vm.machine.setTarget(600);
  testbed.checkAtRest(vm, { held: 600 });
  vm.machine.inject({ name: "queue-hangs", queue: 0 });
  vm.machine.setTarget(1000);
  watch(vm, 100);
  vm.machine.setTarget(200);
  watch(vm, PATIENCE_MS);
  const { inflating } = vm.balloon.counts();
  testbed.check("B-QUEUE-RESET", inflating === 0, `${inflating} pages still in flight`);
  testbed.checkAtRest(vm, { held: 200 });
  vm.machine.setTarget(900);
  testbed.checkAtRest(vm, { held: 900 });
  vm.machine.setTarget(0);
  testbed.checkAtRest(vm, { held: 0 });
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
  "packed rings": (testbed: Testbed) => targets(testbed, packed),
  "packed rings, late": (testbed: Testbed) => targets(testbed, { ...packed, completion: late }),
  "packed rings, scattered": (testbed: Testbed) =>
    targets(testbed, { ...packed, completion: scattered }),
  "packed rings of five": (testbed: Testbed) =>
    targets(testbed, { ...packed, ringSize: 5, completion: scattered }),
  "packed rings of two": (testbed: Testbed) => targets(testbed, { ...packed, ringSize: 2 }),
  "packed rings of two, late": (testbed: Testbed) =>
    reversals(testbed, { ...packed, ringSize: 2, completion: late }),
  "packed rings, no indirect tables": (testbed: Testbed) =>
    targets(testbed, { offer: { packed: true, indirect: false } }),
  "packed rings, without EVENT_IDX": (testbed: Testbed) =>
    targets(testbed, { offer: { packed: true, eventIdx: false } }),
  "packed rings, a device that wants quiet while it works": (testbed: Testbed) =>
    reversals(testbed, { ...packed, quietWhileBusy: true, completion: late }),
  "packed rings, reversals": (testbed: Testbed) =>
    reversals(testbed, { ...packed, completion: scattered }),
  "packed rings, a device that asks for a reset": (testbed: Testbed) => restart(testbed, packed),
  "buffers in order": (testbed: Testbed) => targets(testbed, { ...inOrder, completion: late }),
  "buffers in order, rings of four": (testbed: Testbed) =>
    targets(testbed, { ...inOrder, ringSize: 4, completion: late }),
  "buffers in order, one used entry each": (testbed: Testbed) =>
    targets(testbed, { ...inOrder, inOrderBatches: false, completion: scattered }),
  "buffers in order, reversals": (testbed: Testbed) =>
    reversals(testbed, { ...inOrder, completion: scattered }),
  "buffers in order, packed rings": (testbed: Testbed) =>
    targets(testbed, { ...packedInOrder, completion: late }),
  "buffers in order, packed rings of five": (testbed: Testbed) =>
    targets(testbed, { ...packedInOrder, ringSize: 5, completion: scattered }),
  "data with notifications": (testbed: Testbed) => targets(testbed, { ...data, completion: late }),
  "data with notifications, packed rings": (testbed: Testbed) =>
    targets(testbed, { ...packedData, completion: late }),
  "all that rings can be": (testbed: Testbed) =>
    targets(testbed, { offer: everything, completion: late }),
  "a queue that hangs": (testbed: Testbed) => queueReset(testbed),
  "a queue that hangs, packed rings": (testbed: Testbed) => queueReset(testbed, packed),
  "a queue that hangs, buffers in order": (testbed: Testbed) => queueReset(testbed, inOrder),
  "a queue that hangs, its reset is slow": (testbed: Testbed) =>
    queueReset(testbed, { faults: [{ name: "queue-reset-slow", times: 3 }] }),
  "features refused twice": (testbed: Testbed) =>
    targets(testbed, { faults: [{ name: "refuse-features", times: 2 }] }),
  "queues of features that nobody has described": (testbed: Testbed) =>
    targets(testbed, {
      queueNumbering: "compact-offered",
      strangeQueues: 2,
      offer: { pageReporting: true },
    }),
} as const satisfies Record<string, (testbed: Testbed) => Promise<unknown>>;
