/** A machine that a test starts by hand, and what it prints on its standard output. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { onTestFinished } from "vitest";

export interface SerialMachine {
  readonly process: ChildProcessWithoutNullStreams;
  /** All that it printed so far. */
  text(): string;
  /** Resolves with its exit status. */
  readonly ended: Promise<number | null>;
}

/** Starts `program`; it is killed at the end of the test. */
export function startMachine(program: string, args: readonly string[]): SerialMachine {
  const child = spawn(program, args);
  child.stderr.resume();
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let text = "";
  child.stdout.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { process: child, text: () => text, ended };
}
