/**
 * Every kind of ring that a device can have, each at several sizes and behind both kinds of BARs,
 * under several schedules: the same script ends in the same state, and no rule is broken.
 *
 * It must not know how the driver adapts. Invariant: what is expected of all of them is what the
 * plainest of them, a split ring without any feature, is seen to do.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { type Completion, type MachineOptions, profiles } from "../../src/device/index.ts";
import { createTestVm, verdictLines, watch } from "../support/vm.ts";

/** Seven whole huge pages, so that reports of several ranges come up. */
const FRAMES = 4096;
const GUEST_FRAMES = 300;
const RESERVE = 256;
const TARGETS = [1, 257, 40, 1700, 100, 0xffff_ffff, 0];
/** Enough for every report. */
const REPORTS_MS = 2000;

const { strict, v86, firecracker } = profiles;
/** The strict device behind four I/O BARs, and behind one 64-bit memory BAR above 4 GiB. */
const BARS = {
  "I/O BARs": { ...strict, pci: v86.pci },
  "a memory BAR": { ...strict, pci: firecracker.pci },
} as const;

const SCHEDULES = [
  { kind: "immediate" },
  { kind: "late", ms: 20 },
  { kind: "batched", count: 3, ms: 10 },
  { kind: "shuffled", ms: 20 },
  { kind: "scattered", ms: 25 },
] as const satisfies readonly Completion[];
/** So many of them for each kind of ring, another choice for each: all of all take minutes. */
const SCHEDULES_EACH = 3;

interface Rings {
  readonly packed: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
}

const ON_OFF = [false, true] as const;

function* ringKinds(): Generator<Rings> {
  for (const packed of ON_OFF)
    for (const eventIdx of ON_OFF)
      for (const indirect of ON_OFF)
        for (const inOrder of ON_OFF) yield { packed, eventIdx, indirect, inOrder };
}

/** 5 is no power of two, so for packed rings alone (virtio 1.3, 2.7 and 2.8.10.1). */
function sizesOf({ packed }: Rings): readonly number[] {
  return packed ? [2, 5, 64, 256] : [2, 64, 256];
}

interface EndState {
  readonly reached: readonly number[];
  readonly hinted: number;
  readonly statistics: readonly (readonly [number, bigint])[];
  readonly frames: Readonly<Record<string, number>>;
}

type Machine = Omit<MachineOptions, "memory">;

/** The script: all targets, a run of hinting, statistics and reports, the guest at work between. */
async function play(machine: Machine): Promise<EndState> {
  const offer = { ...machine.offer, freePageHint: true, pageReporting: true };
  // EVENT_IDX for the other queues' sake, wherever it is offered.
  const settings = { quietHints: false };
  const vm = await createTestVm({ frames: FRAMES, settings, machine: { ...machine, offer } });
  const rest = () => {
    vm.settle();
    vm.machine.check({ memoryShort: true });
    expect(verdictLines(vm.machine)).toEqual([]);
    expect(vm.guest.verify()).toBe(0);
  };
  vm.guest.grow(GUEST_FRAMES, 7);
  const reached: number[] = [];
  for (const target of TARGETS) {
    vm.machine.setTarget(target);
    rest();
    expect(vm.machine.actual).toBe(vm.machine.heldPages);
    reached.push(vm.machine.heldPages);
    vm.guest.shrink(50);
    vm.guest.grow(50, target % 1000);
  }
  vm.machine.startHinting();
  rest();
  const hinted = vm.machine.hintedPages;
  vm.machine.finishHinting();
  rest();
  watch(vm, REPORTS_MS);
  vm.machine.requestStats();
  rest();
  expect(vm.machine.reportedPages.pages).toBeGreaterThan(0);
  return {
    reached,
    hinted,
    statistics: [...vm.machine.stats.sample],
    frames: vm.balloon.counts(),
  };
}

describe("the same script on every kind of ring", () => {
  let plain: EndState;

  beforeAll(async () => {
    const offer = { eventIdx: false, indirect: false };
    plain = await play({ profile: BARS["a memory BAR"], offer });
    const most = FRAMES - GUEST_FRAMES - RESERVE;
    expect(plain.reached).toEqual(TARGETS.map((target) => Math.min(target, most)));
    expect(plain.hinted).toBe(most);
    expect(plain.frames).toMatchObject({ used: GUEST_FRAMES, free: FRAMES - GUEST_FRAMES });
  });

  const cases = [...ringKinds()].flatMap((rings) =>
    (Object.keys(BARS) as (keyof typeof BARS)[]).flatMap((bars) =>
      sizesOf(rings).map((ringSize) => ({ ...rings, bars, ringSize })),
    ),
  );
  const rows = cases.map((row, n) => ({
    ...row,
    schedules: SCHEDULES.map((_, k) => SCHEDULES[(n + k) % SCHEDULES.length] as Completion).slice(
      0,
      SCHEDULES_EACH,
    ),
  }));
  it.each(rows)(
    "packed $packed, EVENT_IDX $eventIdx, indirect $indirect, in order $inOrder, $bars, $ringSize",
    async ({ bars, ringSize, schedules, ...offer }) => {
      for (const completion of schedules) {
        expect(await play({ profile: BARS[bars], ringSize, offer, completion })).toEqual(plain);
      }
    },
  );
});
