/**
 * The words for a guest's end: every code of the guest program and of the boot code has some.
 */
import { describe, expect, it } from "vitest";
import { EXIT, STOP } from "../../../runtime/kernel/exit-codes.ts";
import { failureOfExit, GUEST_EXIT_CODES, lastErrorLine } from "../../../src/session/guest-exit.ts";
import type { GuestExit } from "../../../src/vmm/vmm.ts";

function ended(guestExitCode: number): GuestExit {
  return { reason: "guest", guestExitCode, code: null, signal: null, complaint: "" };
}

describe("the end of a guest", () => {
  it("has words for every code, and no two codes have the same ones", () => {
    const codes = [...Object.values(EXIT), ...Object.values(STOP)];
    expect([...GUEST_EXIT_CODES].sort()).toEqual([...codes].sort());
    const words = codes.map((code) => failureOfExit(ended(code), []).what);
    expect(new Set(words).size).toBe(codes.length);
  });

  it("quotes the guest's last words without the advice in them, and the code", () => {
    const lines = [
      "ballonet: error: an older one",
      "ballonet: error: a virtio balloon: seen 5 other PCI functions; do give it one",
      "something else",
    ];
    expect(lastErrorLine(lines)).toBe("a virtio balloon: seen 5 other PCI functions");
    const { kind, what, seen } = failureOfExit(ended(EXIT.noBalloon), lines);
    expect({ kind, what }).toEqual({ kind: "guest", what: "the guest found no balloon" });
    expect(seen).toBe("a virtio balloon: seen 5 other PCI functions; exit code 10");
  });

  it("quotes a panic line", () => {
    const lines = ["ballonet: panic: exception: page fault on 0x0 at 0x100123"];
    const { what, seen } = failureOfExit(ended(STOP.exception), lines);
    expect(what).toContain("CPU exception");
    expect(seen).toBe("exception: page fault on 0x0 at 0x100123; exit code 66");
  });

  it("blames the command line, not the guest, for words that make no sense", () => {
    expect(failureOfExit(ended(EXIT.badCommandLine), []).kind).toBe("usage");
  });

  it("tells an unknown code and a failed emulator apart", () => {
    expect(failureOfExit(ended(99), [])).toMatchObject({
      kind: "guest",
      seen: "the guest's exit code 99",
    });
    const broken: GuestExit = { reason: "failed", code: 1, signal: null, complaint: "no RAM" };
    expect(failureOfExit(broken, [])).toMatchObject({ kind: "emulator" });
    expect(failureOfExit(broken, []).seen).toContain("no RAM");
  });
});
