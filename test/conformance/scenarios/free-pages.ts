/** The scenarios of free pages: hinted, reported, and filled when they come back. */

import { type TestVm, watch } from "../../support/vm.ts";
import { FRAMES, type Testbed } from "../testbed.ts";
import { GUEST_FRAMES, late, type Machine, RESERVE } from "./moves.ts";

const BLOCK_FRAMES = 512;
/** Several blocks, also when the first is not whole and the guest has broken another one. */
const MORE_FRAMES = 16 * BLOCK_FRAMES;
/** So slow that there is a time between the word that a run is on and its end. */
const slow = { kind: "late", ms: 200 } as const;
/** Time for every portion of reports. */
const LONG_MS = 10_000;
const POISON = 0xaaaa_aaaa;
const PAGE_BYTES = 4096;
/** What is held back from hinting where a machine has little memory. */
const NONE_HELD_BACK = { reservePages: 0 } as const;

/** All that is free beyond the reserve is with the host, and nobody else uses it. */
function handedOver(testbed: Testbed, vm: TestVm, hinted: number): void {
  const wrong = vm.guest.verify();
  testbed.check("B-PATTERNS", wrong === 0, `${wrong} wrong words`);
  const { hinted: kept } = vm.balloon.counts();
  testbed.check("B-HINT-KEEP", kept === hinted, `${kept} pages kept, ${hinted} hinted`);
  const { hintedPages } = vm.machine;
  testbed.check("B-HINT-KEEP", hintedPages === hinted, `the host has ${hintedPages} of ${hinted}`);
}

function doneHinting(testbed: Testbed, vm: TestVm, held = 0): void {
  vm.machine.finishHinting();
  testbed.checkAtRest(vm, { held });
  const { hinted } = vm.balloon.counts();
  testbed.check("B-HINT-BACK", hinted === 0, `${hinted} pages are still away`);
}

/** Three runs, the guest and the balloon at work between them. */
async function hinting(testbed: Testbed, machine: Machine = {}) {
  const { offer } = machine;
  const vm = await testbed.vm({ machine: { ...machine, offer: { ...offer, freePageHint: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const held of [0, 700, 33]) {
    vm.machine.setTarget(held);
    testbed.checkAtRest(vm, { held });
    vm.machine.startHinting();
    testbed.checkAtRest(vm, { held });
    handedOver(testbed, vm, FRAMES - GUEST_FRAMES - RESERVE - held);
    doneHinting(testbed, vm, held);
    vm.guest.shrink(100);
    vm.guest.grow(100, held);
  }
  vm.machine.setTarget(0);
  testbed.checkAtRest(vm, { held: 0 });
}

/** A host that says DONE as soon as it hears STOP, and has one id for all runs. */
async function hintingAgain(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { profile: "v86" } });
  vm.guest.grow(GUEST_FRAMES, 1);
  const most = FRAMES - GUEST_FRAMES - RESERVE;
  for (let run = 1; run < 4; run++) {
    vm.machine.startHinting();
    testbed.checkAtRest(vm, { held: 0 });
    const { starts, stops, pages } = vm.machine.hinting;
    const seen = `${starts} starts, ${stops} stops, ${pages} pages after run ${run}`;
    const good = starts === run && stops === run && pages === run * most;
    testbed.check("B-HINT-AGAIN", good, seen);
    const { hinted } = vm.balloon.counts();
    testbed.check("B-HINT-BACK", hinted === 0, `${hinted} pages are still away`);
  }
}

/** The host says STOP while hints are on their way, and later wants the rest, or not. */
async function hintingPaused(testbed: Testbed) {
  const vm = await testbed.vm({
    machine: { offer: { freePageHint: true }, ringSize: 2, completion: { freePage: slow } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.startHinting();
  watch(vm, 300);
  vm.machine.stopHinting();
  testbed.checkAtRest(vm, { held: 0 });
  const { hinted } = vm.balloon.counts();
  const some = hinted > 0 && hinted < FRAMES - GUEST_FRAMES - RESERVE;
  testbed.check("B-HINT-KEEP", some, `${hinted} pages hinted at the pause`);
  handedOver(testbed, vm, hinted);
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 0 });
  handedOver(testbed, vm, FRAMES - GUEST_FRAMES - RESERVE);
  vm.machine.stopHinting();
  testbed.checkAtRest(vm, { held: 0 });
  doneHinting(testbed, vm);
}

/**
 * A host that shows 0 from a run's first buffer on, and is slow: the guest looks at its target all
 * the while. `found`: it sees the run before it hears of it.
 */
async function hintingUnshown(testbed: Testbed, found: boolean) {
  const vm = await testbed.vm({
    settings: { pollMs: 10 },
    machine: {
      profile: "qemu",
      offer: { freePageHint: true },
      ringSize: 2,
      completion: { freePage: late },
    },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (let run = 1; run < 4; run++) {
    vm.machine.startHinting();
    if (found) {
      vm.machine.advance(20);
      vm.balloon.step();
    }
    testbed.checkAtRest(vm, { held: 0 });
    const { pages, starts } = vm.machine.hinting;
    const most = run * (FRAMES - GUEST_FRAMES - RESERVE);
    const seen = `${pages} pages of ${most}, ${starts} starts after run ${run}`;
    testbed.check("B-HINT-WHOLE", pages === most && starts === run, seen);
    doneHinting(testbed, vm);
  }
}

/** The host is done while the first hints are on their way, and the guest does not look by itself. */
async function hintingCutShort(testbed: Testbed) {
  const vm = await testbed.vm({
    settings: { pollMs: 3_600_000 },
    machine: { offer: { freePageHint: true }, ringSize: 2, completion: { freePage: late } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (let run = 1; run < 4; run++) {
    vm.machine.startHinting();
    watch(vm, 5);
    vm.machine.finishHinting();
    watch(vm, 1000);
    const { hinted } = vm.balloon.counts();
    testbed.check("B-HINT-BACK", hinted === 0, `${hinted} pages are away a second after DONE`);
  }
  testbed.checkAtRest(vm, { held: 0 });
}

/** The host is done, and wants the next run while hints of the last are still on their way. */
async function hintingOverlapped(testbed: Testbed) {
  const vm = await testbed.vm({
    machine: { offer: { freePageHint: true }, completion: { freePage: late } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.startHinting();
  watch(vm, 5);
  vm.machine.finishHinting();
  watch(vm, 5);
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 0 });
  handedOver(testbed, vm, FRAMES - GUEST_FRAMES - RESERVE);
  doneHinting(testbed, vm);
}

/** Nothing is held back, and nothing lies behind the guest's memory that could be hinted. */
async function hintingAll(testbed: Testbed) {
  const vm = await testbed.vm({
    settings: NONE_HELD_BACK,
    machine: { offer: { freePageHint: true }, frames: FRAMES + 1 },
  });
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 0 });
  handedOver(testbed, vm, FRAMES);
  doneHinting(testbed, vm);
}

/** Hinted pages are nobody's: not the guest's, not the balloon's, until the host is done. */
async function hintingAndNeed(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { offer: { freePageHint: true }, completion: late } });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(500);
  testbed.checkAtRest(vm, { held: 500 });
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 500 });
  const { hinted } = vm.balloon.counts();
  vm.machine.setTarget(1500);
  testbed.checkAtRest(vm, { held: 500, memoryShort: true });
  vm.machine.setTarget(400);
  testbed.checkAtRest(vm, { held: 400 });
  handedOver(testbed, vm, hinted);
  doneHinting(testbed, vm, 400);
  vm.machine.setTarget(1200);
  testbed.checkAtRest(vm, { held: 1200 });
}

/** A host that loses patience and names a new run before the old one is done. */
async function hintingAnew(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { offer: { freePageHint: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (let run = 1; run < 4; run++) {
    vm.machine.startHinting();
    testbed.checkAtRest(vm, { held: 0 });
    handedOver(testbed, vm, FRAMES - GUEST_FRAMES - RESERVE);
    const { starts, stops } = vm.machine.hinting;
    const good = starts === run && stops === run;
    testbed.check("B-HINT-AGAIN", good, `${starts} starts, ${stops} stops after run ${run}`);
  }
  doneHinting(testbed, vm);
}

/** A device that wants a reset amid a run gets its run's pages taken away. */
async function hintingAndReset(testbed: Testbed) {
  const vm = await testbed.vm({ machine: { offer: { freePageHint: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 0 });
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 2000);
  const { hinted } = vm.balloon.counts();
  testbed.check("B-HINT-BACK", hinted === 0, `${hinted} pages are still away`);
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 0 });
  handedOver(testbed, vm, FRAMES - GUEST_FRAMES - RESERVE);
  doneHinting(testbed, vm);
}

/** Every block that is free is reported, once for each time that it became free. */
async function reporting(testbed: Testbed, machine: Machine = {}, poison?: number) {
  const { offer } = machine;
  const vm = await testbed.vm({
    frames: MORE_FRAMES,
    machine: { ...machine, offer: { ...offer, pageReporting: true } },
    settings: poison === undefined ? {} : { poison },
  });
  const wait = () => {
    watch(vm, LONG_MS);
    testbed.checkAtRest(vm, { held: 0 });
    const { reporting: away } = vm.balloon.counts();
    testbed.check("B-REPORT-ONCE", away === 0, `${away} pages are still away`);
    return vm.machine.reportedPages.pages;
  };
  vm.guest.grow(GUEST_FRAMES, 1);
  const first = wait();
  const blocks = Math.floor((MORE_FRAMES - GUEST_FRAMES) / BLOCK_FRAMES) - 1;
  const least = blocks * BLOCK_FRAMES;
  testbed.check("B-REPORT-ONCE", first >= least, `${first} pages reported, ${least} expected`);
  const still = wait();
  testbed.check("B-REPORT-ONCE", still === first, `${still} pages, ${first} before`);
  vm.guest.grow(3000, 2);
  vm.guest.shrink(3000);
  const again = wait();
  testbed.check("B-REPORT-ONCE", again > first, `nothing new of 3000 pages`);
  vm.machine.setTarget(2000);
  testbed.checkAtRest(vm, { held: 2000 });
  vm.machine.setTarget(0);
  wait();
}

/** The guest takes all it can get while a report is in flight. */
async function reportingSlowly(testbed: Testbed, machine: Machine = {}) {
  const vm = await testbed.vm({
    frames: MORE_FRAMES,
    machine: {
      ...machine,
      offer: { ...machine.offer, pageReporting: true },
      completion: { reporting: { kind: "late", ms: 300 } },
    },
  });
  for (let turn = 0; turn < 4; turn++) {
    watch(vm, 310);
    const { inFlight } = vm.machine.reportedPages;
    const got = vm.guest.grow(MORE_FRAMES, turn);
    const away = MORE_FRAMES - got;
    testbed.check("B-SUM", away === inFlight, `${away} pages away, ${inFlight} reported`);
    vm.machine.audit();
    watch(vm, 700);
    vm.guest.shrink(MORE_FRAMES);
  }
  testbed.checkAtRest(vm, { held: 0 });
}

/** A second's reports stay below what the setting allows, and a portion. */
async function reportingPace(testbed: Testbed) {
  const pagesPerSecond = 4 * BLOCK_FRAMES;
  const vm = await testbed.vm({
    frames: MORE_FRAMES,
    settings: { reportPagesPerSecond: pagesPerSecond },
    machine: { offer: { pageReporting: true } },
  });
  watch(vm, 1000);
  const { pages } = vm.machine.reportedPages;
  const good = pages >= BLOCK_FRAMES && pages <= pagesPerSecond + 2 * BLOCK_FRAMES;
  testbed.check("B-REPORT-PACE", good, `${pages} pages in the first second`);
  watch(vm, LONG_MS);
  const { pages: all } = vm.machine.reportedPages;
  testbed.check("B-REPORT-ONCE", all <= MORE_FRAMES, `${all} pages of ${MORE_FRAMES}`);
  testbed.checkAtRest(vm, { held: 0 });
}

/** With PAGE_POISON all that comes back is filled, whether the guest uses it or not. */
async function poisoned(testbed: Testbed, machine: Machine = {}) {
  const vm = await testbed.vm({
    settings: { poison: POISON },
    machine: { ...machine, offer: { ...machine.offer, pagePoison: true } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const held of [900, 300, 1200, 0]) {
    vm.machine.setTarget(held);
    testbed.checkAtRest(vm, { held });
  }
  const { poisonValue } = vm.machine;
  testbed.check("B-PATTERNS", poisonValue === POISON, `poison_val is ${poisonValue}`);
}

/** The host does not keep the value of reported pages, so a guest that needs it reports none. */
async function unsharedPoison(testbed: Testbed) {
  const vm = await testbed.vm({
    settings: { poison: POISON },
    machine: { offer: { pageReporting: true } },
  });
  watch(vm, LONG_MS);
  const { pages } = vm.machine.reportedPages;
  testbed.check("B-POISON-REPORT", pages === 0, `${pages} pages reported`);
  testbed.checkAtRest(vm, { held: 0 });
}

/** Memory that was filled is filled again, by whatever way it went to the host and came back. */
async function filled(testbed: Testbed, machine: Machine = {}) {
  const vm = await testbed.vm({
    settings: { ...NONE_HELD_BACK, poison: POISON },
    machine: { ...machine, offer: { ...machine.offer, freePageHint: true } },
  });
  const ram = () => new Uint32Array(vm.memory.buffer, PAGE_BYTES, (FRAMES * PAGE_BYTES) / 4);
  const look = (way: string) => {
    const wrong = ram().reduce((sum, word) => sum + (word === POISON ? 0 : 1), 0);
    testbed.check("B-FILLED", wrong === 0, `${wrong} words hold something else after ${way}`);
  };
  ram().fill(POISON);
  for (const held of [900, 0]) {
    vm.machine.setTarget(held);
    testbed.checkAtRest(vm, { held });
  }
  look("a deflate");
  vm.machine.startHinting();
  testbed.checkAtRest(vm, { held: 0 });
  doneHinting(testbed, vm);
  look("hinting");
  vm.machine.setTarget(900);
  testbed.checkAtRest(vm, { held: 900 });
  vm.machine.setTarget(0);
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 2000);
  testbed.checkAtRest(vm, { held: 0 });
  look("a reset");
}

const direct = { offer: { indirect: false } } as const;
const packed = { offer: { packed: true } } as const;
const everyRing = { offer: { packed: true, inOrder: true, notificationData: true } } as const;
const poisonOffer = { offer: { pagePoison: true } } as const;

export const freePageScenarios = {
  hinting: (testbed: Testbed) => hinting(testbed),
  "hinting, late": (testbed: Testbed) => hinting(testbed, { completion: { freePage: late } }),
  "hinting, packed rings": (testbed: Testbed) => hinting(testbed, packed),
  "hinting, buffers in order": (testbed: Testbed) =>
    hinting(testbed, { offer: { inOrder: true }, completion: { freePage: late } }),
  "hinting, the same id for every run": hintingAgain,
  "hinting, a new id without DONE": hintingAnew,
  "hinting, paused": hintingPaused,
  "hinting, a host that shows no id meanwhile": (testbed: Testbed) =>
    hintingUnshown(testbed, false),
  "hinting, the same, and the guest finds the run by itself": (testbed: Testbed) =>
    hintingUnshown(testbed, true),
  "hinting, over before it has begun": hintingCutShort,
  "hinting, the next run amid the last": hintingOverlapped,
  "hinting, all there is": hintingAll,
  "hinting, a guest and a host in need": hintingAndNeed,
  "hinting, a device that asks for a reset": hintingAndReset,
  reporting: (testbed: Testbed) => reporting(testbed),
  "reporting, rings of two": (testbed: Testbed) => reporting(testbed, { ringSize: 2 }),
  "reporting, no indirect tables": (testbed: Testbed) => reporting(testbed, direct),
  "reporting, packed rings": (testbed: Testbed) => reporting(testbed, packed),
  "reporting, packed rings of two": (testbed: Testbed) =>
    reporting(testbed, { ...packed, ringSize: 2 }),
  "reporting, buffers in order": (testbed: Testbed) =>
    reporting(testbed, { offer: { inOrder: true } }),
  "reporting, all that rings can be": (testbed: Testbed) => reporting(testbed, everyRing),
  "reporting, slow": (testbed: Testbed) => reportingSlowly(testbed),
  "reporting, a bounded pace": reportingPace,
  "reporting, poison": (testbed: Testbed) => reporting(testbed, poisonOffer, POISON),
  "reporting, a guest that fills and a host that does not know": unsharedPoison,
  poison: (testbed: Testbed) => poisoned(testbed),
  "poison, whatever comes back": (testbed: Testbed) => filled(testbed, poisonOffer),
  "poison, unknown to the host": (testbed: Testbed) => filled(testbed),
  "poison, late, packed rings": (testbed: Testbed) =>
    poisoned(testbed, { ...packed, completion: late }),
} as const satisfies Record<string, (testbed: Testbed) => Promise<unknown>>;
