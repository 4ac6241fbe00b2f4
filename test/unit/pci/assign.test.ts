/** Addresses for BARs, numbers and windows for bridges, where no firmware gave any. */
import { describe, expect, it } from "vitest";
import { AddressWindow } from "../../../runtime/pci/address-windows.ts";
import { type AssignOptions, assignPci } from "../../../runtime/pci/assign.ts";
import { readBars, sizeBar } from "../../../runtime/pci/bars.ts";
import { portConfigAccess } from "../../../runtime/pci/config.ts";
import { enumeratePci } from "../../../runtime/pci/enumerate.ts";
import { FakeConfigSpace } from "./config-space.ts";
import { type FakeBar, SizedFunction } from "./sized-function.ts";

const WINDOWS = {
  io: { start: 0xc000, end: 0xd000 },
  memory: { start: 0xe000_0000, end: 0xe010_0000 },
  memoryHigh: { start: 2 ** 36, end: 2 ** 37 },
};

function machine(functions: Readonly<Record<string, SizedFunction>>) {
  const space = new FakeConfigSpace();
  for (const [address, fake] of Object.entries(functions)) space.add(address, fake);
  const config = portConfigAccess(space.hal);
  const assign = (options: Partial<AssignOptions> = {}) =>
    assignPci({ config, windows: WINDOWS, ...options });
  return { space, config, assign };
}

function device(bars: Readonly<Record<number, FakeBar>>): SizedFunction {
  return new SizedFunction(0x1af4, 0x1045, bars);
}

function bridge(bars: Readonly<Record<number, FakeBar>> = {}): SizedFunction {
  return new SizedFunction(0x1b36, 0x000c, bars).unnumberedBridge();
}

const IO: FakeBar = { kind: "io", size: 64 };
const MEMORY: FakeBar = { kind: "memory", size: 4096 };
const WIDE: FakeBar = { kind: "memory-64", size: 16384 };

describe("sizeBar", () => {
  it.each([
    ["io", 4],
    ["io", 256],
    ["memory", 16],
    ["memory", 2 ** 31],
    ["memory-64", 4096],
    ["memory-64", 2 ** 31],
    ["memory-64", 2 ** 32],
    ["memory-64", 2 ** 40],
  ] as const)("%s of %i bytes, and everything is as it was", (kind, size) => {
    const fake = device({ 2: { kind, size } });
    const { config } = machine({ "00:01.0": fake });
    const address = { bus: 0, device: 1, function: 0 };
    fake.set(0x04, 2, 0x0407);
    expect(sizeBar(config, address, 2)).toBe(size);
    expect(sizeBar(config, address, 1)).toBe(0);
    expect(fake.get(0x04, 2)).toBe(0x0407);
    expect(fake.get(0x18, 4)).toBe({ io: 1, memory: 0, "memory-64": 4 }[kind]);
    expect(fake.get(0x1c, 4)).toBe(0);
  });
});

describe("BARs", () => {
  it("get addresses that are multiples of their size, no two on a page", () => {
    const small: FakeBar = { kind: "memory", size: 32 };
    const one = device({ 0: IO, 1: small, 2: small, 4: WIDE });
    const other = device({ 0: IO, 4: WIDE });
    const { config, assign } = machine({ "00:01.0": one, "00:02.0": other });
    expect(assign()).toEqual({ bars: 6, bridges: 0, unplaced: [] });
    const bars = (at: number) => readBars(config, { bus: 0, device: at, function: 0 });
    expect(bars(1).filter(({ kind }) => kind !== "unusable")).toEqual([
      { kind: "io", base: 0xc000 },
      { kind: "memory", base: 0xe000_0000, wide: false },
      { kind: "memory", base: 0xe000_1000, wide: false },
      { kind: "memory", base: 0xe000_4000, wide: true },
    ]);
    expect(bars(2).filter(({ kind }) => kind !== "unusable")).toEqual([
      { kind: "io", base: 0xc040 },
      { kind: "memory", base: 0xe000_8000, wide: true },
    ]);
  });

  it("that firmware assigned stay, and their addresses are not given again", () => {
    const done = device({ 0: IO, 1: MEMORY });
    done.set(0x10, 4, 0xc001).set(0x14, 4, 0xe000_0000).set(0x04, 2, 7);
    const { config, assign } = machine({
      "00:01.0": done,
      "00:02.0": device({ 0: IO, 1: MEMORY }),
    });
    expect(assign()).toEqual({ bars: 2, bridges: 0, unplaced: [] });
    expect(readBars(config, { bus: 0, device: 2, function: 0 }).slice(0, 2)).toEqual([
      { kind: "io", base: 0xc040 },
      { kind: "memory", base: 0xe000_1000, wide: false },
    ]);
    expect([done.get(0x10, 4), done.get(0x14, 4)]).toEqual([0xc001, 0xe000_0000]);
    expect(done.get(0x04, 2)).toBe(7);
  });

  it("are left alone where there is nothing to do", () => {
    const done = device({ 0: IO, 1: MEMORY });
    done.set(0x10, 4, 0xc001).set(0x14, 4, 0xe000_0000).set(0x04, 2, 7);
    const { space, assign } = machine({ "00:01.0": done });
    expect(assign()).toEqual({ bars: 0, bridges: 0, unplaced: [] });
    const moved = space.accesses.filter(
      ({ written, offset }) => written && [0x10, 0x14].includes(offset),
    );
    expect(moved).toEqual([]);
  });

  it("lie high when they can and there is no room below", () => {
    const large: FakeBar = { kind: "memory-64", size: 2 ** 33 };
    const { config, assign } = machine({ "00:01.0": device({ 2: large, 4: WIDE }) });
    expect(assign()).toEqual({ bars: 2, bridges: 0, unplaced: [] });
    const bars = readBars(config, { bus: 0, device: 1, function: 0 });
    expect(bars[2]).toEqual({ kind: "memory", base: 2 ** 36, wide: true });
    expect(bars[4]).toEqual({ kind: "memory", base: 0xe000_0000, wide: true });
  });

  it("that fit nowhere are told of", () => {
    const large: FakeBar = { kind: "memory", size: 2 ** 21 };
    const { assign } = machine({ "00:01.0": device({ 0: IO, 1: large }) });
    expect(assign({ windows: { memory: WINDOWS.memory } }).unplaced).toEqual([
      "00:01.0 BAR 0: no 64 ports left",
      "00:01.0 BAR 1: no 2097152 bytes of memory left",
    ]);
  });

  it("of functions that nobody asked for stay as they are", () => {
    const other = device({ 0: IO });
    const { assign } = machine({ "00:01.0": device({ 0: IO }), "00:02.0": other });
    const wants = ({ address }: { address: { device: number } }) => address.device === 1;
    expect(assign({ wants }).bars).toBe(1);
    expect(other.get(0x10, 4)).toBe(1);
  });
});

describe("bridges", () => {
  it("get numbers and windows around what lies behind them, also behind one another", () => {
    const outer = bridge({ 0: MEMORY });
    const inner = bridge();
    const empty = bridge();
    const { config, assign } = machine({
      "00:01.0": outer,
      "01:00.0": device({ 1: MEMORY }),
      "01:01.0": inner,
      "02:00.0": device({ 0: IO, 4: WIDE }),
      "00:02.0": empty,
      "00:03.0": device({ 1: MEMORY }),
    });
    const windows = { ...WINDOWS, memory: { start: 0xe000_0000, end: 0xf000_0000 } };
    expect(assign({ windows })).toEqual({ bars: 5, bridges: 3, unplaced: [] });
    const buses = (it: SizedFunction) => [0x18, 0x19, 0x1a].map((at) => it.get(at, 1));
    expect([outer, inner, empty].map(buses)).toEqual([
      [0, 1, 2],
      [1, 2, 2],
      [0, 3, 3],
    ]);
    const memory = (it: SizedFunction) => [it.get(0x20, 2), it.get(0x22, 2)];
    // Bridges begin at a MiB: the outer one's own BAR is at 0xe0000000.
    expect(memory(outer)).toEqual([0xe010, 0xe020]);
    expect(memory(inner)).toEqual([0xe020, 0xe020]);
    expect(memory(empty)[0]).toBeGreaterThan(memory(empty)[1] as number);
    const io = (it: SizedFunction) => [it.get(0x1c, 1), it.get(0x1d, 1)];
    expect([io(outer), io(inner)]).toEqual([
      [0xc0, 0xc0],
      [0xc0, 0xc0],
    ]);
    expect(io(empty)[0]).toBeGreaterThan(io(empty)[1] as number);
    const base = (bus: number, at: number, index: number) => {
      const bar = readBars(config, { bus, device: at, function: 0 })[index];
      return bar?.kind === "unusable" ? undefined : bar?.base;
    };
    expect(base(1, 0, 1)).toBe(0xe010_0000);
    expect([base(2, 0, 0), base(2, 0, 4)]).toEqual([0xc000, 0xe020_0000]);
    expect(base(0, 3, 1)).toBe(0xe030_0000);
    expect(outer.get(0x04, 2) & 7).toBe(7);
    expect(enumeratePci({ config })).toHaveLength(6);
  });

  it("that firmware numbered and opened keep their windows, which are used", () => {
    const open = bridge().set(0x19, 1, 5).set(0x1a, 1, 5);
    open.set(0x20, 2, 0xe080).set(0x22, 2, 0xe080).set(0x1c, 1, 0xd0).set(0x1d, 1, 0xd0);
    const there = device({ 1: MEMORY });
    there.set(0x14, 4, 0xe080_0000);
    const { config, assign } = machine({
      "00:01.0": open,
      "05:00.0": there,
      "05:01.0": device({ 0: IO, 1: MEMORY }),
    });
    expect(assign()).toEqual({ bars: 2, bridges: 0, unplaced: [] });
    expect(readBars(config, { bus: 5, device: 1, function: 0 }).slice(0, 2)).toEqual([
      { kind: "io", base: 0xd000 },
      { kind: "memory", base: 0xe080_1000, wide: false },
    ]);
    expect([open.get(0x20, 2), open.get(0x1a, 1)]).toEqual([0xe080, 5]);
  });

  it("that firmware opened keep their windows to themselves", () => {
    const open = bridge().set(0x19, 1, 5).set(0x1a, 1, 5);
    open.set(0x20, 2, 0xe000).set(0x22, 2, 0xe000).set(0x1c, 1, 0xc0).set(0x1d, 1, 0xc0);
    const { config, assign } = machine({
      "00:01.0": open,
      "00:02.0": device({ 0: IO, 1: MEMORY }),
      "05:01.0": device({ 0: IO, 1: MEMORY }),
    });
    const windows = {
      io: { start: 0xc000, end: 0xe000 },
      memory: { start: 0xe000_0000, end: 0xe040_0000 },
    };
    expect(assign({ windows })).toEqual({ bars: 4, bridges: 0, unplaced: [] });
    const bases = (bus: number, at: number) =>
      readBars(config, { bus, device: at, function: 0 })
        .slice(0, 2)
        .map((bar) => (bar.kind === "unusable" ? bar.reason : bar.base));
    expect(bases(0, 2)).toEqual([0xd000, 0xe010_0000]);
    expect(bases(5, 1)).toEqual([0xc000, 0xe000_0000]);
  });

  it("without a number left are told of", () => {
    const last = bridge().set(0x19, 1, 255).set(0x1a, 1, 255);
    const { assign } = machine({ "00:01.0": last, "00:02.0": bridge() });
    expect(assign()).toMatchObject({ bridges: 0, unplaced: ["00:02.0: no bus number left"] });
  });
});

describe("AddressWindow", () => {
  it("gives no address twice and none that is taken", () => {
    const window = new AddressWindow({ start: 0x1000, end: 0x5000 }, [
      { start: 0x2000, end: 0x3000 },
    ]);
    expect([0x800, 0x1000, 0x1000, 0x1000].map((size) => window.take(size))).toEqual([
      0x1000,
      0x3000,
      0x4000,
      undefined,
    ]);
  });

  it("aligns to more than the size when asked", () => {
    const window = new AddressWindow({ start: 0x1010, end: 0x4000 });
    expect([window.take(16, 0x1000), window.take(16, 0x1000)]).toEqual([0x2000, 0x3000]);
    expect(window.take(16, 0x1000)).toBeUndefined();
  });

  it("knows what is left up to the next that is taken", () => {
    const taken = [{ start: 0x5800, end: 0x6000 }];
    const window = new AddressWindow({ start: 0x1000, end: 0x1_0000 }, taken);
    window.take(16);
    expect(window.rest(0x1000)).toEqual({ start: 0x2000, end: 0x5000 });
    expect(new AddressWindow({ start: 0, end: 0xfff }).rest(0x1000)).toBeUndefined();
  });
});

describe("what the guest cannot reach", () => {
  const beyond = (): SizedFunction => {
    const fake = device({ 1: MEMORY, 4: WIDE });
    fake.set(0x14, 4, 0xe000_0000).set(0x20, 4, 0x0000_000c).set(0x24, 4, 0x38);
    return fake.set(0x04, 2, 7);
  };

  it("is moved into a window below, and nothing else is", () => {
    const moved = beyond();
    const { config, assign } = machine({ "00:01.0": moved, "00:02.0": beyond() });
    const wants = ({ address }: { address: { device: number } }) => address.device === 1;
    expect(assign({ memoryEnd: 2 ** 32, wants })).toEqual({ bars: 1, bridges: 0, unplaced: [] });
    const bars = (at: number) => readBars(config, { bus: 0, device: at, function: 0 });
    expect(bars(1)[1]).toEqual({ kind: "memory", base: 0xe000_0000, wide: false });
    expect(bars(1)[4]).toEqual({ kind: "memory", base: 0xe000_4000, wide: true });
    expect(bars(2)[4]).toEqual({ kind: "memory", base: 0x38_0000_0000, wide: true });
    expect(moved.get(0x04, 2)).toBe(7);
  });

  it("is no place for a BAR, though a window lies there", () => {
    const { assign } = machine({ "00:01.0": device({ 4: WIDE }) });
    const windows = { memoryHigh: WINDOWS.memoryHigh };
    expect(assign({ windows, memoryEnd: 2 ** 32 }).unplaced).toEqual([
      "00:01.0 BAR 4: no 16384 bytes of memory left",
    ]);
    expect(assign({ windows, memoryEnd: 2 ** 40 }).bars).toBe(1);
  });

  it("is moved behind a bridge into its ordinary window, and its other one stays", () => {
    const outer = bridge();
    outer.set(0x18, 1, 0).set(0x19, 1, 1).set(0x1a, 1, 1);
    outer.set(0x20, 2, 0xe000).set(0x22, 2, 0xe000);
    outer.set(0x24, 2, 0x0001).set(0x26, 2, 0x0001).set(0x28, 4, 0x38).set(0x2c, 4, 0x38);
    const { config, assign } = machine({ "00:01.0": outer, "01:00.0": beyond() });
    expect(assign({ memoryEnd: 2 ** 32 })).toEqual({ bars: 1, bridges: 0, unplaced: [] });
    const bars = readBars(config, { bus: 1, device: 0, function: 0 });
    expect(bars[4]).toEqual({ kind: "memory", base: 0xe000_4000, wide: true });
    expect([0x24, 0x26].map((at) => outer.get(at, 2))).toEqual([1, 1]);
    expect([0x28, 0x2c].map((at) => outer.get(at, 4))).toEqual([0x38, 0x38]);
  });

  it("never gets an address in RAM or between windows", () => {
    const closed = [
      { start: 0xdff0_0000, end: 0xe000_2000 },
      { start: 0xe000_8000, end: 0xe000_9000 },
    ];
    const fakes = { "00:01.0": device({ 4: WIDE }), "00:02.0": device({ 4: WIDE }) };
    const { config, assign } = machine(fakes);
    expect(assign({ windows: { ...WINDOWS, closed } }).bars).toBe(2);
    const base = (at: number) => readBars(config, { bus: 0, device: at, function: 0 })[4];
    expect(base(1)).toMatchObject({ base: 0xe000_4000 });
    expect(base(2)).toMatchObject({ base: 0xe000_c000 });
  });
});

describe("a bus", () => {
  it("gets no number beyond the last of its root", () => {
    const { assign } = machine({ "00:01.0": bridge(), "00:02.0": bridge() });
    expect(assign({ lastBus: 1 })).toMatchObject({
      bridges: 1,
      unplaced: ["00:02.0: no bus number left"],
    });
  });
});
