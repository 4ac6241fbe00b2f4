/**
 * What a session is asked for, and what is decided about it before anything starts.
 *
 * It starts nothing and looks at no file. Invariant: a plan contradicts neither itself nor what the
 * emulators can do; what only the guest can refuse is left to the guest.
 */

import { FailureError } from "../failure.ts";
import { formatBytes, pagesOf, type Target } from "../text/units.ts";
import { checkAppend } from "../vmm/qemu/arguments.ts";
import { PAGE_BYTES, type Vmm } from "../vmm/vmm.ts";
import type { SessionStep } from "./events.ts";

export interface SessionOptions {
  readonly on: "v86" | "qemu";
  /** Default: i386 on v86, which has nothing else, and x86_64 on QEMU. */
  readonly arch?: "i386" | "x86_64" | undefined;
  /** QEMU's machine type. Default: `pc`. */
  readonly machine?: "pc" | "q35" | undefined;
  /** Default: 64 MiB on v86, 256 MiB on QEMU. */
  readonly memoryBytes?: number | undefined;
  /** Sizes of the balloon, one after the other. Default: half of memory, then 0. */
  readonly targets?: readonly Target[];
  /**
   * What the workload owns and verifies; 0 for none. Default: an eighth of memory, if that fits.
   */
  readonly workloadBytes?: number | undefined;
  /** Settings of the driver, as `ballonet.KEY=VALUE` words and whatever else. */
  readonly append?: string;
  /** An image to boot instead of the one that is built from this package. */
  readonly image?: string | undefined;
  /** False: a machine without a balloon, to see how the guest takes it. */
  readonly balloon?: boolean;
  /** The longest that one step, or a balloon on its way, may show no progress. Default: 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** All of it decided. */
export interface SessionPlan {
  readonly on: "v86" | "qemu";
  readonly arch: "i386" | "x86_64";
  readonly machine: "pc" | "q35" | null;
  readonly memoryBytes: number;
  readonly memoryPages: number;
  readonly targets: readonly number[];
  readonly workloadPages: number | undefined;
  readonly append: string;
  readonly image: string | undefined;
  readonly balloon: boolean;
  readonly timeoutMs: number;
}

/** What the steps of a session work with. */
export interface Run {
  readonly plan: SessionPlan;
  readonly vmm: Vmm;
  readonly signal: AbortSignal;
  /** When the machine was started, on the clock of `performance.now()`. */
  readonly launchedMs: number;
  tell(step: SessionStep): void;
}

const DEFAULT_MEMORY_BYTES = { v86: 64 * 2 ** 20, qemu: 256 * 2 ** 20 } as const;
const DEFAULT_TARGETS: readonly Target[] = [{ share: 0.5 }, { pages: 0 }];
const DEFAULT_TIMEOUT_MS = 30_000;
function contradiction(what: string, seen: string, todo: string): FailureError {
  return new FailureError({ kind: "usage", what, seen, todo });
}

/** @throws FailureError `usage` when the options contradict each other. */
export function planSession(options: SessionOptions): SessionPlan {
  const { on, arch = on === "v86" ? "i386" : "x86_64", balloon = true } = options;
  const { machine = on === "v86" ? null : "pc", append = "" } = options;
  if (on === "v86" && arch !== "i386") {
    throw contradiction("architecture", `${arch} on v86`, "use i386: v86 has no 64-bit mode");
  }
  if (on === "v86" && machine !== null) {
    throw contradiction("machine", `${machine} on v86`, "leave it out, or boot on qemu");
  }
  const memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES[on];
  const memoryPages = Math.floor(memoryBytes / PAGE_BYTES);
  const targets = (options.targets ?? DEFAULT_TARGETS).map((target) =>
    pagesOf(target, memoryBytes),
  );
  const workloadBytes = options.workloadBytes;
  for (const pages of [...targets, Math.ceil((workloadBytes ?? 0) / PAGE_BYTES)]) {
    if (pages < memoryPages) continue;
    const seen = `${pages} pages of a machine with ${memoryPages} (${formatBytes(memoryBytes)})`;
    throw contradiction("target or workload", seen, "stay below the machine's memory");
  }
  checkAppend(append);
  return {
    ...{ on, arch, machine, memoryBytes, memoryPages, targets, append, balloon },
    workloadPages: workloadBytes === undefined ? undefined : Math.ceil(workloadBytes / PAGE_BYTES),
    image: options.image,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
}
