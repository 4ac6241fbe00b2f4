/**
 * The host's own floor: compiles floor.c and runs it.
 *
 * The figures carry the names of those that they bound from below.
 */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageFolder } from "../../../src/package.ts";
import { MissingError } from "./linux.ts";
import { FIGURES, type Values } from "./samples.ts";

const run = promisify(execFile);

export interface Floor {
  measure(mebibytes: number, signal: AbortSignal): Promise<Values>;
}

/** @throws MissingError without a C compiler. */
export async function buildFloor(signal: AbortSignal): Promise<Floor> {
  const source = join(packageFolder(), "test/bench/linux-comparison/floor.c");
  const program = join(packageFolder(), "build/bench/floor");
  await mkdir(join(packageFolder(), "build/bench"), { recursive: true });
  try {
    await run("cc", ["-O2", "-o", program, source], { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new MissingError("the host's floor: seen no cc that compiles it; install gcc or clang", {
      cause,
    });
  }
  return {
    async measure(mebibytes, signal) {
      const { stdout } = await run(program, [String(mebibytes)], { signal });
      const pairs = [...stdout.matchAll(/^(\w+) ([\d.]+)$/gm)];
      const known = pairs.filter(([, name = ""]) => Object.hasOwn(FIGURES, name));
      return Object.fromEntries(known.map(([, name, value]) => [name, Number(value)]));
    },
  };
}
