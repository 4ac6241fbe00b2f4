/** The scenarios of a host that is not trusted: what it may have, see and cost at most. */
import { profiles } from "../../../src/device/index.ts";
import { deliver, type TestVm, type TestVmOptions, watch } from "../../support/vm.ts";
import { FRAMES, type Testbed } from "../testbed.ts";
import { GUEST_FRAMES, late } from "./moves.ts";

const BLOCK_FRAMES = 512;
const MORE_FRAMES = 16 * BLOCK_FRAMES;
const PAGE_BYTES = 4096;
const PAGE_WORDS = PAGE_BYTES / 4;
const LONG_MS = 10_000;
const MINUTE_MS = 60_000;
/** How long an inflate that is no longer wanted is waited for. */
const UNWANTED_MS = 2000;
const HALF = FRAMES / 2;
/** What the guest has left in memory that it does not use any more. */
const SECRET = 0x5ec5_e7ed;
const FORGED = 0xf0f0_f0f0;
const [STAT_MAJFLT, STAT_FREE, STAT_TOTAL] = [2, 4, 5];
const STEPS = 16n;

/** The device configuration: what the driver may read of it, and all of it. */
const CONFIG = profiles.strict.mmio.base + 0x100;
const [NUM_PAGES, COMMAND_ID] = [0, 8];
const CONFIG_BYTES = 16;

const all = 0xffff_ffff;
const hinting = { offer: { freePageHint: true } } as const;
const reporting = { offer: { pageReporting: true } } as const;
const slowly = { freePage: late, inflate: late, reporting: late } as const;

function untrusting(testbed: Testbed, { settings, ...more }: TestVmOptions = {}): Promise<TestVm> {
  return testbed.vm({ ...more, settings: { host: "untrusted", reservePages: 0, ...settings } });
}

function ramOf(vm: TestVm, frames = FRAMES): Uint32Array {
  return new Uint32Array(vm.memory.buffer, PAGE_BYTES, frames * PAGE_WORDS);
}

function framesOf(ram: Uint32Array, value: number): number {
  let count = 0;
  for (let at = 0; at < ram.length; at += PAGE_WORDS) {
    if (ram.subarray(at, at + PAGE_WORDS).every((word) => word === value)) count += 1;
  }
  return count;
}

/** A host that asks for everything gets its share, by inflating and hinting together. */
async function share(testbed: Testbed) {
  const vm = await untrusting(testbed, {
    machine: hinting,
    settings: { freePageHinting: "accept" },
  });
  const rest = (held: number) => testbed.checkAtRest(vm, { held, memoryShort: true });
  vm.machine.setTarget(all);
  vm.settle();
  testbed.check("B-SHARE", vm.machine.heldPages === HALF, `host has ${vm.machine.heldPages}`);
  const { outOfReach } = vm.balloon.status();
  testbed.check("B-SHARE", outOfReach, "a target beyond the share is within reach");
  vm.machine.setTarget(100);
  rest(100);
  vm.machine.startHinting();
  watch(vm, 1000);
  const { hinted } = vm.balloon.counts();
  testbed.check("B-SHARE", hinted === HALF - 100, `${hinted} pages hinted beside 100 held`);
  vm.machine.finishHinting();
  rest(100);
}

/** Nothing of the guest's is in a page that the host gets, at the moment when it is told. */
async function scrubbed(testbed: Testbed, way: "inflate" | "hint" | "report") {
  const frames = way === "report" ? MORE_FRAMES : FRAMES;
  const vm = await untrusting(testbed, {
    frames,
    settings: { freePageHinting: "accept", pageReporting: "accept" },
    machine: { ...(way === "report" ? reporting : hinting), completion: slowly },
  });
  watch(vm, 100);
  ramOf(vm, frames).fill(SECRET);
  const { hal } = vm.machine;
  const write = hal.mmioWrite.bind(hal);
  let given = 0;
  let clean = 0;
  const look: typeof write = (...access) => {
    const counts = vm.balloon.counts();
    if (given === 0) {
      given = counts.inflating + counts.hinted + counts.reporting;
      if (given > 0) clean = framesOf(ramOf(vm, frames), 0);
    }
    write(...access);
  };
  Object.assign(hal, { mmioWrite: look });
  if (way === "inflate") vm.machine.setTarget(700);
  if (way === "hint") vm.machine.startHinting();
  if (way === "report") {
    vm.guest.grow(frames, 1);
    vm.guest.shrink(frames);
  }
  watch(vm, 1000);
  testbed.check("B-SCRUB", given > 0, `no page was given by ${way}`);
  testbed.check("B-SCRUB", clean >= given, `${given} pages given by ${way}, ${clean} scrubbed`);
  vm.machine.finishHinting();
  vm.settle();
}

/** What a device says that it has left in reported pages is not relied on. */
async function disbelieved(testbed: Testbed) {
  const vm = await untrusting(testbed, {
    frames: MORE_FRAMES,
    settings: { pageReporting: "accept" },
    machine: { ...reporting, completion: slowly },
  });
  const ram = ramOf(vm, MORE_FRAMES);
  let forged = 0;
  for (let ms = 0; ms < 100; ms += 5) {
    if (vm.machine.interruptPending && forged === 0 && vm.balloon.counts().reporting > 0) {
      // The first report has the lowest whole block. The device has returned it, and is not done.
      ram[(BLOCK_FRAMES - 1) * PAGE_WORDS] = FORGED;
      forged += 1;
    }
    deliver(vm);
    vm.balloon.step();
    vm.machine.advance(5);
  }
  testbed.check("B-DISBELIEF", forged > 0, "nothing was reported");
  watch(vm, LONG_MS);
  const wrong = MORE_FRAMES - framesOf(ramOf(vm, MORE_FRAMES), 0);
  testbed.check("B-DISBELIEF", wrong === 0, `${wrong} pages hold what the host has left`);
}

/** Without a value of its own the guest finds zeros, never what the host had. */
async function zeroed(testbed: Testbed) {
  const vm = await untrusting(testbed);
  ramOf(vm).fill(0);
  vm.machine.setTarget(900);
  testbed.checkAtRest(vm, { held: 900 });
  vm.machine.setTarget(0);
  testbed.checkAtRest(vm, { held: 0 });
  const zero = framesOf(ramOf(vm), 0);
  testbed.check("B-DISBELIEF", zero === FRAMES, `${FRAMES - zero} pages hold what the host left`);
}

async function coarse(testbed: Testbed) {
  const vm = await untrusting(testbed);
  vm.guest.grow(GUEST_FRAMES, 1);
  vm.machine.requestStats();
  vm.settle();
  const { sample } = vm.machine.stats;
  const step = BigInt(FRAMES * PAGE_BYTES) / STEPS;
  for (const tag of [STAT_FREE, STAT_TOTAL]) {
    const value = sample.get(tag) ?? -1n;
    testbed.check("B-STATS-COARSE", value > 0n && value % step === 0n, `tag ${tag}: ${value}`);
  }
  testbed.check("B-STATS-COARSE", sample.get(STAT_MAJFLT) === 0n, "counts are told");
}

/** What shows where free memory lies is declined, with whatever else is offered. */
async function unasked(testbed: Testbed) {
  const offer = { freePageHint: true, pageReporting: true };
  const look = async (settings: NonNullable<TestVmOptions["settings"]>, names: RegExp) => {
    const vm = await untrusting(testbed, { frames: MORE_FRAMES, machine: { offer }, settings });
    vm.machine.startHinting();
    watch(vm, LONG_MS);
    const { negotiated } = vm.balloon.status();
    testbed.check("B-UNASKED", !names.test(negotiated), negotiated);
    const shown = vm.machine.hintedPages + vm.machine.reportedPages.pages;
    testbed.check("B-UNASKED", shown === 0, `${shown} pages shown`);
  };
  await look({}, /FREE_PAGE_HINT|PAGE_REPORTING/);
  // Hinting comes with a queue of which the next one's number depends.
  await look({ pageReporting: "accept" }, /FREE_PAGE_HINT|PAGE_REPORTING/);
}

/** Where statistics are declined, there is no queue for them, and everything else goes on. */
async function untold(testbed: Testbed) {
  const vm = await untrusting(testbed, { settings: { statistics: "decline" } });
  vm.machine.requestStats();
  watch(vm, LONG_MS);
  const { negotiated } = vm.balloon.status();
  testbed.check("B-STATS-DECLINED", !negotiated.includes("STATS_VQ"), negotiated);
  const { size } = vm.machine.stats.sample;
  testbed.check("B-STATS-DECLINED", size === 0, `${size} statistics told`);
  vm.machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
}

/** One that is asked for is there. */
async function asked(testbed: Testbed) {
  const vm = await untrusting(testbed, {
    frames: MORE_FRAMES,
    machine: reporting,
    settings: { pageReporting: "accept" },
  });
  watch(vm, LONG_MS);
  const { pages } = vm.machine.reportedPages;
  testbed.check("B-UNASKED", pages >= MORE_FRAMES / 2, `${pages} pages reported`);
  testbed.checkAtRest(vm, { held: 0 });
}

/** A host that interrupts and turns its target around all the time costs what was allowed. */
async function cost(testbed: Testbed) {
  const movePagesPerSecond = 20_480;
  const turnsPerSecond = 400;
  let turns = 0;
  const inner = testbed.build.follow();
  const policy: typeof inner = {
    name: inner.name,
    decide: (view) => {
      turns += 1;
      return inner.decide(view);
    },
  };
  const settings = { movePagesPerSecond, turnsPerSecond };
  const vm = await untrusting(testbed, { policy, settings });
  const before = turns;
  for (let ms = 0; ms < 1000; ms++) {
    vm.machine.setTarget(ms % 2 === 0 ? HALF : 0);
    vm.machine.spuriousInterrupt();
    for (let again = 0; again < 3; again++) {
      deliver(vm);
      vm.balloon.step();
      vm.machine.run();
    }
    vm.machine.advance(1);
  }
  const portion = 1 / 20;
  const { inflated, deflated } = vm.balloon.status().totals;
  const moved = inflated + deflated;
  const spent = turns - before;
  testbed.check("B-COST", moved <= movePagesPerSecond * (1 + 2 * portion), `${moved} pages moved`);
  testbed.check("B-COST", spent <= turnsPerSecond * (1 + 2 * portion), `${spent} turns`);
  vm.machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
}

/** Each field is another at each read: it is read once, and what was read is bounded. */
async function foreignFields(testbed: Testbed) {
  const vm = await untrusting(testbed, {
    machine: { transport: "mmio", ...hinting },
    settings: { freePageHinting: "accept" },
  });
  const { machine } = vm;
  const reads = new Map<number, number>();
  let target = 1;
  const read = machine.hal.mmioRead.bind(machine.hal);
  const look: typeof read = (address, width) => {
    const field = address - CONFIG;
    if (field < 0 || field >= CONFIG_BYTES) return read(address, width);
    reads.set(field, (reads.get(field) ?? 0) + 1);
    target = (Math.imul(target, 1_664_525) + 1_013_904_223) >>> 0;
    if (field === NUM_PAGES) machine.setTarget(target % 2 === 0 ? target : target % FRAMES);
    if (field === COMMAND_ID) machine.startHinting();
    return read(address, width);
  };
  Object.assign(machine.hal, { mmioRead: look });
  for (let round = 0; round < 200; round++) {
    machine.setTarget(round);
    reads.clear();
    deliver(vm);
    vm.balloon.step();
    for (const [field, times] of reads) {
      const isKnown = field === NUM_PAGES || field === COMMAND_ID;
      testbed.check("B-READ-ONCE", isKnown && times === 1, `field ${field} read ${times} times`);
    }
    const { inflating, held, hinted } = vm.balloon.counts();
    const given = inflating + held + hinted;
    testbed.check("B-SHARE", given <= HALF, `${given} pages given`);
    machine.advance(50);
  }
  Object.assign(machine.hal, { mmioRead: read });
  machine.finishHinting();
  machine.setTarget(100);
  testbed.checkAtRest(vm, { held: 100 });
}

/** The end of a hinting run never comes. */
async function silentAfterHints(testbed: Testbed) {
  const vm = await untrusting(testbed, {
    machine: hinting,
    settings: { freePageHinting: "accept" },
  });
  vm.machine.startHinting();
  watch(vm, MINUTE_MS - LONG_MS);
  const before = vm.balloon.counts().hinted;
  testbed.check("B-WAIT-BOUND", before === HALF, `${before} pages hinted`);
  watch(vm, 2 * LONG_MS);
  const { hinted } = vm.balloon.counts();
  testbed.check("B-WAIT-BOUND", hinted === 0, `${hinted} pages hinted a minute later`);
  vm.machine.setTarget(100);
  testbed.checkAtRest(vm, { held: 100 });
}

/** An id is used again before the guest has read DONE. */
async function usedAgain(testbed: Testbed) {
  const vm = await untrusting(testbed, {
    machine: { profile: "v86" },
    settings: { freePageHinting: "accept" },
  });
  watch(vm, 1000);
  vm.machine.startHinting();
  deliver(vm);
  vm.machine.startHinting();
  watch(vm, LONG_MS);
  const { starts } = vm.machine.hinting;
  testbed.check("B-WAIT-BOUND", starts === 2, `${starts} runs begun`);
  watch(vm, LONG_MS);
  vm.machine.finishHinting();
  vm.settle();
}

/** The queue of inflates never answers, and then its reset never ends. */
async function silentInflates(testbed: Testbed) {
  const vm = await untrusting(testbed, { machine: { offer: { ringReset: true } } });
  const { machine, balloon } = vm;
  const hang = () => {
    machine.inject({ name: "queue-hangs", queue: 0 });
    machine.setTarget(600);
    watch(vm, 100);
    machine.setTarget(200);
  };
  machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
  hang();
  watch(vm, UNWANTED_MS - 1000);
  const waited = balloon.counts().inflating;
  testbed.check("B-WAIT-BOUND", waited === 300, `${waited} pages in flight before the bound`);
  watch(vm, 2000);
  const { inflating } = balloon.counts();
  testbed.check("B-WAIT-BOUND", inflating === 0, `${inflating} pages in flight after the bound`);
  testbed.checkAtRest(vm, { held: 200 });
  machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
  machine.inject({ name: "queue-reset-never", times: 1 });
  hang();
  watch(vm, LONG_MS);
  const { restarts, lastError } = balloon.status();
  testbed.check("B-WAIT-BOUND", restarts === 1, `${restarts} restarts, ${lastError?.code}`);
  testbed.checkAtRest(vm, { held: 200 });
}

/** The reset that a stop begins never ends. */
async function endlessStop(testbed: Testbed) {
  const vm = await untrusting(testbed);
  vm.machine.setTarget(300);
  testbed.checkAtRest(vm, { held: 300 });
  vm.machine.inject({ name: "reset-never-clears" });
  const giveUp = new AbortController();
  const stop = vm.balloon.stop({ signal: giveUp.signal }).catch(() => {});
  watch(vm, LONG_MS);
  const { state, lastError } = vm.balloon.status();
  testbed.check("B-WAIT-BOUND", state === "failed", state);
  testbed.check("B-WAIT-BOUND", lastError?.code === "reset-timeout", `${lastError?.code}`);
  const { held } = vm.balloon.counts();
  testbed.check("B-WAIT-BOUND", held === 300, `${held} pages kept from use`);
  giveUp.abort();
  await stop;
}

export const untrustedScenarios = {
  "an untrusted host that asks for everything": share,
  "an untrusted host, pages given": (testbed: Testbed) => scrubbed(testbed, "inflate"),
  "an untrusted host, pages hinted": (testbed: Testbed) => scrubbed(testbed, "hint"),
  "an untrusted host, pages reported": (testbed: Testbed) => scrubbed(testbed, "report"),
  "an untrusted host, pages back from a report": disbelieved,
  "an untrusted host, pages returned": zeroed,
  "an untrusted host that asks for statistics": coarse,
  "an untrusted host that is told no statistics": untold,
  "an untrusted host that offers everything": unasked,
  "an untrusted host that is shown free memory": asked,
  "an untrusted host that never leaves the guest alone": cost,
  "an untrusted host whose fields change with each read": foreignFields,
  "an untrusted host that never says DONE": silentAfterHints,
  "an untrusted host that uses an id again": usedAgain,
  "an untrusted host that never answers an inflate": silentInflates,
  "an untrusted host whose reset never ends": endlessStop,
} as const satisfies Record<string, (testbed: Testbed) => Promise<unknown>>;
