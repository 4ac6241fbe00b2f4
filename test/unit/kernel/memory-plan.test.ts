/** Where the arena lies, and what the ledger gets, on machines of any shape. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { makeSettings } from "../../../runtime/balloon/make-settings.ts";
import type { MemoryRange } from "../../../runtime/core/arena.ts";
import { planMemory } from "../../../runtime/kernel/memory-plan.ts";
import { instantiateCore } from "../../support/core-instance.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const FRAME = 4096;
const core = instantiateCore(new WebAssembly.Memory({ initial: 1 }));
const settings = makeSettings();
const plan = (available: readonly MemoryRange[], coreEnd = 4 * GIB) =>
  planMemory({ core, settings, available, coreEnd });
const end = ({ start, bytes }: MemoryRange) => start + bytes;

it("puts the arena into the first range that holds it, and uses all the rest", () => {
  const available = [
    { start: FRAME, bytes: 16 * FRAME },
    { start: 8 * MIB, bytes: 400 * MIB },
    { start: 4 * GIB, bytes: TIB },
  ];
  const found = plan(available);
  expect(found).toMatchObject({ unusedBytes: 0 });
  const { arena, ram } = found as Exclude<typeof found, number>;
  expect(arena.start).toBe(8 * MIB);
  expect(arena.bytes).toBeLessThan(400 * MIB);
  expect(ram).toEqual([
    available[0],
    { start: end(arena), bytes: 400 * MIB - arena.bytes },
    available[2],
  ]);
});

it("leaves memory unused that it cannot describe", () => {
  const low = { start: 8 * MIB, bytes: 56 * MIB };
  const found = plan([low, { start: 4 * GIB, bytes: 15 * TIB }]);
  if (typeof found === "number") throw new Error(`${found} bytes needed`);
  const used = 15 * TIB - found.unusedBytes;
  // 56 MiB describe 458,752 MiB, less what rings and buffers take.
  expect(used / GIB).toBeGreaterThan(380);
  expect(used / GIB).toBeLessThan(448);
  expect(end(found.arena)).toBeLessThan(64 * MIB);
});

it("says what it would need where memory below the core's end is too small", () => {
  expect(plan([])).toBe(FRAME);
  expect(plan([{ start: FRAME, bytes: 2 * FRAME }])).toBeGreaterThan(2 * FRAME);
  expect(plan([{ start: 4 * GIB, bytes: GIB }])).toBeGreaterThan(GIB / FRAME / 2);
});

it("holds for any ranges", () => {
  const piece = fc.record({
    gap: fc.oneof(fc.nat(1000), fc.nat(2 ** 22), fc.nat(2 ** 31)),
    frames: fc.oneof(fc.nat(1000), fc.nat(2 ** 18), fc.nat(2 ** 29)).map((it) => it + 1),
  });
  const ranges = fc.array(piece, { minLength: 1, maxLength: 300 }).map((pieces) => {
    let at = 1;
    return pieces.map(({ gap, frames }): MemoryRange => {
      const start = at + gap;
      at = start + frames;
      return { start: start * FRAME, bytes: frames * FRAME };
    });
  });
  fc.assert(
    fc.property(ranges, fc.constantFrom(GIB, 4 * GIB), (available, coreEnd) => {
      const found = plan(available, coreEnd);
      if (typeof found === "number") return;
      const { arena, ram, unusedBytes } = found;
      expect(end(arena)).toBeLessThanOrEqual(coreEnd);
      expect(ram.every(({ bytes }) => bytes > 0)).toBe(true);
      const parts = [arena, ...ram].sort((a, b) => a.start - b.start);
      parts.reduce((below, here) => {
        expect(here.start).toBeGreaterThanOrEqual(end(below));
        return here;
      });
      const isIn = (it: MemoryRange) =>
        available.some((whole) => whole.start <= it.start && end(it) <= end(whole));
      expect(parts.every(isIn)).toBe(true);
      const sum = (list: readonly MemoryRange[]) => list.reduce((n, { bytes }) => n + bytes, 0);
      expect(sum(parts) + unusedBytes).toBe(sum(available));
    }),
    { numRuns: 200 },
  );
});
