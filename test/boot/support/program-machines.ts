/** The machines that programs of a user's are tried on. */
import type { TestContext } from "vitest";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";

export const PROGRAM_MACHINES = [
  { on: "v86", arch: "i386" },
  { on: "qemu", arch: "i386" },
  { on: "qemu", arch: "x86_64" },
] as const;

export type ProgramMachine = (typeof PROGRAM_MACHINES)[number];

/** Skips the test as `toolOrSkip` where the machine's emulator is missing. v86 never is. */
export function machineOrSkip(context: TestContext, { on, arch }: ProgramMachine): void {
  const qemu = `qemu-system-${arch}`;
  if (on === "qemu") toolOrSkip(context, findOnPath(qemu), qemu);
}
