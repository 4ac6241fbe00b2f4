/**
 * The scenarios of free pages: hinted, reported, and filled when they come back.
 *
 * It must not know mutants. Invariant: as in scenarios.ts.
 */

import { type Bench, FRAMES } from "../../support/testbed.ts";
import { type TestVm, watch } from "../../support/vm.ts";
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
function handedOver(bench: Bench, vm: TestVm, hinted: number): void {
  const wrong = vm.guest.verify();
  bench.owes("B-PATTERNS", wrong === 0, `${wrong} wrong words`);
  const { hinted: kept } = vm.balloon.counts();
  bench.owes("B-HINT-KEEP", kept === hinted, `${kept} pages kept, ${hinted} hinted`);
  const { hintedPages } = vm.machine;
  bench.owes("B-HINT-KEEP", hintedPages === hinted, `the host has ${hintedPages} of ${hinted}`);
}

function doneHinting(bench: Bench, vm: TestVm, held = 0): void {
  vm.machine.finishHinting();
  bench.rest(vm, { held });
  const { hinted } = vm.balloon.counts();
  bench.owes("B-HINT-BACK", hinted === 0, `${hinted} pages are still away`);
}

/** Three runs, the guest and the balloon at work between them. */
async function hinting(bench: Bench, machine: Machine = {}) {
  const { offer } = machine;
  const vm = await bench.vm({ machine: { ...machine, offer: { ...offer, freePageHint: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const held of [0, 700, 33]) {
    vm.machine.setTarget(held);
    bench.rest(vm, { held });
    vm.machine.startHinting();
    bench.rest(vm, { held });
    handedOver(bench, vm, FRAMES - GUEST_FRAMES - RESERVE - held);
    doneHinting(bench, vm, held);
    vm.guest.shrink(100);
    vm.guest.grow(100, held);
  }
  vm.machine.setTarget(0);
  bench.rest(vm, { held: 0 });
}

/** A host that says DONE as soon as it hears STOP, and has one id for all runs. */
async function hintingAgain(bench: Bench) {
  const vm = await bench.vm({ machine: { profile: "v86" } });
  vm.guest.grow(GUEST_FRAMES, 1);
  const most = FRAMES - GUEST_FRAMES - RESERVE;
  for (let run = 1; run < 4; run++) {
    vm.machine.startHinting();
    bench.rest(vm, { held: 0 });
    const { starts, stops, pages } = vm.machine.hinting;
    const seen = `${starts} starts, ${stops} stops, ${pages} pages after run ${run}`;
    const good = starts === run && stops === run && pages === run * most;
    bench.owes("B-HINT-AGAIN", good, seen);
    const { hinted } = vm.balloon.counts();
    bench.owes("B-HINT-BACK", hinted === 0, `${hinted} pages are still away`);
  }
}

/** The host says STOP while hints are on their way, and later wants the rest, or not. */
async function hintingPaused(bench: Bench) {
  const vm = await bench.vm({
    machine: { offer: { freePageHint: true }, ringSize: 2, completion: { freePage: slow } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.startHinting();
  watch(vm, 300);
  vm.machine.stopHinting();
  bench.rest(vm, { held: 0 });
  const { hinted } = vm.balloon.counts();
  const some = hinted > 0 && hinted < FRAMES - GUEST_FRAMES - RESERVE;
  bench.owes("B-HINT-KEEP", some, `${hinted} pages hinted at the pause`);
  handedOver(bench, vm, hinted);
  vm.machine.startHinting();
  bench.rest(vm, { held: 0 });
  handedOver(bench, vm, FRAMES - GUEST_FRAMES - RESERVE);
  vm.machine.stopHinting();
  bench.rest(vm, { held: 0 });
  doneHinting(bench, vm);
}

/**
 * A host that shows 0 from a run's first buffer on, and is slow: the guest looks at its target all
 * the while. `found`: it sees the run before it hears of it.
 */
async function hintingUnshown(bench: Bench, found: boolean) {
  const vm = await bench.vm({
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
    bench.rest(vm, { held: 0 });
    const { pages, starts } = vm.machine.hinting;
    const most = run * (FRAMES - GUEST_FRAMES - RESERVE);
    const seen = `${pages} pages of ${most}, ${starts} starts after run ${run}`;
    bench.owes("B-HINT-WHOLE", pages === most && starts === run, seen);
    doneHinting(bench, vm);
  }
}

/** The host is done while the first hints are on their way, and the guest does not look by itself. */
async function hintingCutShort(bench: Bench) {
  const vm = await bench.vm({
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
    bench.owes("B-HINT-BACK", hinted === 0, `${hinted} pages are away a second after DONE`);
  }
  bench.rest(vm, { held: 0 });
}

/** The host is done, and wants the next run while hints of the last are still on their way. */
async function hintingOverlapped(bench: Bench) {
  const vm = await bench.vm({
    machine: { offer: { freePageHint: true }, completion: { freePage: late } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.startHinting();
  watch(vm, 5);
  vm.machine.finishHinting();
  watch(vm, 5);
  vm.machine.startHinting();
  bench.rest(vm, { held: 0 });
  handedOver(bench, vm, FRAMES - GUEST_FRAMES - RESERVE);
  doneHinting(bench, vm);
}

/** Nothing is held back, and nothing lies behind the guest's memory that could be hinted. */
async function hintingAll(bench: Bench) {
  const vm = await bench.vm({
    settings: NONE_HELD_BACK,
    machine: { offer: { freePageHint: true }, frames: FRAMES + 1 },
  });
  vm.machine.startHinting();
  bench.rest(vm, { held: 0 });
  handedOver(bench, vm, FRAMES);
  doneHinting(bench, vm);
}

/** Hinted pages are nobody's: not the guest's, not the balloon's, until the host is done. */
async function hintingAndNeed(bench: Bench) {
  const vm = await bench.vm({ machine: { offer: { freePageHint: true }, completion: late } });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.setTarget(500);
  bench.rest(vm, { held: 500 });
  vm.machine.startHinting();
  bench.rest(vm, { held: 500 });
  const { hinted } = vm.balloon.counts();
  vm.machine.setTarget(1500);
  bench.rest(vm, { held: 500, memoryShort: true });
  vm.machine.setTarget(400);
  bench.rest(vm, { held: 400 });
  handedOver(bench, vm, hinted);
  doneHinting(bench, vm, 400);
  vm.machine.setTarget(1200);
  bench.rest(vm, { held: 1200 });
}

/** A host that loses patience and names a new run before the old one is done. */
async function hintingAnew(bench: Bench) {
  const vm = await bench.vm({ machine: { offer: { freePageHint: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (let run = 1; run < 4; run++) {
    vm.machine.startHinting();
    bench.rest(vm, { held: 0 });
    handedOver(bench, vm, FRAMES - GUEST_FRAMES - RESERVE);
    const { starts, stops } = vm.machine.hinting;
    const good = starts === run && stops === run;
    bench.owes("B-HINT-AGAIN", good, `${starts} starts, ${stops} stops after run ${run}`);
  }
  doneHinting(bench, vm);
}

/** A device that wants a reset amid a run gets its run's pages taken away. */
async function hintingAndReset(bench: Bench) {
  const vm = await bench.vm({ machine: { offer: { freePageHint: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.startHinting();
  bench.rest(vm, { held: 0 });
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 2000);
  const { hinted } = vm.balloon.counts();
  bench.owes("B-HINT-BACK", hinted === 0, `${hinted} pages are still away`);
  vm.machine.startHinting();
  bench.rest(vm, { held: 0 });
  handedOver(bench, vm, FRAMES - GUEST_FRAMES - RESERVE);
  doneHinting(bench, vm);
}

/** Every block that is free is reported, once for each time that it became free. */
async function reporting(bench: Bench, machine: Machine = {}, poison?: number) {
  const { offer } = machine;
  const vm = await bench.vm({
    frames: MORE_FRAMES,
    machine: { ...machine, offer: { ...offer, pageReporting: true } },
    settings: poison === undefined ? {} : { poison },
  });
  const wait = () => {
    watch(vm, LONG_MS);
    bench.rest(vm, { held: 0 });
    const { reporting: away } = vm.balloon.counts();
    bench.owes("B-REPORT-ONCE", away === 0, `${away} pages are still away`);
    return vm.machine.reportedPages.pages;
  };
  vm.guest.grow(GUEST_FRAMES, 1);
  const first = wait();
  const blocks = Math.floor((MORE_FRAMES - GUEST_FRAMES) / BLOCK_FRAMES) - 1;
  const least = blocks * BLOCK_FRAMES;
  bench.owes("B-REPORT-ONCE", first >= least, `${first} pages reported, ${least} expected`);
  const still = wait();
  bench.owes("B-REPORT-ONCE", still === first, `${still} pages, ${first} before`);
  vm.guest.grow(3000, 2);
  vm.guest.shrink(3000);
  const again = wait();
  bench.owes("B-REPORT-ONCE", again > first, `nothing new of 3000 pages`);
  vm.machine.setTarget(2000);
  bench.rest(vm, { held: 2000 });
  vm.machine.setTarget(0);
  wait();
}

/** The guest takes all it can get while a report is in flight. */
async function reportingSlowly(bench: Bench, machine: Machine = {}) {
  const vm = await bench.vm({
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
    bench.owes("B-SUM", away === inFlight, `${away} pages away, ${inFlight} reported`);
    vm.machine.audit();
    watch(vm, 700);
    vm.guest.shrink(MORE_FRAMES);
  }
  bench.rest(vm, { held: 0 });
}

/** A second's reports stay below what the setting allows, and a portion. */
async function reportingPace(bench: Bench) {
  const pagesPerSecond = 4 * BLOCK_FRAMES;
  const vm = await bench.vm({
    frames: MORE_FRAMES,
    settings: { reportPagesPerSecond: pagesPerSecond },
    machine: { offer: { pageReporting: true } },
  });
  watch(vm, 1000);
  const { pages } = vm.machine.reportedPages;
  const good = pages >= BLOCK_FRAMES && pages <= pagesPerSecond + 2 * BLOCK_FRAMES;
  bench.owes("B-REPORT-PACE", good, `${pages} pages in the first second`);
  watch(vm, LONG_MS);
  const { pages: all } = vm.machine.reportedPages;
  bench.owes("B-REPORT-ONCE", all <= MORE_FRAMES, `${all} pages of ${MORE_FRAMES}`);
  bench.rest(vm, { held: 0 });
}

/** With PAGE_POISON all that comes back is filled, whether the guest uses it or not. */
async function poisoned(bench: Bench, machine: Machine = {}) {
  const vm = await bench.vm({
    settings: { poison: POISON },
    machine: { ...machine, offer: { ...machine.offer, pagePoison: true } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const held of [900, 300, 1200, 0]) {
    vm.machine.setTarget(held);
    bench.rest(vm, { held });
  }
  const { poisonValue } = vm.machine;
  bench.owes("B-PATTERNS", poisonValue === POISON, `poison_val is ${poisonValue}`);
}

/** The host does not keep the value of reported pages, so a guest that needs it reports none. */
async function unsharedPoison(bench: Bench) {
  const vm = await bench.vm({
    settings: { poison: POISON },
    machine: { offer: { pageReporting: true } },
  });
  watch(vm, LONG_MS);
  const { pages } = vm.machine.reportedPages;
  bench.owes("B-POISON-REPORT", pages === 0, `${pages} pages reported`);
  bench.rest(vm, { held: 0 });
}

/** Memory that was filled is filled again, by whatever way it went to the host and came back. */
async function filled(bench: Bench, machine: Machine = {}) {
  const vm = await bench.vm({
    settings: { ...NONE_HELD_BACK, poison: POISON },
    machine: { ...machine, offer: { ...machine.offer, freePageHint: true } },
  });
  const ram = () => new Uint32Array(vm.memory.buffer, PAGE_BYTES, (FRAMES * PAGE_BYTES) / 4);
  const look = (way: string) => {
    const wrong = ram().reduce((sum, word) => sum + (word === POISON ? 0 : 1), 0);
    bench.owes("B-FILLED", wrong === 0, `${wrong} words hold something else after ${way}`);
  };
  ram().fill(POISON);
  for (const held of [900, 0]) {
    vm.machine.setTarget(held);
    bench.rest(vm, { held });
  }
  look("a deflate");
  vm.machine.startHinting();
  bench.rest(vm, { held: 0 });
  doneHinting(bench, vm);
  look("hinting");
  vm.machine.setTarget(900);
  bench.rest(vm, { held: 900 });
  vm.machine.setTarget(0);
  vm.machine.inject({ name: "needs-reset" });
  watch(vm, 2000);
  bench.rest(vm, { held: 0 });
  look("a reset");
}

const direct = { offer: { indirect: false } } as const;
const packed = { offer: { packed: true } } as const;
const everyRing = { offer: { packed: true, inOrder: true, notificationData: true } } as const;
const poisonOffer = { offer: { pagePoison: true } } as const;

export const freePageScenarios = {
  hinting: (bench: Bench) => hinting(bench),
  "hinting, late": (bench: Bench) => hinting(bench, { completion: { freePage: late } }),
  "hinting, packed rings": (bench: Bench) => hinting(bench, packed),
  "hinting, buffers in order": (bench: Bench) =>
    hinting(bench, { offer: { inOrder: true }, completion: { freePage: late } }),
  "hinting, the same id for every run": hintingAgain,
  "hinting, a new id without DONE": hintingAnew,
  "hinting, paused": hintingPaused,
  "hinting, a host that shows no id meanwhile": (bench: Bench) => hintingUnshown(bench, false),
  "hinting, the same, and the guest finds the run by itself": (bench: Bench) =>
    hintingUnshown(bench, true),
  "hinting, over before it has begun": hintingCutShort,
  "hinting, the next run amid the last": hintingOverlapped,
  "hinting, all there is": hintingAll,
  "hinting, a guest and a host in need": hintingAndNeed,
  "hinting, a device that asks for a reset": hintingAndReset,
  reporting: (bench: Bench) => reporting(bench),
  "reporting, rings of two": (bench: Bench) => reporting(bench, { ringSize: 2 }),
  "reporting, no indirect tables": (bench: Bench) => reporting(bench, direct),
  "reporting, packed rings": (bench: Bench) => reporting(bench, packed),
  "reporting, packed rings of two": (bench: Bench) => reporting(bench, { ...packed, ringSize: 2 }),
  "reporting, buffers in order": (bench: Bench) => reporting(bench, { offer: { inOrder: true } }),
  "reporting, all that rings can be": (bench: Bench) => reporting(bench, everyRing),
  "reporting, slow": (bench: Bench) => reportingSlowly(bench),
  "reporting, a bounded pace": reportingPace,
  "reporting, poison": (bench: Bench) => reporting(bench, poisonOffer, POISON),
  "reporting, a guest that fills and a host that does not know": unsharedPoison,
  poison: (bench: Bench) => poisoned(bench),
  "poison, whatever comes back": (bench: Bench) => filled(bench, poisonOffer),
  "poison, unknown to the host": (bench: Bench) => filled(bench),
  "poison, late, packed rings": (bench: Bench) => poisoned(bench, { ...packed, completion: late }),
} as const satisfies Record<string, (bench: Bench) => Promise<unknown>>;
