/** How pages of guest memory are compared, with Node's own buffer and, as in a page, without it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { GuestMemory } from "../../../../src/device/memory/guest-memory.ts";
import { mix } from "../../../../src/device/sim/random.ts";

const BYTES = 4096;
const PFN = 1;
const WORD = mix(PFN, 7);
/** A word that, twice, is a NaN: no double is equal to it. */
const NAN_WORD = 0x7ff8_0001;

afterEach(() => vi.unstubAllGlobals());

describe.each(["with", "without"])("a page, %s Node's buffer", (how) => {
  function made() {
    if (how === "without") vi.stubGlobal("Buffer", undefined);
    const { buffer } = new Uint8Array(3 * BYTES + 8);
    const memory = new GuestMemory({ buffer, byteOffset: 8, byteLength: 3 * BYTES });
    for (const pfn of [0, PFN, 2]) memory.fillPage(pfn, mix(pfn, 7));
    return { memory, view: new DataView(buffer, 8) };
  }

  it("is its canary to the last byte, beside pages with other ones", () => {
    const { memory } = made();
    expect([0, PFN, 2].map((pfn) => memory.firstDifference(pfn, mix(pfn, 7)))).toEqual([
      -1, -1, -1,
    ]);
  });

  it.each([0, 1, 4, 7, 8, 12, 2047, 4088, 4092, 4095])("shows a change of byte %i", (at) => {
    const { memory, view } = made();
    view.setUint8(BYTES + at, view.getUint8(BYTES + at) ^ 1);
    expect(memory.firstDifference(PFN, WORD)).toBe(at & ~3);
  });

  it.each([0, mix(2, 7), NAN_WORD])("shows that all of it is another word, %i", (word) => {
    const { memory } = made();
    memory.fillPage(PFN, word);
    expect(memory.firstDifference(PFN, WORD)).toBe(0);
  });

  it("shows the words of another one behind its own", () => {
    const { memory, view } = made();
    for (let at = 16; at < BYTES; at += 8) view.setUint32(BYTES + at, WORD ^ 2, true);
    expect(memory.firstDifference(PFN, WORD)).toBe(16);
  });

  it("that does not exist is not touched", () => {
    const { memory } = made();
    memory.fillPage(3, WORD);
    expect(memory.firstDifference(3, WORD)).toBe(-1);
  });
});
