/** Addresses in the windows that a host bridge is described with, and never elsewhere. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DescribedHostBridge } from "../../../runtime/acpi/dsdt.ts";
import type { AddressRange } from "../../../runtime/acpi/resources.ts";
import { readBars } from "../../../runtime/pci/bars.ts";
import { portConfigAccess } from "../../../runtime/pci/config.ts";
import { assignDescribed, describedConfig } from "../../../runtime/pci/described.ts";
import { FakeConfigSpace } from "./config-space.ts";
import { SizedFunction } from "./sized-function.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BRIDGE = { firstBus: 0, lastBus: 255, io: [], memory: [], routes: [] };

/** Where the 64-bit BAR of a device on bus 0 gets its place. */
function place(
  bridge: Partial<DescribedHostBridge>,
  {
    ram = [],
    memoryEnd = 2 ** 40,
    size = 16384,
  }: Partial<Record<"memoryEnd" | "size", number>> & {
    readonly ram?: readonly AddressRange[];
  } = {},
): number | undefined {
  const space = new FakeConfigSpace();
  space.add("00:01.0", new SizedFunction(0x1af4, 0x1045, { 4: { kind: "memory-64", size } }));
  const config = portConfigAccess(space.hal);
  const bridges = [{ ...BRIDGE, ...bridge }];
  const unplaced = assignDescribed({ config, bridges, memoryEnd, ram, wants: () => true });
  const bar = readBars(config, { bus: 0, device: 1, function: 0 })[4];
  expect(unplaced).toHaveLength(bar?.kind === "memory" ? 0 : 1);
  return bar?.kind === "memory" ? bar.base : undefined;
}

describe("assignDescribed", () => {
  const display = { start: 0xa_0000, end: 0xc_0000 };
  const low = { start: 0xc000_0000, end: 0xc000_2000 };
  const next = { start: 0xd000_0000, end: 0xd001_0000 };
  const high = { start: 2 ** 38, end: 2 ** 39 };

  it("uses all windows below 4 GiB, then those above that the guest reaches", () => {
    const memory = [high, next, display, low];
    expect(place({ memory })).toBe(next.start);
    expect(place({ memory: [low, high] })).toBe(high.start);
    expect(place({ memory: [low, high] }, { memoryEnd: 2 ** 32 })).toBeUndefined();
    expect(place({ memory: [display] })).toBeUndefined();
    expect(place({})).toBeUndefined();
  });

  it("leaves out configuration space, interrupt controllers and firmware", () => {
    const memory = [{ start: 0xe000_0000, end: 0x1_0000_0000 }];
    expect(place({ memory, ecamBase: 0xe000_0000 })).toBe(0xf000_0000);
    expect(place({ memory: [{ start: 0xfec0_0000, end: 0x1_0000_0000 }] })).toBeUndefined();
  });

  it("gives only what is whole in a window, in no RAM, and reached", () => {
    const range = fc
      .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 1, max: 16 }))
      .map(([at, length]) => ({ start: at * 64 * MIB, end: (at + length) * 64 * MIB }));
    const ranges = fc.array(range, { maxLength: 6 });
    fc.assert(
      fc.property(
        ranges,
        ranges,
        fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 33),
        fc.constantFrom(16384, 64 * MIB, GIB),
        (memory, ram, memoryEnd, size) => {
          const base = place({ memory }, { ram, memoryEnd, size });
          if (base === undefined) return;
          const end = base + size;
          expect(base % size).toBe(0);
          expect(end).toBeLessThanOrEqual(memoryEnd);
          expect(ram.every((it) => it.end <= base || it.start >= end)).toBe(true);
          for (let at = base; at < end; at += Math.min(size, 64 * MIB)) {
            expect(memory.some((it) => it.start <= at && at < it.end)).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("describedConfig", () => {
  it("is there only where the guest reaches it", () => {
    const { hal } = new FakeConfigSpace();
    const bridges = [{ ...BRIDGE, ecamBase: 0xe000_0000 }];
    expect(describedConfig(hal, bridges, 2 ** 32)?.length).toBe(4096);
    expect(describedConfig(hal, bridges, 0xe800_0000)).toBeUndefined();
    expect(describedConfig(hal, [BRIDGE], 2 ** 32)).toBeUndefined();
  });
});
