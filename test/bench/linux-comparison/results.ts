/**
 * The results of one run of the benchmark: where, what, and how good.
 *
 * Everything in it was seen in this very run.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism, release } from "node:os";
import { qemuVersion } from "../../../src/vmm/qemu/qemu.ts";
import { type Goal, judge } from "./goals.ts";
import { measure, type Outcome, type Plan } from "./plan.ts";

export interface Results extends Outcome {
  readonly host: {
    readonly qemu: string;
    readonly kernel: string;
    readonly processors: number;
    /** When the kernel makes huge pages: always, for who asks (madvise), or never. */
    readonly hugePages: string;
    readonly node: string;
  };
  readonly runs: number;
  readonly sizes: readonly number[];
  readonly goals: readonly Goal[];
}

const HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled";

async function hugePages(): Promise<string> {
  const text = await readFile(HUGE_PAGES, "utf8").catch(() => "");
  return /\[(\w+)\]/.exec(text)?.[1] ?? "unknown";
}

export async function results(plan: Plan): Promise<Results> {
  const { runs, sizes, qemu, signal } = plan;
  const { version } = await qemuVersion({
    arch: "x86_64",
    signal,
    ...(qemu !== undefined && { binary: qemu }),
  });
  const outcome = await measure(plan);
  return {
    host: {
      qemu: version,
      kernel: release(),
      processors: availableParallelism(),
      hugePages: await hugePages(),
      node: process.version,
    },
    runs,
    sizes,
    ...outcome,
    goals: judge(outcome.samples, sizes),
  };
}
