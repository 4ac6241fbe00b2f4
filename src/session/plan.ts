/**
 * The options of a session, and the plan that they amount to. It refuses options that contradict
 * each other; it does not look at files, and leaves to the guest what only the guest can judge.
 */
import type { ControlPort } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import { formatBytes, pagesOf, type Target } from "../text/units.ts";
import { checkAppend } from "../vmm/machine.ts";
import { PAGE_BYTES, type Vmm } from "../vmm/vmm.ts";
import type { SessionStep } from "./events.ts";

/** What a session boots, and what it asks of the balloon. */
export interface SessionOptions {
  /** The emulator. v86 runs in this process, QEMU in its own. */
  readonly on: "v86" | "qemu";
  /** Default: i386 on v86, which has nothing else, and x86_64 on QEMU. */
  readonly arch?: "i386" | "x86_64" | undefined;
  /** QEMU's machine type. Default: `pc`. On `microvm` the device is on MMIO. */
  readonly machine?: "pc" | "q35" | "microvm" | undefined;
  /** QEMU's program: a path, or a name to look up in PATH. Default: qemu-system-ARCH. */
  readonly qemu?: string | undefined;
  /** Default: 64 MiB on v86, 256 MiB on QEMU. */
  readonly memoryBytes?: number | undefined;
  /**
   * Sizes of the balloon, in turn. Default: half of memory, then 0; none with the policy
   * `report-only`, which never inflates.
   */
  readonly targets?: readonly Target[];
  /** Memory that the guest fills and verifies; 0 for none. Default: an eighth, if that fits. */
  readonly workloadBytes?: number | undefined;
  /** The guest's command line: `ballonet.KEY=VALUE` words set the driver. Default: empty. */
  readonly append?: string;
  /** Path of an image. Default: one is built from this package, or taken from the cache. */
  readonly image?: string | undefined;
  /**
   * Path of a policy: a TypeScript or JavaScript module whose default export is a `Policy`. It goes
   * into the image, so it excludes `image`. Default: the policy `follow`, or that of `append`.
   */
  readonly policy?: string | undefined;
  /** False: a machine without a balloon device, to see what the guest does. Default: true. */
  readonly balloon?: boolean;
  /** Properties of QEMU's balloon device, by QEMU's names. */
  readonly device?: Readonly<Record<string, string>>;
  /**
   * `com1`: a machine with one serial port, which carries log and control channel. Default: `com2`,
   * a second port for the control channel.
   */
  readonly control?: ControlPort | undefined;
  /** How long one step may take, or the balloon may not move, in ms. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Ends the session and the guest. */
  readonly signal?: AbortSignal | undefined;
}

/** A session's options with every default filled in. */
export interface SessionPlan {
  readonly on: "v86" | "qemu";
  readonly arch: "i386" | "x86_64";
  /** QEMU's machine type; null on v86. */
  readonly machine: "pc" | "q35" | "microvm" | null;
  readonly qemu: string | undefined;
  readonly memoryBytes: number;
  readonly memoryPages: number;
  /** In pages. */
  readonly targets: readonly number[];
  /** Undefined: the session decides once it knows the guest's free memory. */
  readonly workloadPages: number | undefined;
  readonly append: string;
  readonly image: string | undefined;
  readonly policy: string | undefined;
  readonly balloon: boolean;
  readonly device: Readonly<Record<string, string>>;
  readonly control: ControlPort;
  /** True: no targets; the session waits until freed memory was reported to the host. */
  readonly reportOnly: boolean;
  readonly timeoutMs: number;
}

/** A session that runs: what its steps share. */
export interface Run {
  readonly plan: SessionPlan;
  readonly vmm: Vmm;
  readonly signal: AbortSignal;
  /** When the machine was started, on the clock of `performance.now()`. */
  readonly launchedMs: number;
  emit(step: SessionStep): void;
}

/** Memory of a machine, by emulator, unless it is said. */
export const DEFAULT_MEMORY_BYTES = { v86: 64 * 2 ** 20, qemu: 256 * 2 ** 20 } as const;
const DEFAULT_TARGETS: readonly Target[] = [{ share: 0.5 }, { pages: 0 }];
/** Less than such a guest lets its host have. */
const UNTRUSTED_TARGETS: readonly Target[] = [{ share: 0.25 }, { pages: 0 }];
const DEFAULT_TIMEOUT_MS = 30_000;
const REPORTING = "free-page-reporting";
/** How QEMU spells false. */
const OFF = ["off", "no", "false", "n"];

function contradiction(what: string, seen: string, todo: string): FailureError {
  return new FailureError({ kind: "usage", what, seen, todo });
}

/** Returns the value of the last `ballonet.KEY=VALUE` word: the one that the guest takes. */
function lastWord(append: string, key: string): string | undefined {
  const prefix = `ballonet.${key}=`;
  const word = append.split(/\s+/).findLast((it) => it.startsWith(prefix));
  return word?.slice(prefix.length);
}

/** Refuses what v86's machine or its balloon cannot do. */
function checkV86(options: SessionOptions): void {
  const { arch = "i386", machine, qemu, append = "", device = {} } = options;
  const refuse = (what: string, value: string, todo: string): never => {
    throw contradiction(what, `${value} on v86`, todo);
  };
  if (arch !== "i386") refuse("architecture", arch, "use i386: v86 has no 64-bit mode");
  if (machine !== undefined) refuse("machine", machine, "leave it out, or boot on qemu");
  if (qemu !== undefined) refuse("QEMU's program", qemu, "leave it out, or boot on qemu");
  const [property] = Object.keys(device);
  if (property !== undefined) {
    refuse("device options", property, "leave them out, or boot on qemu: v86's device has none");
  }
  if (lastWord(append, "policy") === "report-only") {
    const todo = "boot on qemu: v86's balloon has no page reporting, and this policy nothing else";
    refuse("policy", "report-only", todo);
  }
  const persona = lastWord(append, "persona");
  const isSilent = (lastWord(append, "deflate") ?? persona) === "silent";
  if (isSilent) {
    const todo = "boot on qemu: v86 counts what the guest tells, so its balloon would never shrink";
    refuse(persona === "silent" ? "persona" : "deflate mode", "silent", todo);
  }
}

/** Refuses what contradicts the policy `report-only`. */
function checkReportOnly({ targets, workloadBytes, device = {} }: SessionOptions): void {
  const refuse = (what: string, seen: string, todo: string): never => {
    throw contradiction(what, `${seen} with the policy report-only`, todo);
  };
  if (targets !== undefined) {
    refuse("target", "one", "leave targets out: this policy never inflates the balloon");
  }
  if (workloadBytes === 0) {
    refuse("workload", "none", "give one: the session frees it and waits until it is reported");
  }
  if (OFF.includes(device[REPORTING] ?? "")) {
    refuse("device options", `${REPORTING}=${device[REPORTING]}`, "leave that option out");
  }
}

/**
 * Fills in the defaults. `runSession` does it by itself; call it to check options beforehand.
 * @throws FailureError `usage` when the options contradict each other.
 */
export function planSession(options: SessionOptions): SessionPlan {
  const { on, arch = on === "v86" ? "i386" : "x86_64", balloon = true } = options;
  const { machine = on === "v86" ? null : "pc", append = "" } = options;
  const reportOnly = lastWord(append, "policy") === "report-only";
  if (on === "v86") checkV86(options);
  if (reportOnly) checkReportOnly(options);
  if (!balloon && Object.keys(options.device ?? {}).length > 0) {
    throw contradiction("device options", "a machine without a balloon", "leave one of both out");
  }
  if (options.image !== undefined && options.policy !== undefined) {
    const todo = "leave one of them out: `ballonet image --policy` makes an image with a policy";
    throw contradiction("policy", `${options.policy} for the image ${options.image}`, todo);
  }
  const memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES[on];
  const memoryPages = Math.floor(memoryBytes / PAGE_BYTES);
  const usual = lastWord(append, "host") === "untrusted" ? UNTRUSTED_TARGETS : DEFAULT_TARGETS;
  const targets = (options.targets ?? (reportOnly ? [] : usual)).map((target) =>
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
    ...{ on, arch, machine, memoryBytes, memoryPages, targets, append, balloon, reportOnly },
    device: { ...(reportOnly ? { [REPORTING]: "on" } : {}), ...options.device },
    workloadPages: workloadBytes === undefined ? undefined : Math.ceil(workloadBytes / PAGE_BYTES),
    image: options.image,
    policy: options.policy,
    qemu: options.qemu,
    control: options.control ?? "com2",
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
}
