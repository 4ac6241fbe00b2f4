/**
 * The public entry `ballonet/session`, as a program that uses it: plan, check, run, read events.
 */
import { describe, expect, it } from "vitest";
import {
  type Check,
  diagnose,
  FailureError,
  planSession,
  qemuCommand,
  runProgram,
  runSession,
  shellLine,
} from "../../../src/session/index.ts";

/** A check boots a guest on v86, in this process. */
const TRIAL_MS = 60_000;

describe("ballonet/session", () => {
  it("says beforehand what a session will do, and refuses what cannot be", () => {
    const plan = planSession({ on: "qemu", memoryBytes: 2 ** 30, targets: [{ share: 0.25 }] });
    expect(plan).toMatchObject({ arch: "x86_64", machine: "pc", targets: [65536] });
    const refuse = () => planSession({ on: "v86", targets: [{ pages: 2 ** 20 }] });
    expect(refuse).toThrow(FailureError);
    expect(refuse).toThrow(/stay below the machine's memory/);
  });

  it("ends a session that cannot start with a failure that says what to do", async () => {
    for await (const event of runSession({ on: "v86", image: "/no/such/image.elf" })) {
      expect(event).toMatchObject({
        type: "failed",
        kind: "usage",
        seen: expect.stringContaining("no file"),
      });
      expect(event.type === "failed" && event.todo).toContain("give an image's path");
    }
    expect.assertions(2);
  });

  it.each([
    [{ arch: "x86_64" }, "x86_64 on v86"],
    [{ machine: "q35" }, "q35 on v86"],
    [{ qemu: "/opt/qemu" }, "/opt/qemu on v86"],
  ] as const)("refuses to run a program on v86 with %j", async (machine, seen) => {
    const refused = runProgram({ app: "/no/such/app.ts", ...machine });
    await expect(refused).rejects.toMatchObject({ kind: "usage", seen });
  });

  it("tries what the machine has; what is missing has a todo", { timeout: TRIAL_MS }, async () => {
    const { ready, findings } = await diagnose({ qemu: "/nonexistent/qemu" });
    expect(findings.map(({ name }) => name)).toContain("node");
    const isHere = ({ state, todo }: Check) => (state === "here") === (todo === "");
    expect(findings.every(isHere)).toBe(true);
    expect(ready).toBe(findings.every(({ state }) => state !== "missing"));
    // What judges a Linux has a QEMU of its own.
    const judged = findings.filter(({ purpose }) => purpose.startsWith("judge --kernel"));
    expect(judged.map(({ name }) => name)).toEqual(["QEMU with vfio-user", "kernels"]);
    for (const { seen } of judged) expect(seen).not.toContain("/nonexistent/qemu");
    const qemu = findings.filter(({ name }) => name.startsWith("qemu-system-"));
    expect(qemu).toHaveLength(2);
    for (const { state, seen } of qemu) {
      expect(state).toBe("optional");
      expect(seen).toContain("/nonexistent/qemu");
    }
  });

  it("rejects a check that was cancelled", async () => {
    const reason = new Error("enough");
    await expect(diagnose({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("makes a command that boots an image by hand", () => {
    const line = shellLine(qemuCommand({ arch: "x86_64", image: "my guest.elf", memory: "1G" }));
    expect(line).toMatch(/^qemu-system-x86_64 -m 1G -kernel 'my guest.elf' /);
  });
});
