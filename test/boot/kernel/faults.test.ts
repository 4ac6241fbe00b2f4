/**
 * Guests that cannot go on: each says why in one line, and ends with a code of its own.
 *
 * The machine has ended by itself, so nothing hangs and nothing boots again and again.
 */
import { describe, expect, it } from "vitest";
import { EXIT, STOP } from "../../../runtime/kernel/exit-codes.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { guestAt, MIB, PLACES, placeName, useGuests } from "../../support/guests.ts";

useGuests();

const memoryBytes = 32 * MIB;
const CASES = PLACES.map((place) => ({ place, name: placeName(place) }));

/**
 * From too little for the image's code on, to enough for it, its stack and its pool, but not for a
 * guest as well. v86 itself refuses what does not hold the image.
 */
const TOO_LITTLE_MIB = [4, 5, 6, 7];
const IMAGE_MIB = 6;

const BAD_WORDS: readonly [string, RegExp][] = [
  ["ballonet.deflate=never", /deflate mode.*never.*tell-first, use-first, /],
  ["quiet ballonet.bufers=3", /"ballonet\.bufers=3"; do write ballonet\.buffers=3, or .*persona/],
  ["ballonet.poll=soon", /"ballonet\.poll=soon".*whole number/],
  ["ballonet.poll", /"ballonet\.poll".*ballonet\.poll=VALUE/],
];

const FAULTS: readonly [string, number, RegExp][] = [
  ["error", STOP.uncaught, /^uncaught: .*a deliberate error/],
  ["wasmTrap", STOP.wasmTrap, /^wasm trap: unreachable at 0x/],
  ["invalidOpcode", STOP.exception, /^exception: invalid opcode at 0x/],
  ["pageFault", STOP.exception, /^exception: page fault on 0x\w+ at 0x/],
];
/** Only where there are double faults: v86 has none. */
const OVERFLOW: readonly [string, number, RegExp][] = [
  ["stackOverflow", STOP.exception, /^exception: .*stack overflow.* at 0x/],
];

/** How the machine ended, and all that it ever printed. */
async function endOf(vm: Vmm): Promise<{ code: number | undefined; lines: string[] }> {
  const exit = await vm.exited;
  expect(exit).toMatchObject({ reason: "guest" });
  return { code: exit.guestExitCode, lines: vm.log.lines };
}

describe.each(CASES)("$name", ({ place }) => {
  it("says that it has no balloon", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes, balloon: false, untilReady: false });
    const { code, lines } = await endOf(vm);
    expect(code).toBe(EXIT.noBalloon);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^ballonet: error: .*virtio balloon.*give the machine a balloon/);
  });

  it("says what is wrong with its command line", async (context) => {
    for (const [append, reason] of BAD_WORDS) {
      const vm = await guestAt(context, place, { memoryBytes, append, untilReady: false });
      const { code, lines } = await endOf(vm);
      expect(code).toBe(EXIT.badCommandLine);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/^ballonet: error: /);
      expect(lines[0]).toMatch(reason);
    }
  });

  it("says that it has too little memory", async (context) => {
    for (const mebibytes of TOO_LITTLE_MIB) {
      const options = { memoryBytes: mebibytes * MIB, untilReady: false };
      if (place.on === "v86" && mebibytes < IMAGE_MIB) {
        const refused = guestAt(context, place, options);
        await expect(refused).rejects.toThrow(/a segment up to \d+ in \d+ .*give it more memory/);
        continue;
      }
      const { code, lines } = await endOf(await guestAt(context, place, options));
      expect(code).toBe(EXIT.tooLittleMemory);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(
        mebibytes === TOO_LITTLE_MIB[0]
          ? /^ballonet: error: too little memory: it ends before the image does; add some$/
          : /^ballonet: error: too little memory: \d+ bytes .*\d+ needed/,
      );
    }
  });

  for (const [kind, stop, text] of place.on === "v86" ? FAULTS : [...FAULTS, ...OVERFLOW]) {
    it(`prints one line and stops when asked for: ${kind}`, async (context) => {
      const vm = await guestAt(context, place, { memoryBytes });
      const asked = vm.control.request({ method: "panic", params: { kind } });
      await expect(asked).rejects.toMatchObject({ code: "exited" });
      const { code, lines } = await endOf(vm);
      expect(code).toBe(stop);
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatch(/^ballonet: ready/);
      expect(lines[1]).toMatch(/^ballonet: panic: /);
      expect(lines[1]?.replace("ballonet: panic: ", "")).toMatch(text);
    });
  }
});

it("a kernel stack that runs over ends v86 itself, which tells so", async (context) => {
  const vm = await guestAt(context, { on: "v86" }, { memoryBytes });
  const asked = vm.control.request({ method: "panic", params: { kind: "stackOverflow" } });
  await expect(asked).rejects.toMatchObject({ code: "exited" });
  expect(await vm.exited).toMatchObject({
    reason: "failed",
    complaint: expect.stringContaining("Maximum call stack size exceeded"),
  });
});
