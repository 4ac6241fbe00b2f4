/** BARs of every kind, the command register, and broken capability lists. */
import { describe, expect, it } from "vitest";
import { disableFunction, enableFunction, readBars } from "../../../runtime/pci/bars.ts";
import { CAPABILITIES_MAX, readCapabilities } from "../../../runtime/pci/capabilities.ts";
import { portConfigAccess } from "../../../runtime/pci/config.ts";
import { FakeConfigSpace, FakeFunction } from "./config-space.ts";

const ADDRESS = { bus: 0, device: 2, function: 0 };

function device(prepare: (fake: FakeFunction) => void) {
  const space = new FakeConfigSpace();
  const fake = space.add("00:02.0", new FakeFunction(0x1af4, 0x1045));
  prepare(fake);
  return { space, fake, config: portConfigAccess(space.hal) };
}

function bars(...words: number[]) {
  const { config } = device((fake) => {
    words.forEach((word, index) => {
      fake.set(0x10 + 4 * index, 4, word);
    });
  });
  return readBars(config, ADDRESS);
}

describe("readBars", () => {
  it("tells I/O, 32-bit, prefetchable and 64-bit BARs apart", () => {
    const seen = bars(0xd801, 0xfebf_1000, 0x8000_0008, 0xfe00_000c, 0x0000_0080);
    expect(seen.slice(0, 4)).toEqual([
      { kind: "io", base: 0xd800 },
      { kind: "memory", base: 0xfebf_1000, wide: false },
      { kind: "memory", base: 0x8000_0000, wide: false },
      { kind: "memory", base: 0x80_fe00_0000, wide: true },
    ]);
    expect(seen[4]).toMatchObject({ kind: "unusable", reason: "the upper half of a 64-bit BAR" });
    expect(seen).toHaveLength(6);
  });

  it("takes a 64-bit BAR whose lower half is zero for assigned", () => {
    expect(bars(0x0000_0004, 1)[0]).toEqual({ kind: "memory", base: 2 ** 32, wide: true });
  });

  it.each([
    ["an I/O BAR with no address", [1]],
    ["a memory BAR with no address", [0]],
    ["a memory BAR with no address", [4, 0]],
    ["beyond the ports", [0xffff_fffd]],
    ["reserved type", [0x1006]],
    ["beyond 2^53", [0x1004, 0x0020_0000]],
  ])("calls unusable: %s", (reason, words) => {
    const [first] = bars(...words);
    expect(first?.kind === "unusable" && first.reason).toContain(reason);
  });

  it("does not read past the last register for an upper half", () => {
    expect(bars(0, 0, 0, 0, 0, 0x1004)[5]).toMatchObject({ kind: "unusable" });
  });
});

describe("the command register", () => {
  it("gains what is missing and loses the interrupt mask, in one 16-bit write", () => {
    const { space, fake, config } = device((it) => it.set(0x04, 2, 0x0500));
    enableFunction(config, ADDRESS, { io: true, memory: false });
    expect(fake.get(0x04, 2)).toBe(0x0105);
    enableFunction(config, ADDRESS, { io: false, memory: true });
    expect(fake.get(0x04, 2)).toBe(0x0107);
    enableFunction(config, ADDRESS, { io: true, memory: true });
    const writes = space.accesses.filter(({ written }) => written !== undefined);
    expect(writes.map(({ offset, width }) => [offset, width])).toEqual([
      [4, 2],
      [4, 2],
    ]);
  });

  it("loses bus mastering and INTx when the function is given up", () => {
    const { fake, config } = device((it) => it.set(0x04, 2, 0x0007));
    disableFunction(config, ADDRESS);
    expect(fake.get(0x04, 2)).toBe(0x0403);
  });
});

describe("readCapabilities", () => {
  const offsets = (prepare: (fake: FakeFunction) => void) =>
    readCapabilities(device(prepare).config, ADDRESS).map(({ offset }) => offset);

  it("walks in the device's order, masking the reserved bits of pointers", () => {
    expect(
      offsets((it) =>
        it
          .capabilities([
            { at: 0x98, bytes: [5] },
            { at: 0x40, bytes: [9] },
          ])
          .set(0x34, 1, 0x9b),
      ),
    ).toEqual([0x98, 0x40]);
  });

  it("finds nothing where the status register promises no list", () => {
    expect(offsets((it) => it.set(0x34, 1, 0x40).set(0x40, 1, 9))).toEqual([]);
  });

  it("ends at a loop, at a pointer into the header, and at all ones", () => {
    expect(offsets((it) => it.capabilities([{ at: 0x40, bytes: [9] }]).set(0x41, 1, 0x40))).toEqual(
      [0x40],
    );
    expect(offsets((it) => it.capabilities([{ at: 0x40, bytes: [9] }]).set(0x41, 1, 0x20))).toEqual(
      [0x40],
    );
    expect(offsets((it) => it.capabilities([{ at: 0x40, bytes: [9] }]).set(0x41, 1, 0xff))).toEqual(
      [0x40, 0xfc],
    );
  });

  it("takes the longest list there can be", () => {
    const all = Array.from({ length: CAPABILITIES_MAX }, (_, index) => 0x40 + 4 * index);
    expect(offsets((it) => it.capabilities(all.map((at) => ({ at, bytes: [1] }))))).toEqual(all);
  });
});
