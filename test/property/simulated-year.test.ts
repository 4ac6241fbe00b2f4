/**
 * A long life in virtual time: 2^32 pages moved, ring indexes that wrap thousands of times, and a
 * clock that passes 2^31 and 2^32 milliseconds and 2^53 microseconds.
 *
 * Short runs move fewer pages and look less often; with 1000 BALLONET_RUNS and more it is all of it.
 */
import { describe, expect, it } from "vitest";
import { DEFLATEQ, INFLATEQ } from "../../runtime/core/exports.ts";
import {
  arenaBytes,
  BalloonDriver,
  type CoreExports,
  follow,
  makeSettings,
  openMemory,
} from "../../runtime/index.ts";
import { addFigures } from "../support/add-figures.ts";
import { instantiateCore } from "../support/core-instance.ts";
import { createTestVm, type TestVmOptions, verdictLines, watch } from "../support/vm.ts";
import { QuickTransport } from "./quick-device.ts";
import { settingsFor } from "./settings.ts";

const isLong = (settingsFor("simulated year").runs ?? 0) >= 1000;
const FRAME = 4096;
const FRAMES = 65_536;
const MEMORY_PAGES = 64;
const PFNS = 16;
const PAGES = isLong ? 2 ** 32 : 2 ** 23;
const LAP = 2 ** 16;
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

interface Life {
  readonly core: CoreExports;
  readonly driver: BalloonDriver;
  readonly device: QuickTransport;
}

function makeLife(): Life {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES });
  const core = instantiateCore(memory);
  const settings = makeSettings({ pfnsPerBuffer: PFNS, reservePages: 0 });
  const ram = [{ start: MEMORY_PAGES * 65_536, bytes: FRAMES * FRAME }];
  const bytes = arenaBytes({ core, settings, ram });
  openMemory({ core, settings, arena: { start: FRAME, bytes }, ram });
  const device = new QuickTransport(memory);
  const hal = { ...device.hal, log: () => {} };
  const transport = device;
  const driver = new BalloonDriver({ hal, core, settings, transport, policy: follow() });
  driver.start();
  driver.step();
  return { core, driver, device };
}

it("moves 2^32 pages, with every index wrapped thousands of times", () => {
  const { core, driver, device } = makeLife();
  const startMs = performance.now();
  const moved = () => {
    const { inflated, deflated } = driver.status().totals;
    return inflated + deflated;
  };
  for (let trip = 0; moved() < PAGES; trip++) {
    const target = trip % 2 === 0 ? FRAMES : trip % 7;
    device.target = target;
    driver.interrupt();
    for (let step = 0; driver.status().actualPages !== target; step++) {
      expect(step).toBeLessThan(1000);
      driver.step();
    }
    if (trip % 64 !== 0) continue;
    const { frames, inFlight, lastError } = driver.status();
    expect({ held: frames.held, free: frames.free }).toEqual({
      held: target,
      free: FRAMES - target,
    });
    expect({ inFlight, lastError }).toEqual({
      inFlight: { inflatePages: 0, deflatePages: 0 },
      lastError: undefined,
    });
    device.passMs(1000);
  }
  const laps = [INFLATEQ, DEFLATEQ].map((queue) => Math.floor(device.buffersOf(queue) / LAP));
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${moved()} pages moved, ${laps.join(" and ")} laps of the indexes, ${seconds} s`);
  addFigures({ pagesMoved: moved() });
  expect(moved()).toBeGreaterThanOrEqual(PAGES);
  expect(Math.min(...laps)).toBeGreaterThanOrEqual(isLong ? 1000 : 1);
  expect(core.ledger_count(0)).toBe(core.ledger_frames() - FRAMES);
});

const OFFERS_ALL: TestVmOptions = {
  frames: 2048,
  settings: { reservePages: 64 },
  machine: { offer: { freePageHint: true, pageReporting: true, statsVq: true } },
};

/** Moments of a clock at which a number of so many bits is full. */
const EDGES = [
  ["2^31 ms", 2 ** 31],
  ["2^32 ms", 2 ** 32],
  ["a year", YEAR_MS],
  ["2^53 microseconds", 2 ** 53 / 1000],
] as const;
const AROUND_MS = 30_000;

describe("a clock that passes", () => {
  it.each(EDGES)("%s: targets, statistics, hints, reports and resets go on", async (_, edgeMs) => {
    const vm = await createTestVm(OFFERS_ALL);
    const { machine, guest, balloon } = vm;
    guest.grow(300, 5);
    machine.advance(edgeMs - AROUND_MS - machine.nowMs);
    for (let round = 0; machine.nowMs < edgeMs + AROUND_MS; round++) {
      const target = (round * 389) % 1500;
      machine.setTarget(target);
      machine.requestStats();
      machine.startHinting();
      watch(vm, 1700);
      machine.finishHinting();
      watch(vm, 300);
      if (round % 5 === 4) machine.inject({ name: "needs-reset" });
      watch(vm, 3000);
      expect(machine.heldPages, `at ${machine.nowMs} ms`).toBe(target);
      expect(balloon.counts()).toMatchObject({ held: target, used: 300, hinted: 0 });
      expect(guest.verify()).toBe(0);
    }
    vm.settle();
    machine.check();
    expect(verdictLines(machine)).toEqual([]);
    expect(machine.nowMs).toBeGreaterThan(edgeMs);
    addFigures({ simulatedMs: machine.nowMs });
  });
});

it("a year on the reference machine: each day a target, statistics, a run of hints", async () => {
  const vm = await createTestVm(OFFERS_ALL);
  const { machine, guest, balloon } = vm;
  guest.grow(300, 6);
  const days = isLong ? 365 : 20;
  const dayMs = YEAR_MS / days;
  for (let day = 0; day < days; day++) {
    const target = (day * 521) % 1600;
    machine.setTarget(target);
    machine.requestStats();
    if (day % 3 === 0) machine.startHinting();
    watch(vm, 2000);
    machine.finishHinting();
    if (day % 30 === 29) machine.inject({ name: "needs-reset" });
    watch(vm, 3000);
    expect(machine.heldPages).toBe(target);
    expect(guest.verify()).toBe(0);
    // A driver sleeps until its next poll: the rest of the day are polls, of which some are made.
    machine.advance(dayMs - 5000);
  }
  vm.settle();
  machine.check();
  expect(verdictLines(machine)).toEqual([]);
  expect(balloon.status().restarts).toBe(Math.floor(days / 30));
  expect(machine.nowMs).toBeGreaterThanOrEqual(YEAR_MS - DAY_MS);
  addFigures({ simulatedMs: machine.nowMs });
});
