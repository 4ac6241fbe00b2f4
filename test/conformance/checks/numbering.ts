/**
 * Which queue is which: all sets of features that own a queue, under each of the three conventions
 * that devices follow (virtio 1.3, 5.5.2 has one of them), every queue really used.
 *
 * A queue that the table names carries buffers, and no other one is touched.
 */
import { expect } from "vitest";
import { createTestVm, verdictLines, watch } from "../../support/vm.ts";

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

/**
 * The same with queues behind that nobody has described. One behind {1,5} without holes makes five
 * queues, which is what the specification's numbers make: the number of queues tells nothing then.
 * The sizes do. Under the specification's numbers queue 3 has none; without holes it is the
 * reporting queue. Who sees a size there knows no more than that the fifth queue may be anybody's,
 * and does without: reporting is a favour, and an unknown queue may be a command.
 */
const AMONG_STRANGERS: typeof SETS = [
  { bits: [1], fixed: { statsq: 2 }, compact: { statsq: 2 } },
  { bits: [1, 3], fixed: { statsq: 2, free_page_vq: 3 }, compact: { statsq: 2, free_page_vq: 3 } },
  { bits: [1, 5], fixed: { statsq: 2, reporting_vq: 4 }, compact: { statsq: 2 } },
  { bits: [5], fixed: { reporting_vq: 4 }, compact: {} },
  {
    bits: [1, 3, 5],
    fixed: { statsq: 2, free_page_vq: 3, reporting_vq: 4 },
    compact: { statsq: 2, free_page_vq: 3, reporting_vq: 4 },
  },
];

function rowsOf(sets: typeof SETS, strangers: readonly number[]) {
  return sets.flatMap(({ bits, fixed, compact }) =>
    CONVENTIONS.flatMap((convention) =>
      strangers.flatMap((strange) =>
        [false, true].map((packed) => ({
          set: bits.join(","),
          convention,
          rings: packed ? "packed" : "split",
          strange,
          bits,
          numbers: convention === "fixed" ? fixed : compact,
        })),
      ),
    ),
  );
}

export const numberings = [...rowsOf(SETS, [0]), ...rowsOf(AMONG_STRANGERS, [1, 2])];

type Row = (typeof numberings)[number];

async function make({ bits, convention: queueNumbering, rings, strange }: Row) {
  const has = (bit: number) => bits.includes(bit);
  const ws = has(WS_REPORTING);
  return createTestVm({
    frames: FRAMES,
    machine: {
      queueNumbering,
      // Who follows the specification's numbers has five queues and no such feature's.
      strangeQueues: ws && queueNumbering !== "fixed" ? WS_QUEUES : strange,
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
export async function useEveryQueue(row: Row): Promise<void> {
  const vm = await make(row);
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
