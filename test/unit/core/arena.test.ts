/** The memory plan that a caller hands over: what is refused, in which words, and what is not. */
import { beforeEach, describe, expect, it } from "vitest";
import { makeSettings } from "../../../runtime/balloon/make-settings.ts";
import {
  arenaBytes,
  type MemoryOptions,
  type MemoryRange,
  openMemory,
} from "../../../runtime/core/arena.ts";
import { type CoreExports, frameCounts } from "../../../runtime/core/exports.ts";
import { Frames } from "../../../runtime/core/frames.ts";
import { BallonetError } from "../../../runtime/errors.ts";
import { instantiateCore } from "../../support/core-instance.ts";

const MIB = 1 << 20;
const GIB = 2 ** 30;
const settings = makeSettings({ queueSizeMax: 8, buffersInFlight: 4, pfnsPerBuffer: 16 });
const memory = new WebAssembly.Memory({ initial: 32 });
let core: CoreExports;

/** 1 MiB of RAM from 1 MiB on, and the arena below it. */
const RAM: MemoryRange = { start: MIB, bytes: MIB };
const ARENA: MemoryRange = { start: 0x1000, bytes: MIB - 0x1000 };

beforeEach(() => {
  core = instantiateCore(memory);
});

function errorOf(act: () => unknown): BallonetError {
  try {
    act();
  } catch (error) {
    if (error instanceof BallonetError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function open(changes: Partial<MemoryOptions> = {}): void {
  openMemory({ core, settings, arena: ARENA, ram: [RAM], ...changes });
}

interface Refusal {
  readonly why: string;
  readonly changes: () => Partial<MemoryOptions>;
  readonly seen: string | RegExp;
  readonly todo: RegExp;
}

const tooMany = Array.from({ length: 1025 }, (_, i) => ({ start: MIB + i * 8192, bytes: 4096 }));

const REFUSALS: readonly Refusal[] = [
  {
    why: "an arena that is too small",
    changes: () => ({ arena: { start: 0x1000, bytes: 4096 } }),
    seen: "4096 bytes",
    todo: /give at least \d+, as arenaBytes\(\) or balloonArenaBytes\(\) says/,
  },
  {
    why: "an arena at 0",
    changes: () => ({ arena: { start: 0, bytes: MIB } }),
    seen: "start 0x00",
    todo: /above the first frame/,
  },
  {
    why: "an unaligned arena",
    changes: () => ({ arena: { start: 0x1001, bytes: 0x80000 } }),
    seen: "0x1001..0x81001",
    todo: /align start and length to 4096/,
  },
  {
    why: "an arena past 4 GiB",
    changes: () => ({ arena: { start: 4 * GIB - MIB, bytes: 2 * MIB } }),
    seen: "0xfff00000..0x100100000",
    todo: /end at most at 0x100000000/,
  },
  {
    why: "an arena at NaN",
    changes: () => ({ arena: { start: Number.NaN, bytes: MIB } }),
    seen: /start NaN/,
    todo: /whole numbers/,
  },
  {
    why: "no RAM at all",
    changes: () => ({ ram: [] }),
    seen: /zero frames/,
    todo: /at least one range/,
  },
  {
    why: "a RAM range of zero frames",
    changes: () => ({ ram: [{ start: MIB, bytes: 0 }] }),
    seen: "0 bytes",
    todo: /at least one frame/,
  },
  {
    why: "a RAM range of a negative length",
    changes: () => ({ ram: [{ start: MIB, bytes: -4096 }] }),
    seen: "-4096 bytes",
    todo: /at least one frame/,
  },
  {
    why: "RAM that begins below 0",
    changes: () => ({ ram: [{ start: -4096, bytes: 8192 }] }),
    seen: /start -4096/,
    todo: /not below 0/,
  },
  {
    why: "RAM of a length that is no number",
    changes: () => ({ ram: [{ start: MIB, bytes: Number.NaN }] }),
    seen: /NaN bytes/,
    todo: /whole numbers/,
  },
  {
    why: "RAM of infinite length",
    changes: () => ({ ram: [{ start: MIB, bytes: Number.POSITIVE_INFINITY }] }),
    seen: /Infinity bytes/,
    todo: /whole numbers/,
  },
  {
    why: "RAM of a fraction of a byte",
    changes: () => ({ ram: [{ start: MIB + 0.5, bytes: 4096 }] }),
    seen: /1048576.5/,
    todo: /whole numbers/,
  },
  {
    why: "an unaligned RAM range",
    changes: () => ({ ram: [{ start: MIB, bytes: 4095 }] }),
    seen: "0x100000..0x100fff",
    todo: /align/,
  },
  {
    why: "RAM past the last page frame number",
    changes: () => ({ ram: [{ start: 16384 * GIB - 4096, bytes: 4096 }] }),
    seen: "0xffffffff000..0x100000000000",
    todo: /end at most at 0xffffffff000/,
  },
  {
    why: "too many ranges",
    changes: () => ({ ram: tooMany }),
    seen: "1025 ranges",
    todo: /1024/,
  },
  {
    why: "RAM that overlaps the arena",
    changes: () => ({ ram: [{ start: MIB - 4096, bytes: MIB }] }),
    seen: "0x1000..0x100000 and 0xff000..0x1ff000 overlapping",
    todo: /disjoint/,
  },
  {
    why: "RAM ranges that overlap each other",
    changes: () => ({ ram: [RAM, { start: 2 * MIB - 4096, bytes: 4096 }] }),
    seen: "0x100000..0x200000 and 0x1ff000..0x200000 overlapping",
    todo: /disjoint/,
  },
  {
    why: "the same RAM range twice",
    changes: () => ({ ram: [RAM, RAM] }),
    seen: /overlapping/,
    todo: /disjoint/,
  },
];

describe("openMemory", () => {
  it.each(REFUSALS)("refuses $why", ({ changes, seen, todo }) => {
    const error = errorOf(() => open(changes()));
    expect(error.code).toBe("memory");
    if (typeof seen === "string") expect(error.seen).toBe(seen);
    else expect(error.seen).toMatch(seen);
    expect(error.todo).toMatch(todo);
    expect(error.message).toContain(`seen ${error.seen}; do ${error.todo}`);
    // Refused before anything was carved.
    expect(core.ledger_frames()).toBe(0);
  });

  it("adds every range, and nothing of the holes between", () => {
    const ram = [
      { start: 4 * MIB, bytes: 8192 },
      { start: MIB, bytes: MIB },
      { start: 2 * MIB, bytes: 4096 },
    ];
    open({ ram });
    expect(core.ledger_frames()).toBe(1026);
    expect(frameCounts(core)).toMatchObject({ free: 259, reserved: 1026 - 259, used: 0, held: 0 });
    expect(core.ledger_uniform(256, 257, 2)).toBe(1);
    expect(core.ledger_uniform(513, 1024 - 513, 0)).toBe(1);
    expect(core.ledger_uniform(1024, 2, 2)).toBe(1);
  });

  it("takes an arena of exactly arenaBytes, and not of a page less", () => {
    const bytes = arenaBytes({ core, settings, ram: [RAM] });
    expect(bytes % 4096).toBe(0);
    const less = errorOf(() => open({ arena: { start: 0x1000, bytes: bytes - 4096 } }));
    expect(less.todo).toContain(`${bytes}`);
    open({ arena: { start: 0x1000, bytes } });
    expect(frameCounts(core).free).toBe(256);
  });
});

describe("arenaBytes", () => {
  it("is half a byte a frame and a little, also for 1 TiB beyond the core's own reach", () => {
    const ram = [{ start: 0, bytes: 1024 * GIB }];
    const bytes = arenaBytes({ core, settings, ram });
    expect(bytes).toBeGreaterThanOrEqual(128 * MIB);
    expect(bytes).toBeLessThan(136 * MIB);
  });

  it("refuses RAM that openMemory would refuse", () => {
    const error = errorOf(() => arenaBytes({ core, settings, ram: [] }));
    expect(error.code).toBe("memory");
  });
});

describe("Frames", () => {
  let frames: Frames;

  beforeEach(() => {
    open();
    frames = new Frames(core);
  });

  it("gives free frames until there are none, and takes them back", () => {
    const runs = [frames.allocate(100), frames.allocate(1000)];
    expect(runs).toEqual([
      { first: 256, length: 100 },
      { first: 356, length: 156 },
    ]);
    expect(frames.freePages).toBe(0);
    expect(frames.allocate(1)).toBeUndefined();
    frames.release({ first: 300, length: 10 });
    expect(frames.freePages).toBe(10);
    frames.claim({ first: 305, length: 5 });
    expect(frames.allocate(10)).toEqual({ first: 300, length: 5 });
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 32, Number.POSITIVE_INFINITY])(
    "refuses to allocate %d frames",
    (most) => {
      const error = errorOf(() => frames.allocate(most));
      expect(error).toMatchObject({
        code: "memory",
        seen: String(most),
        todo: "ask for at least one",
      });
      expect(frames.freePages).toBe(256);
    },
  );

  const WRONG = [
    { why: "frames that do not exist", first: 512, length: 1 },
    { why: "frames that end past the last", first: 511, length: 2 },
    { why: "reserved frames", first: 0, length: 1 },
    { why: "no frames", first: 300, length: 0 },
    { why: "fewer than none", first: 300, length: -1 },
    { why: "half a frame", first: 300.5, length: 1 },
    { why: "a frame below 0", first: -1, length: 1 },
    { why: "a number past 32 bits", first: 2 ** 32 + 300, length: 1 },
    { why: "a length past 32 bits", first: 300, length: 2 ** 32 + 1 },
    { why: "frames at NaN", first: Number.NaN, length: 1 },
  ];

  it.each(WRONG)("refuses to claim or release $why", ({ first, length }) => {
    const before = frameCounts(core);
    const claim = errorOf(() => frames.claim({ first, length }));
    expect(claim).toMatchObject({ code: "memory" });
    expect(claim.seen).toBe(`PFN ${first}, ${length} frames, not all free`);
    expect(claim.todo).toMatch(/in that state/);
    const release = errorOf(() => frames.release({ first, length }));
    expect(release.seen).toMatch(/not all used$/);
    expect(frameCounts(core)).toEqual(before);
  });

  it("refuses to claim what is used and to release what is free", () => {
    frames.claim({ first: 300, length: 4 });
    expect(errorOf(() => frames.claim({ first: 303, length: 2 })).code).toBe("memory");
    expect(errorOf(() => frames.release({ first: 303, length: 2 })).code).toBe("memory");
    frames.release({ first: 300, length: 4 });
    expect(errorOf(() => frames.release({ first: 300, length: 4 })).code).toBe("memory");
    expect(frames.freePages).toBe(256);
  });
});
