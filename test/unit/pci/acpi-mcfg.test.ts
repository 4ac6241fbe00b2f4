/** Configuration space in memory, and the tables that say where it is. */
import { describe, expect, it } from "vitest";
import type { Hal } from "../../../runtime/hal.ts";
import { findEcam, openPciConfig } from "../../../runtime/pci/acpi-mcfg.ts";
import { ecamBytes, ecamConfigAccess } from "../../../runtime/pci/ecam.ts";
import { FakeConfigSpace, FakeFunction } from "./config-space.ts";

const RSDP = 0xf_5a20;
const RSDT = 0x3fe_0000;
const XSDT = 0x3fe_1000;
const FACP = 0x3fe_2004;
const MCFG = 0x3fe_3002;
const ECAM = 0xb000_0000;

/** Memory of which only what was written exists; reading the first page throws. */
class Memory {
  readonly bytes = new Map<number, number>();
  readonly hal: Hal;
  reads = 0;

  constructor(space = new FakeConfigSpace()) {
    this.hal = {
      ...space.hal,
      mmioRead: (at, width) => {
        this.reads += 1;
        if (at < 4096) throw new Error("the first page is not mapped");
        if (at >= ECAM && at < ECAM + 2 ** 28) return this.ecam(space, at, width);
        return this.bytes.get(at) ?? 0;
      },
    };
  }

  private ecam(space: FakeConfigSpace, at: number, width: 1 | 2 | 4): number {
    const where = at - ECAM;
    const device = (where >>> 15) & 31;
    const fake = where >>> 20 === 0 ? space.functions.get(`00:0${device}.0`) : undefined;
    return fake?.get(where & 0xff, width) ?? 2 ** (8 * width) - 1;
  }

  put(at: number, ...bytes: number[]): void {
    bytes.forEach((byte, index) => {
      this.bytes.set(at + index, byte & 0xff);
    });
  }

  text(at: number, text: string): void {
    this.put(at, ...[...text].map((letter) => letter.charCodeAt(0)));
  }

  le(at: number, width: number, value: number): void {
    for (let index = 0; index < width; index++)
      this.put(at + index, Math.floor(value / 256 ** index));
  }

  /** Makes all bytes of the range add up to 0. */
  seal(at: number, length: number, checksum: number): void {
    this.put(at + checksum, 0);
    let sum = 0;
    for (let index = 0; index < length; index++) sum += this.bytes.get(at + index) ?? 0;
    this.put(at + checksum, -sum);
  }

  table(at: number, signature: string, body: () => number): void {
    this.text(at, signature);
    const length = 36 + body();
    this.le(at + 4, 4, length);
    this.seal(at, length, 9);
  }
}

interface Firmware {
  readonly revision?: number;
  readonly rsdp?: number;
  readonly entries?: readonly (readonly [number, number, number, number])[];
  readonly xsdt?: boolean;
}

/** Tables as firmware writes them: base, segment, first and last bus of each allocation. */
function firmware(options: Firmware = {}, memory = new Memory()): Memory {
  const { revision = 2, rsdp = RSDP, entries = [[ECAM, 0, 0, 255]], xsdt = true } = options;
  memory.text(rsdp, "RSD PTR ");
  memory.put(rsdp + 15, revision);
  memory.le(rsdp + 16, 4, RSDT);
  memory.le(rsdp + 20, 4, 36);
  memory.le(rsdp + 24, 8, xsdt ? XSDT : 0);
  memory.seal(rsdp, 20, 8);
  memory.seal(rsdp, 36, 32);
  memory.table(RSDT, "RSDT", () => {
    memory.le(RSDT + 36, 4, FACP);
    memory.le(RSDT + 40, 4, MCFG);
    return 8;
  });
  memory.table(XSDT, "XSDT", () => {
    memory.le(XSDT + 36, 8, FACP);
    memory.le(XSDT + 44, 8, MCFG);
    return 16;
  });
  memory.table(FACP, "FACP", () => 0);
  memory.table(MCFG, "MCFG", () => {
    entries.forEach(([base, segment, first, last], index) => {
      const at = MCFG + 44 + 16 * index;
      memory.le(at, 8, base);
      memory.le(at + 8, 2, segment);
      memory.put(at + 10, first, last);
    });
    return 8 + 16 * entries.length;
  });
  return memory;
}

const ALL = [{ base: ECAM, firstBus: 0, lastBus: 255 }];

describe("findEcam", () => {
  it.each([
    ["by the XSDT", { revision: 2 }],
    ["by the RSDT of an old machine", { revision: 0 }],
    ["by the RSDT when there is no XSDT", { revision: 2, xsdt: false }],
    ["at the first place searched", { rsdp: 0xe_0000 }],
    ["at the last place searched", { rsdp: 0xf_ffe0 }],
  ])("finds it %s", (_, options) => {
    expect(findEcam({ hal: firmware(options).hal })).toEqual(ALL);
  });

  it.each([0x7_ffe8, 0x9_fc30, 0xf_5a28])("finds nothing by an RSDP at 0x%x", (rsdp) => {
    expect(findEcam({ hal: firmware({ rsdp }).hal })).toEqual([]);
  });

  it("reads one byte at each place searched until it finds it", () => {
    const memory = firmware({ rsdp: 0xe_0000 });
    expect(findEcam({ hal: memory.hal })).toEqual(ALL);
    expect(memory.reads).toBeLessThan(1000);
  });

  it("finds several, of the first segment alone, above 4 GiB too", () => {
    const entries = [
      [2 ** 38, 0, 0, 63],
      [ECAM, 1, 0, 255],
      [ECAM, 0, 64, 127],
      [ECAM, 0, 9, 8],
      [0, 0, 0, 255],
    ] as const;
    expect(findEcam({ hal: firmware({ entries }).hal })).toEqual([
      { base: 2 ** 38, firstBus: 0, lastBus: 63 },
      { base: ECAM, firstBus: 64, lastBus: 127 },
    ]);
    expect(findEcam({ hal: firmware({ entries }).hal, memoryEnd: 2 ** 32 })).toEqual([
      { base: ECAM, firstBus: 64, lastBus: 127 },
    ]);
  });

  it("finds nothing where there is no firmware", () => {
    expect(findEcam({ hal: new Memory().hal })).toEqual([]);
  });

  it.each([
    ["the RSDP", RSDP + 9],
    ["the MCFG's signature", MCFG],
    ["the MCFG", MCFG + 45],
  ])("believes nothing after a flaw in %s", (_, at) => {
    const memory = firmware();
    memory.put(at, (memory.bytes.get(at) ?? 0) + 1);
    expect(findEcam({ hal: memory.hal })).toEqual([]);
  });

  it("falls back to the RSDT after a flaw in the XSDT", () => {
    const memory = firmware();
    memory.put(XSDT + 12, 1);
    expect(findEcam({ hal: memory.hal })).toEqual(ALL);
    memory.put(RSDT + 12, 1);
    expect(findEcam({ hal: memory.hal })).toEqual([]);
  });

  it("has no XSDT of an RSDP that is too old, or whose second part is flawed", () => {
    const old = firmware({ revision: 0 });
    old.put(RSDT + 12, 1);
    expect(findEcam({ hal: old.hal })).toEqual([]);
    const flawed = firmware();
    flawed.put(RSDP + 33, 1);
    expect(findEcam({ hal: flawed.hal })).toEqual(ALL);
    flawed.put(RSDT + 12, 1);
    expect(findEcam({ hal: flawed.hal })).toEqual([]);
  });

  it.each([0, 35, 0x1_0001, 0xffff_ffff])("takes no table of %i bytes", (length) => {
    const memory = firmware();
    memory.le(MCFG + 4, 4, length);
    memory.seal(MCFG, 36, 9);
    expect(findEcam({ hal: memory.hal })).toEqual([]);
  });
});

describe("openPciConfig", () => {
  function both(options: Firmware = {}) {
    const space = new FakeConfigSpace();
    space.add("00:00.0", new FakeFunction(0x8086, 0x29c0));
    return { space, memory: firmware(options, new Memory(space)) };
  }

  it("is memory where that answers as the ports do", () => {
    expect(openPciConfig({ hal: both().memory.hal }).length).toBe(4096);
  });

  it("is ports where there is no table, no bus 0 in it, or another answer", () => {
    const { space, memory } = both();
    expect(openPciConfig({ hal: new Memory(space).hal }).length).toBe(256);
    const other = both({ entries: [[ECAM, 0, 1, 255]] });
    expect(openPciConfig({ hal: other.memory.hal }).length).toBe(256);
    const silent = {
      ...memory.hal,
      mmioRead: (at: number, width: 1 | 2 | 4) =>
        at >= ECAM ? 2 ** (8 * width) - 1 : memory.hal.mmioRead(at, width),
    };
    expect(openPciConfig({ hal: silent }).length).toBe(256);
  });

  it("is memory where the machine has no ports for it", () => {
    const { memory } = both();
    const hal = { ...memory.hal, portRead: () => 0xffff_ffff };
    expect(openPciConfig({ hal }).length).toBe(4096);
  });
});

describe("ecamConfigAccess", () => {
  const accesses: string[] = [];
  const hal: Hal = {
    ...new FakeConfigSpace().hal,
    mmioRead: (at, width) => {
      accesses.push(`read ${at.toString(16)} ${width}`);
      return -1;
    },
    mmioWrite: (at, width, value) => accesses.push(`write ${at.toString(16)} ${width} ${value}`),
  };
  const config = ecamConfigAccess(hal, [{ base: 2 ** 36, firstBus: 16, lastBus: 31 }]);
  const address = { bus: 17, device: 31, function: 7 };

  it("reaches all 4096 bytes of a function", () => {
    accesses.length = 0;
    expect(config.read(address, 0xffc, 4)).toBe(0xffff_ffff);
    config.write(address, 0xfff, 1, 5);
    expect(accesses).toEqual(["read 10011ffffc 4", "write 10011fffff 1 5"]);
    expect(ecamBytes({ base: 0, firstBus: 16, lastBus: 31 })).toBe(16 * 2 ** 20);
  });

  it("touches nothing for a bus that is not there", () => {
    accesses.length = 0;
    expect(config.read({ ...address, bus: 32 }, 0, 2)).toBe(0xffff);
    expect(config.read({ ...address, bus: 15 }, 0, 1)).toBe(0xff);
    expect(() => config.write({ ...address, bus: 32 }, 4, 2, 7)).toThrow("in no allocation");
    expect(() => config.read(address, 0xffe, 4)).toThrow("4096 bytes");
    expect(accesses).toEqual([]);
  });
});
