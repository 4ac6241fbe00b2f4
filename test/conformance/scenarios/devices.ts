/**
 * The scenarios of devices that are all legal and all different: what they offer, how they describe
 * themselves, and how they notify.
 */
import { hasFailed } from "../../../src/device/index.ts";
import { FRAMES, type Testbed } from "../testbed.ts";
import { barriers } from "./barriers.ts";
import { GUEST_FRAMES, late, reversals, targets } from "./moves.ts";

/** A driver may give such a device up (virtio 1.3, 6.1), but not without a word. */
async function withoutVersion1(testbed: Testbed) {
  const machine = await testbed.unusable({ machine: { offer: { version1: false } } });
  const failed = machine !== undefined && hasFailed(machine);
  testbed.check("B-FAILED-BIT", failed, `status ${machine?.status}`);
}

async function spurious(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { completion: late } });
  const disturb = () => {
    for (let n = 0; n < 3; n++) {
      vm.machine.spuriousInterrupt();
      vm.balloon.interrupt();
    }
  };
  disturb();
  for (const held of [600, 90, 0]) {
    vm.machine.setTarget(held);
    vm.balloon.step();
    disturb();
    testbed.checkAtRest(vm, { held });
    disturb();
    testbed.checkAtRest(vm, { held });
  }
}

/** Buffers come back and the target moves, and there is one interrupt for both. */
async function oneForTwo(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { completion: late } });
  vm.machine.setTarget(500);
  vm.balloon.interrupt();
  const { inflating } = vm.balloon.counts();
  testbed.check("B-PROMPT", inflating === 500, `${inflating} pages on their way, 500 expected`);
  vm.machine.advance(late.ms + 1);
  vm.machine.setTarget(700);
  vm.balloon.interrupt();
  const after = vm.balloon.counts();
  testbed.check("B-PROMPT", after.held === 500, `${after.held} pages settled`);
  testbed.check("B-PROMPT", after.inflating === 200, `${after.inflating} pages on their way then`);
  testbed.checkAtRest(vm, { held: 700 });
}

async function newerOfTwo(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { transport: "transitional" } });
  const { transport } = vm.balloon.status();
  testbed.check("B-MODERN", transport.startsWith("modern"), transport);
  testbed.checkAtRest(vm, { held: 0 });
}

async function emptySlots(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { transport: "mmio" }, discover: { probe: true } });
  testbed.checkAtRest(vm, { held: 0 });
  const lines = vm.machine.trace.entries().filter(({ kind }) => kind === "log");
  const errors = lines.filter(({ what }) => /^(warn|error)/.test(what));
  testbed.check("B-EMPTY-SLOT", errors.length === 0, errors.map(({ what }) => what).join());
}

/** The guest wants memory while the device, asked to reset, still has its buffers. */
async function stopAmid(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { completion: late } });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(500);
  testbed.checkAtRest(vm, { held: 500 });
  vm.machine.setTarget(1200);
  vm.balloon.interrupt();
  vm.machine.inject({ name: "reset-slow", times: 5 });
  const stopped = vm.balloon.stop();
  const got = vm.guest.grow(FRAMES, 2);
  const free = FRAMES - GUEST_FRAMES - 1200;
  testbed.check(
    "B-STOP",
    got === free,
    `${got} frames for the guest before the device had stopped`,
  );
  await stopped;
  const { held } = vm.balloon.counts();
  testbed.check("B-STOP", held === 0, `${held} pages are still away`);
  testbed.checkAtRest(vm, { held: 0 });
}

const platform = { accessPlatform: true, orderPlatform: true, notifConfigData: true } as const;
const words = { notifConfigData: true } as const;

export const deviceScenarios = {
  "every feature of platforms offered": (testbed: Testbed) => targets(testbed, { offer: platform }),
  "queues that the device has words for": (testbed: Testbed) => targets(testbed, { offer: words }),
  "queues that the device has words for, data with notifications": (testbed: Testbed) =>
    targets(testbed, { offer: { ...words, notificationData: true } }),
  "a device without VERSION_1": withoutVersion1,
  "a transitional device": (testbed: Testbed) =>
    targets(testbed, { pci: { deviceId: 0x1002, revision: 0, subsystemId: 5 } }),
  "a device of revision 7": (testbed: Testbed) => targets(testbed, { pci: { revision: 7 } }),
  "transitional, which interface": newerOfTwo,
  "legacy PCI, the bit of experiments offered": (testbed: Testbed) =>
    targets(testbed, { transport: "legacy", offer: { extra: [30] } }),
  "legacy PCI, long queues": (testbed: Testbed) =>
    targets(testbed, { transport: "legacy", ringSize: 256, completion: late }),
  "legacy PCI, used.len the total": (testbed: Testbed) =>
    targets(testbed, { transport: "legacy", usedLength: "total" }),
  "MMIO, every feature of platforms offered": (testbed: Testbed) =>
    targets(testbed, { transport: "mmio", offer: platform }),
  "MMIO, empty slots": emptySlots,
  "MMIO, undefined events": (testbed: Testbed) =>
    targets(testbed, { transport: "mmio", faults: [{ name: "event-bits-stray" }] }),
  "interrupts without a cause": spurious,
  "one interrupt for two things": oneForTwo,
  "stop, buffers in flight": stopAmid,
  "a device that wants quiet while it works, without EVENT_IDX": (testbed: Testbed) =>
    reversals(testbed, { quietWhileBusy: true, completion: late, offer: { eventIdx: false } }),
  "used flags that mean nothing": (testbed: Testbed) =>
    targets(testbed, { faults: [{ name: "used-flags-stray" }] }),
  "barriers, split rings": (testbed: Testbed) => barriers(testbed, false),
  "barriers, packed rings": (testbed: Testbed) => barriers(testbed, true),
} as const satisfies Record<string, (testbed: Testbed) => Promise<unknown>>;
