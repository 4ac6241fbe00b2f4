/**
 * Checks of the table of known driver bugs: small scripts on a machine, each with what has to be
 * seen. Each ends with the guest's memory verified and no rule broken.
 */
import { expect } from "vitest";
import type { Machine } from "../../../src/device/index.ts";
import { balloonArenaBytes } from "../../../src/embed/create-balloon.ts";
import { createBalloon } from "../../../src/index.ts";
import { createTestVm, type TestVm, verdictLines, watch } from "../../support/vm.ts";
import { late } from "../scenarios/moves.ts";
import { numberings, useEveryQueue } from "./numbering.ts";
import { type TransportWay, transports } from "./transports.ts";

const FRAMES = 2048;
const GUEST_FRAMES = 300;
const RESERVE = 256;
const FRAME_BYTES = 4096;
const BUFFER_BYTES_MAX = 1024;
const HOUR_MS = 3_600_000;

function sound(vm: TestVm, memoryShort = false): void {
  expect(vm.guest.verify()).toBe(0);
  vm.machine.check({ memoryShort });
  expect(verdictLines(vm.machine)).toEqual([]);
}

function reach(vm: TestVm, target: number, held = target): void {
  vm.machine.setTarget(target);
  vm.settle();
  expect(vm.machine.heldPages).toBe(held);
  expect(vm.machine.actual).toBe(held);
  sound(vm, held < target);
}

/** A number of the lines of a trace that hold these words. */
function numbersIn(machine: Machine, words: string, field: string): number[] {
  return machine.trace.entries().flatMap(({ kind, what, fields }) => {
    const value = fields?.[field];
    return `${kind} ${what}`.includes(words) && typeof value === "number" ? [value] : [];
  });
}

export async function backToNothing() {
  const vm = await createTestVm({ frames: FRAMES });
  vm.guest.grow(GUEST_FRAMES, 1);
  const { free } = vm.balloon.counts();
  for (const target of [256, 1000, FRAMES - GUEST_FRAMES - RESERVE]) {
    reach(vm, target);
    reach(vm, 0);
    expect(vm.balloon.counts().free).toBe(free);
  }
}

export async function oddTargets() {
  const vm = await createTestVm({ frames: FRAMES });
  for (const target of [1, 255, 257, 5 * 256 + 1, 3]) reach(vm, target);
}

export async function beyondMemory() {
  const vm = await createTestVm({ frames: FRAMES });
  vm.guest.grow(GUEST_FRAMES, 1);
  const most = FRAMES - GUEST_FRAMES - RESERVE;
  reach(vm, 0xffff_ffff, most);
  const { actualWrites } = vm.balloon.status().totals;
  watch(vm, HOUR_MS);
  expect(vm.machine.actual).toBe(most);
  expect(vm.balloon.status().totals.actualWrites).toBe(actualWrites);
  expect(vm.guest.grow(100, 2)).toBe(100);
  vm.machine.requestStats();
  vm.balloon.interrupt();
  expect(vm.machine.stats.waiting).toBe(false);
  sound(vm, true);
}

/** The guest leaves so many frames, so that taking the next one fails. */
export async function failingAllocations() {
  for (const left of [0, 1, 2, 255, 256, 257, 511, 512, 513, 700]) {
    const vm = await createTestVm({ frames: FRAMES, settings: { reservePages: 0 } });
    expect(vm.guest.grow(FRAMES - left, 1)).toBe(FRAMES - left);
    reach(vm, 1000, left);
    vm.guest.shrink(1000 - left);
    watch(vm, HOUR_MS);
    reach(vm, 1000);
  }
}

export async function actualInOneStore() {
  const vm = await createTestVm({ frames: FRAMES, machine: { completion: late } });
  vm.machine.setTarget(600);
  vm.balloon.interrupt();
  vm.balloon.step();
  expect(numbersIn(vm.machine, "device write actual", "value")).toEqual([0]);
  vm.settle();
  expect(numbersIn(vm.machine, "device write actual", "value").at(-1)).toBe(600);
  expect(new Set(numbersIn(vm.machine, "device write actual", "width"))).toEqual(new Set([4]));
  sound(vm);
}

export async function smallBuffers() {
  const vm = await createTestVm({ frames: FRAMES });
  for (const target of [1, 700, 1400, 3]) reach(vm, target);
  for (const queue of ["inflateq", "deflateq"]) {
    const lengths = numbersIn(vm.machine, `queue ${queue} take`, "bytes");
    expect(lengths.length).toBeGreaterThan(1);
    expect(lengths.filter((bytes) => bytes % 4 !== 0 || bytes > BUFFER_BYTES_MAX)).toEqual([]);
  }
}

export async function inflateNeverAnswered() {
  const vm = await createTestVm({
    frames: FRAMES,
    machine: { completion: { inflate: { kind: "never" } }, offer: { pageReporting: true } },
  });
  vm.machine.setTarget(500);
  const { steps, notifications } = watch(vm, HOUR_MS);
  expect(steps).toBeLessThan(2 * (HOUR_MS / 1000));
  expect(notifications).toBeLessThan(20);
  expect(vm.machine.inflatingPages).toBe(500);
  expect(vm.machine.reportedPages.pages).toBeGreaterThan(0);
  vm.machine.requestStats();
  vm.balloon.interrupt();
  expect(vm.machine.stats).toMatchObject({ samples: 2, waiting: false });
  sound(vm, true);
}

export async function statisticsAtOnce() {
  const vm = await createTestVm({ frames: FRAMES, machine: { completion: { inflate: late } } });
  vm.machine.setTarget(1000);
  vm.balloon.interrupt();
  for (const samples of [2, 3]) {
    const before = vm.machine.nowMs;
    expect(vm.machine.requestStats()).toBe(true);
    vm.balloon.interrupt();
    expect(vm.machine.stats).toMatchObject({ samples, waiting: false });
    expect(vm.machine.nowMs - before).toBeLessThan(100);
  }
  const lengths = numbersIn(vm.machine, "queue statsq take", "bytes");
  expect(new Set(lengths).size).toBe(1);
  expect(lengths[0]).toBeGreaterThan(0);
  expect((lengths[0] ?? 0) % 10).toBe(0);
  vm.settle();
  sound(vm);
}

/** Not on v86, whose value is the device's own: it ignores what a driver writes. */
export async function oldActual() {
  for (const profile of ["qemu", "crosvm", "strict"] as const) {
    const vm = await createTestVm({ frames: FRAMES, machine: { profile, staleActual: 77 } });
    vm.settle();
    expect(vm.machine.actual).toBe(0);
    reach(vm, 50);
    reach(vm, 0);
  }
}

/** The driver stops, another instance starts on the same device, and the host says nothing new. */
export async function boundAgain() {
  const vm = await createTestVm({ frames: FRAMES });
  reach(vm, 700);
  await vm.balloon.stop();
  expect(vm.machine.status).toBe(0);
  const { memory } = vm;
  const ram = [{ start: FRAME_BYTES, bytes: FRAMES * FRAME_BYTES }];
  const bytes = await balloonArenaBytes({ ram });
  const arena = { start: FRAME_BYTES + FRAMES * FRAME_BYTES, bytes };
  const { hal } = vm.machine;
  const balloon = await createBalloon({ memory, hal, arena, ram });
  watch({ ...vm, balloon }, 1000);
  expect(vm.machine.heldPages).toBe(700);
  expect(balloon.status().actualPages).toBe(700);
  vm.machine.check();
  expect(verdictLines(vm.machine)).toEqual([]);
}

/** Neither side runs for an hour, requests in flight; then both go on. */
export async function stoppedAndContinued() {
  const vm = await createTestVm({
    frames: FRAMES,
    machine: { completion: late, offer: { pageReporting: true, freePageHint: true } },
  });
  vm.guest.grow(GUEST_FRAMES, 1);
  reach(vm, 500);
  for (const target of [900, 200]) {
    vm.machine.setTarget(target);
    vm.balloon.interrupt();
    const { inFlight } = vm.balloon.status();
    expect(inFlight.inflatePages + inFlight.deflatePages).toBeGreaterThan(0);
    vm.machine.advance(HOUR_MS);
    vm.machine.spuriousInterrupt();
    vm.settle();
    expect(vm.machine.heldPages).toBe(target);
    sound(vm);
  }
}

export async function largeRanges() {
  const vm = await createTestVm({ frames: 8192, machine: { offer: { pageReporting: true } } });
  vm.guest.grow(GUEST_FRAMES, 1);
  watch(vm, 5000);
  const { pages, ranges } = vm.machine.reportedPages;
  expect(ranges).toBeGreaterThan(0);
  expect(pages / ranges).toBeGreaterThanOrEqual(512);
  expect(pages % 512).toBe(0);
  sound(vm);
}

export async function acceptedFeatures() {
  const offer = { pagePoison: true, pageReporting: true, extra: [6, 8, 16, 50] };
  const accepted = async (settings: { poison?: number }, pagePoison = true) => {
    const vm = await createTestVm({
      frames: FRAMES,
      settings,
      machine: { offer: { ...offer, pagePoison }, queueNumbering: "fixed" },
    });
    vm.settle();
    sound(vm);
    return vm.machine.negotiated;
  };
  const bit = (n: number) => 1n << BigInt(n);
  const strange = bit(6) | bit(8) | bit(16) | bit(50);
  const plain = await accepted({});
  expect(plain & (strange | bit(4))).toBe(0n);
  expect(plain & bit(5)).toBe(bit(5));
  expect((await accepted({ poison: 0 })) & (bit(4) | bit(5))).toBe(bit(4) | bit(5));
  expect((await accepted({ poison: 0 }, false)) & bit(5)).toBe(0n);
}

/** What the balloon did: its lines of the trace without times, and whose pages are whose then. */
async function deeds({ machine, discover }: TransportWay): Promise<string[]> {
  const vm = await createTestVm({
    frames: FRAMES,
    machine: { ...machine, completion: late },
    ...(discover && { discover }),
  });
  const pfns = Array.from({ length: FRAMES }, (_, index) => index + 1);
  const seen: string[] = [];
  vm.guest.grow(GUEST_FRAMES, 1);
  for (const target of [900, 1, 400]) {
    reach(vm, target);
    const held = pfns.filter((pfn) => vm.machine.pageState(pfn) === "held");
    seen.push(`${target}: ${held.join()}`);
  }
  for (const { kind, what, fields } of vm.machine.trace.entries()) {
    const isDeed = kind === "queue" || (kind === "device" && what.startsWith("write"));
    if (isDeed) seen.push(`${kind} ${what} ${JSON.stringify(fields)}`);
  }
  return seen;
}

export async function sameDeeds() {
  const ways: readonly TransportWay[] = Object.values(transports);
  const [first = [], ...others] = await Promise.all(ways.map(deeds));
  for (const sign of ["inflateq take", "deflateq take", "write actual"]) {
    expect(first.filter((line) => line.includes(sign)).length).toBeGreaterThan(1);
  }
  expect(others).toHaveLength(ways.length - 1);
  for (const other of others) expect(other).toEqual(first);
}

export async function numberedQueues() {
  for (const row of numberings) await useEveryQueue(row);
}
