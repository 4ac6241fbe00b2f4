/**
 * The words for a guest's end: every code of the guest program and of the boot code has some.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EXIT } from "../../../runtime/kernel/guest.ts";
import { endOfGuest, GUEST_EXIT_CODES, lastWords, STOP } from "../../../src/session/guest-exit.ts";
import type { GuestExit } from "../../../src/vmm/vmm.ts";

const HEADER = new URL("../../../runtime/kernel/boot/kernel.h", import.meta.url);

function ended(guestExitCode: number): GuestExit {
  return { reason: "guest", guestExitCode, code: null, signal: null, complaint: "" };
}

describe("the end of a guest", () => {
  it("knows the stop codes that the boot code defines, by the same names", () => {
    const text = readFileSync(HEADER, "utf8");
    const found = [...text.matchAll(/\bSTOP_(\w+) = (0x[0-9a-f]+)/g)];
    expect(found.length).toBeGreaterThan(0);
    const defined = Object.fromEntries(found.map(([, name, code]) => [name, Number(code)]));
    expect(STOP).toEqual(defined);
  });

  it("has words for every code, and no two codes have the same ones", () => {
    const codes = [...Object.values(EXIT), ...Object.values(STOP)];
    expect([...GUEST_EXIT_CODES].sort()).toEqual([...codes].sort());
    const words = codes.map((code) => endOfGuest(ended(code), []).what);
    expect(new Set(words).size).toBe(codes.length);
  });

  it("quotes the guest's last words without the advice in them, and the code", () => {
    const lines = [
      "ballonet: error: an older one",
      "ballonet: error: a virtio balloon: seen 5 other PCI functions; do give it one",
      "something else",
    ];
    expect(lastWords(lines)).toBe("a virtio balloon: seen 5 other PCI functions");
    const { kind, what, seen } = endOfGuest(ended(EXIT.noBalloon), lines);
    expect({ kind, what }).toEqual({ kind: "guest", what: "the guest found no balloon" });
    expect(seen).toBe("a virtio balloon: seen 5 other PCI functions; exit code 10");
  });

  it("quotes a panic line", () => {
    const lines = ["ballonet: panic: exception: page fault on 0x0 at 0x100123"];
    const { what, seen } = endOfGuest(ended(STOP.EXCEPTION), lines);
    expect(what).toContain("CPU exception");
    expect(seen).toBe("exception: page fault on 0x0 at 0x100123; exit code 66");
  });

  it("blames the command line, not the guest, for words that make no sense", () => {
    expect(endOfGuest(ended(EXIT.badCommandLine), []).kind).toBe("usage");
  });

  it("tells an unknown code and a failed emulator apart", () => {
    expect(endOfGuest(ended(99), [])).toMatchObject({
      kind: "guest",
      seen: "the guest's exit code 99",
    });
    const broken: GuestExit = { reason: "failed", code: 1, signal: null, complaint: "no RAM" };
    expect(endOfGuest(broken, [])).toMatchObject({ kind: "emulator" });
    expect(endOfGuest(broken, []).seen).toContain("no RAM");
  });
});
