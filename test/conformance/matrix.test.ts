/**
 * Every kind of ring, every way to the device and every way in which it interrupts, at sizes from 2
 * to 1024 and under several schedules: the same script ends in the same state, and no rule is
 * broken.
 *
 * What is expected of all of them is what the plainest of them, a split ring without any feature
 * behind a line, is seen to do.
 */
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Completion,
  createMachine,
  type Machine,
  type MachineOptions,
} from "../../src/device/index.ts";
import { createTestVm, type TestVm, verdictLines, watch } from "../support/vm.ts";
import {
  type InterruptName,
  type InterruptWay,
  interrupts,
  type TransportName,
  type TransportWay,
  transports,
} from "./checks/transports.ts";

/** Seven whole huge pages, so that reports of several ranges come up. */
const FRAMES = 4096;
const GUEST_FRAMES = 300;
const RESERVE = 256;
const TARGETS = [1, 257, 40, 1700, 100, 0xffff_ffff, 0];
/** Enough for every report. */
const REPORTS_MS = 2000;
/** How often a driver looks that is not interrupted. */
const POLL_MS = 1000;
/** What a row offers of rings, by feature bit. */
const RING_BIT = { indirect: 28n, eventIdx: 29n, packed: 34n, inOrder: 35n } as const;

const SCHEDULES = [
  { kind: "immediate" },
  { kind: "late", ms: 20 },
  { kind: "batched", count: 3, ms: 10 },
  { kind: "shuffled", ms: 20 },
  { kind: "scattered", ms: 25 },
] as const satisfies readonly Completion[];
/** So many of them for each kind of ring at each size: all of all take minutes. */
const SCHEDULES_EACH = 3;

interface Rings {
  readonly packed: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
}

interface Row extends Rings {
  readonly transport: TransportName;
  readonly interrupt: InterruptName;
  readonly inOrder: boolean;
  readonly ringSize: number;
  readonly completion: Completion;
}

const ON_OFF = [false, true] as const;
const TRANSPORTS = Object.keys(transports) as TransportName[];
const INTERRUPTS = Object.keys(interrupts) as InterruptName[];

const ringKinds: readonly Rings[] = ON_OFF.flatMap((packed) =>
  ON_OFF.flatMap((eventIdx) => ON_OFF.map((indirect) => ({ packed, eventIdx, indirect }))),
);

/** 5 and 1000 are no powers of two, so for packed rings alone (virtio 1.3, 2.7 and 2.8.10.1). */
function sizesOf({ packed }: Rings): readonly number[] {
  return packed ? [2, 5, 64, 256, 1000, 1024] : [2, 64, 256, 1024];
}

/** Why a combination makes no sense; undefined for one that does. */
function whyNot(
  { packed, inOrder }: { readonly packed: boolean; readonly inOrder: boolean },
  { isLegacy, isPci }: TransportWay,
  { kind }: InterruptWay,
): string | undefined {
  if (isLegacy && packed) return "RING_PACKED is bit 34, and older interfaces carry 32 bits (6.3)";
  if (isLegacy && inOrder) return "IN_ORDER is bit 35, and older interfaces carry 32 bits (6.3)";
  if (!isPci && kind === "msix") return "MMIO has one wire and no messages (4.2.3.4)";
  return undefined;
}

/** The n-th of choices that meet everything else evenly: multiples of an irrational number do. */
function spread<T>(choices: readonly T[], n: number, irrational: number): T {
  return choices[Math.floor(((n * irrational) % 1) * choices.length)] as T;
}

/** All of {rings} x {transport} x {interrupts}; the rest changes from one to the next. */
function everyCombination(): Row[] {
  const rows: Row[] = [];
  for (const rings of ringKinds)
    for (const transport of TRANSPORTS)
      for (const interrupt of INTERRUPTS) {
        const n = rows.length;
        const way = transports[transport];
        if (whyNot({ ...rings, inOrder: false }, way, interrupts[interrupt])) continue;
        rows.push({
          ...{ ...rings, transport, interrupt },
          inOrder: !way.isLegacy && spread(ON_OFF, n, Math.SQRT2),
          ringSize: spread(sizesOf(rings), n, Math.E),
          completion: spread(SCHEDULES, n, Math.PI),
        });
      }
  return rows;
}

/** All of {rings} x {in order or not} x {sizes}, some schedules each; transports change. */
function everySize(): Row[] {
  const rows: Row[] = [];
  for (const rings of ringKinds)
    for (const inOrder of ON_OFF)
      for (const ringSize of sizesOf(rings))
        for (let k = 0; k < SCHEDULES_EACH; k++) {
          const n = rows.length;
          const ways = TRANSPORTS.flatMap((transport) =>
            INTERRUPTS.map((interrupt) => ({ transport, interrupt })),
          ).filter(({ transport, interrupt }) => {
            return !whyNot({ ...rings, inOrder }, transports[transport], interrupts[interrupt]);
          });
          const completion = SCHEDULES[n % SCHEDULES.length] as Completion;
          rows.push({ ...rings, inOrder, ringSize, completion, ...spread(ways, n, Math.SQRT2) });
        }
  return rows;
}

interface EndState {
  readonly reached: readonly number[];
  readonly hinted: number;
  readonly statistics: readonly (readonly [number, bigint])[];
  readonly frames: Readonly<Record<string, number>>;
}

/**
 * The script: all targets, a run of hinting, statistics and reports, the guest at work between.
 * `lookMs` goes by before the driver is expected to know anything new.
 */
function play(vm: TestVm, lookMs: number): EndState {
  const rest = () => {
    watch(vm, lookMs);
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

/** Counts what the driver does through memory. */
function countMemory(machine: Machine): { accesses: number } {
  const seen = { accesses: 0 };
  const { mmioRead, mmioWrite } = machine.hal;
  Object.assign(machine.hal, {
    mmioRead: (...access: Parameters<typeof mmioRead>) => {
      seen.accesses += 1;
      return mmioRead(...access);
    },
    mmioWrite: (...access: Parameters<typeof mmioWrite>) => {
      seen.accesses += 1;
      mmioWrite(...access);
    },
  });
  return seen;
}

/** By what a message told of, its number; the trace shows the one right before the other. */
function messagesSeen({ trace }: Machine): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  const entries = trace.entries().filter(({ kind }) => kind === "interrupt");
  for (const [at, { fields }] of entries.entries()) {
    const cause = entries[at - 1]?.what ?? "";
    if (typeof fields?.number === "number") seen.set(cause, fields.number);
  }
  return seen;
}

/** One row: the driver is on the way that was meant, interrupted as it was meant, and plays. */
async function playRow(row: Row): Promise<EndState> {
  const { transport, interrupt, ringSize, completion, ...rings } = row;
  const way: TransportWay = transports[transport];
  const { vectors, choice, kind, isOneEach } = interrupts[interrupt];
  const offer = { ...rings, freePageHint: true, pageReporting: true };
  const machine: Omit<MachineOptions, "memory"> = {
    ...{ ...way.machine, offer, ringSize, completion },
    vectors: way.isPci ? vectors : 0,
  };
  let memory = { accesses: 0 };
  // EVENT_IDX for the other queues' sake, wherever it is offered.
  const settings = { queueSizeMax: 1024, quietHints: false };
  const vm = await createTestVm({
    ...{ frames: FRAMES, machine, settings },
    discover: { ...way.discover, interrupts: choice },
    onMachine: (made) => {
      memory = countMemory(made);
    },
  });
  const status = vm.balloon.status();
  expect(status.transport.startsWith(way.says), status.transport).toBe(true);
  expect(status.interrupts).toBe(kind);
  expect(status.queues.map(({ size }) => size)).toEqual(Array(5).fill(ringSize));
  for (const [name, bit] of Object.entries(RING_BIT)) {
    const accepted = ((vm.machine.negotiated >> bit) & 1n) === 1n;
    expect(accepted, name).toBe(row[name as keyof typeof RING_BIT]);
  }
  const state = play(vm, kind === "polling" ? POLL_MS : 0);
  expect(memory.accesses > 0).toBe(way.inMemory || kind === "msix");
  const messages = messagesSeen(vm.machine);
  const numbers = new Set(messages.values());
  if (kind === "msix") {
    expect(messages.size).toBeGreaterThanOrEqual(3);
    expect(numbers.size).toBe(isOneEach ? messages.size : 2);
  } else {
    expect(messages.size).toBe(0);
  }
  return state;
}

const title =
  "$transport, $interrupt, packed $packed, EVENT_IDX $eventIdx, indirect $indirect, " +
  "in order $inOrder, $ringSize entries, $completion.kind";

describe("the same script", () => {
  let plain: EndState;

  beforeAll(async () => {
    plain = await playRow({
      transport: "modern, a memory BAR above 4 GiB",
      interrupt: "line",
      ...{ packed: false, eventIdx: false, indirect: false, inOrder: false },
      ringSize: 128,
      completion: { kind: "immediate" },
    });
    const most = FRAMES - GUEST_FRAMES - RESERVE;
    expect(plain.reached).toEqual(TARGETS.map((target) => Math.min(target, most)));
    expect(plain.hinted).toBe(most);
    expect(plain.frames).toMatchObject({ used: GUEST_FRAMES, free: FRAMES - GUEST_FRAMES });
  });

  describe("over every transport, with every kind of interrupt, on every kind of ring", () => {
    it.each(everyCombination())(title, async (row) => {
      expect(await playRow(row)).toEqual(plain);
    });
  });

  describe("on every kind of ring at every size", () => {
    it.each(everySize())(title, async (row) => {
      expect(await playRow(row)).toEqual(plain);
    });
  });
});

describe("what makes no sense together", () => {
  const older = TRANSPORTS.filter((name) => transports[name].isLegacy);

  it("is said with its reason, and is all that the matrix leaves out", () => {
    const left = ringKinds.flatMap((rings) =>
      TRANSPORTS.flatMap((transport) =>
        INTERRUPTS.map((interrupt) =>
          whyNot({ ...rings, inOrder: false }, transports[transport], interrupts[interrupt]),
        ),
      ),
    );
    const all = ringKinds.length * TRANSPORTS.length * INTERRUPTS.length;
    expect(left).toHaveLength(all);
    expect(left.filter((why) => why === undefined)).toHaveLength(everyCombination().length);
  });

  it.each(older)("%s: packed rings and buffers in order are not to be had", async (name) => {
    const offer = { packed: true, inOrder: true };
    const { machine, discover } = transports[name] as TransportWay;
    const vm = await createTestVm({
      machine: { ...machine, offer },
      ...(discover && { discover }),
    });
    expect(vm.machine.negotiated >> 32n).toBe(0n);
    vm.machine.setTarget(300);
    vm.settle();
    expect(vm.machine.heldPages).toBe(300);
    vm.machine.check();
    expect(verdictLines(vm.machine)).toEqual([]);
  });

  it.each(["mmio", "legacy-mmio"] as const)("%s: no vectors are to be had", (transport) => {
    const memory = new WebAssembly.Memory({ initial: 16 });
    expect(() => createMachine({ memory, transport, vectors: 2 })).toThrow("one wire");
  });
});
