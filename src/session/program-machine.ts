/** Which machines a program can run on. */
import { FailureError } from "../failure.ts";

/** What `runProgram` and `ballonet run` choose of a machine. */
interface ProgramMachine {
  readonly on?: "v86" | "qemu" | undefined;
  readonly arch?: "i386" | "x86_64" | undefined;
  readonly machine?: string | undefined;
  readonly qemu?: string | undefined;
}

/** @throws FailureError `usage` for what v86 does not have. */
export function checkProgramMachine({ on = "v86", arch, machine, qemu }: ProgramMachine): void {
  if (on !== "v86") return;
  const refuse = (what: string, value: string, todo: string): never => {
    throw new FailureError({ kind: "usage", what, seen: `${value} on v86`, todo });
  };
  if (arch === "x86_64") refuse("architecture", arch, "use i386: v86 has no 64-bit mode");
  const todo = "leave it out, or run on qemu";
  if (machine !== undefined) refuse("machine", machine, todo);
  if (qemu !== undefined) refuse("QEMU's program", qemu, todo);
}
