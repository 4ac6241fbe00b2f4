/**
 * Which queue is which: all sets of features that own a queue, under each of the three conventions
 * that devices follow (virtio 1.3, 5.5.2 has one of them), every queue really used.
 *
 * Invariant: a queue that the table names carries buffers, and no other one is touched.
 */
import { expect } from "vitest";
import type { QueueNumbering } from "../../src/device/index.ts";
import { createTestVm, verdictLines, watch } from "../support/vm.ts";

const FRAMES = 2048;
const GUEST_FRAMES = 300;
const REPORTS_MS = 2000;

const STATS_VQ = 1;
const FREE_PAGE_HINT = 3;
const PAGE_REPORTING = 5;
/** Not of the specification: one host's, with two queues behind all others. */
const WS_REPORTING = 8;
const WS_QUEUES = 2;

interface Numbers {
  readonly statsq?: number;
  readonly free_page_vq?: number;
  readonly reporting_vq?: number;
}

/** By offered bits: the numbers that the specification gives, and those without holes. */
const SETS: readonly {
  readonly bits: readonly number[];
  readonly fixed: Numbers;
  readonly compact: Numbers;
}[] = [
  { bits: [1], fixed: { statsq: 2 }, compact: { statsq: 2 } },
  { bits: [1, 3], fixed: { statsq: 2, free_page_vq: 3 }, compact: { statsq: 2, free_page_vq: 3 } },
  { bits: [1, 5], fixed: { statsq: 2, reporting_vq: 4 }, compact: { statsq: 2, reporting_vq: 3 } },
  { bits: [5], fixed: { reporting_vq: 4 }, compact: { reporting_vq: 2 } },
  {
    bits: [3, 5],
    fixed: { free_page_vq: 3, reporting_vq: 4 },
    compact: { free_page_vq: 2, reporting_vq: 3 },
  },
  {
    bits: [1, 3, 5],
    fixed: { statsq: 2, free_page_vq: 3, reporting_vq: 4 },
    compact: { statsq: 2, free_page_vq: 3, reporting_vq: 4 },
  },
  {
    bits: [1, 5, 8],
    fixed: { statsq: 2, reporting_vq: 4 },
    compact: { statsq: 2, reporting_vq: 3 },
  },
];

const CONVENTIONS = ["fixed", "compact-offered", "compact-negotiated"] as const;

export const numberings = SETS.flatMap(({ bits, fixed, compact }) =>
  CONVENTIONS.flatMap((convention) =>
    [false, true].map((packed) => ({
      set: bits.join(","),
      convention,
      rings: packed ? "packed" : "split",
      bits,
      numbers: convention === "fixed" ? fixed : compact,
    })),
  ),
);

async function make(bits: readonly number[], queueNumbering: QueueNumbering, rings: string) {
  const has = (bit: number) => bits.includes(bit);
  const ws = has(WS_REPORTING);
  return createTestVm({
    frames: FRAMES,
    machine: {
      queueNumbering,
      // Who follows the specification's numbers has five queues and no such feature's.
      strangeQueues: ws && queueNumbering !== "fixed" ? WS_QUEUES : 0,
      offer: {
        packed: rings === "packed",
        statsVq: has(STATS_VQ),
        freePageHint: has(FREE_PAGE_HINT),
        pageReporting: has(PAGE_REPORTING),
        extra: ws ? [WS_REPORTING] : [],
      },
    },
  });
}

/** Up and down, statistics, hints and reports, on the queues that the table names. */
export async function useEveryQueue(row: (typeof numberings)[number]): Promise<void> {
  const vm = await make(row.bits, row.convention, row.rings);
  const { queues } = vm.balloon.status();
  const numbers = Object.fromEntries(queues.map(({ role, index }) => [role, index]));
  expect(numbers).toEqual({ inflateq: 0, deflateq: 1, ...row.numbers });

  vm.guest.grow(GUEST_FRAMES, 1);
  for (const target of [700, 300]) {
    vm.machine.setTarget(target);
    vm.settle();
    expect(vm.machine.heldPages).toBe(target);
  }
  expect(vm.machine.requestStats()).toBe(row.numbers.statsq !== undefined);
  vm.settle();
  expect(vm.machine.stats.samples).toBe(row.numbers.statsq === undefined ? 0 : 2);

  const hints = row.numbers.free_page_vq !== undefined;
  expect(vm.machine.startHinting() !== undefined).toBe(hints);
  vm.settle();
  expect(vm.machine.hinting).toMatchObject(hints ? { starts: 1, stops: 1 } : { starts: 0 });
  expect(vm.machine.hintedPages > 0).toBe(hints);
  expect(vm.balloon.counts().hinted).toBe(vm.machine.hintedPages);
  if (hints) vm.machine.finishHinting();
  vm.settle();
  expect(vm.balloon.counts().hinted).toBe(0);

  watch(vm, REPORTS_MS);
  expect(vm.machine.reportedPages.pages > 0).toBe(row.numbers.reporting_vq !== undefined);
  expect(vm.balloon.counts().reporting).toBe(0);
  expect(vm.guest.verify()).toBe(0);
  vm.machine.check();
  expect(verdictLines(vm.machine)).toEqual([]);
}
