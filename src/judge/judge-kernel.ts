/** Judges the driver of a Linux, as it is, in QEMU or in v86. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FailureError } from "../failure.ts";
import { isCheckout, packageFolder } from "../package.ts";
import { formatBytes } from "../text/units.ts";
import { qemuVersion } from "../vmm/qemu/qemu.ts";
import { type Kernel, readKernel } from "./agent/kernel.ts";
import { type KernelModule, modulesFolder, readModules } from "./agent/modules.ts";
import { type DeviceChoice, settingsOf } from "./device-options.ts";
import { judge, runScenario } from "./judge.ts";
import type { JudgeReport, ScenarioResult } from "./judge-report.ts";
import { QemuPlatform } from "./qemu/linux.ts";
import type { Shard } from "./shard.ts";
import { linuxInV86 } from "./v86/linux.ts";

/** What `judgeKernel` is asked for. */
export interface JudgeKernelOptions {
  /** Path of a bzImage, for x86_64 or i386. */
  readonly kernel: string;
  /**
   * The folder of its modules, packed or not, at any depth. Default: `modules` beside the kernel,
   * lib/modules/VERSION beside its folder, or /lib/modules/VERSION; where there is none of them,
   * the driver has to be in the kernel itself.
   */
  readonly modules?: string | undefined;
  /** Where it runs: QEMU, or v86 in this process for a kernel for i386. Default `qemu`. */
  readonly on?: "qemu" | "v86" | undefined;
  /** The program qemu-system-x86_64, 10.1 or newer. Default: what the setup fetched, or PATH's. */
  readonly qemu?: string | undefined;
  /** Default `pc`. */
  readonly machine?: "pc" | "q35" | undefined;
  /** Up to 2 GiB; with less than 512 MiB Linux reports no free pages. Default 512 MiB, v86 128. */
  readonly memoryBytes?: number | undefined;
  /** More words for the kernel's command line. */
  readonly append?: string | undefined;
  readonly device: DeviceChoice & { readonly profile: string; readonly transport: string };
  readonly scenarios?: readonly string[];
  /** Which part of these to run. Default: all. */
  readonly shard?: Shard | undefined;
  /** Milliseconds in which the guest must come to rest or answer. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal;
  onScenario?(name: string, done: number, of: number): void;
}

const MIB = 2 ** 20;
const MEMORY_BYTES = 512 * MIB;
const V86_MEMORY_BYTES = 128 * MIB;
/** Above, a PC has a hole in its memory, and the file would not begin at address 0. */
const MEMORY_BYTES_MAX = 2048 * MIB;
const MEMORY_BYTES_MIN = 64 * MIB;

/** The first version that lets another process serve a device. */
const QEMU_SINCE = [10, 1] as const;
const FETCHED_QEMU = "build/qemu-11/qemu-system-x86_64";

/**
 * Judges the virtio balloon driver of a Linux.
 *
 * @throws FailureError `missing` for a kernel, module or QEMU that cannot be used, `usage` for an
 *   unknown scenario; ImageError where there is no C compiler; the signal's reason. Nothing is left
 *   running.
 */
export async function judgeKernel(options: JudgeKernelOptions): Promise<JudgeReport> {
  const { device, scenarios, timeoutMs, signal = new AbortController().signal } = options;
  const { machine = "pc", append = "", on = "qemu" } = options;
  const { memoryBytes = on === "v86" ? V86_MEMORY_BYTES : MEMORY_BYTES } = options;
  checkDevice(device.transport, memoryBytes);
  const kernel = await readKernel(options.kernel);
  const modules = await modulesOf(kernel, options.modules);
  const timed = timeoutMs === undefined ? {} : { timeoutMs };
  const parts = { kernel, modules, memoryBytes, append, device, ...timed };
  const platform =
    on === "v86"
      ? linuxInV86(parts)
      : new QemuPlatform({
          ...parts,
          ...{ qemu: await findQemu(options.qemu, signal), machine },
        });
  try {
    return await judge({
      driver: `Linux ${kernel.version}`,
      platform: on === "v86" ? platform.name : `${platform.name}, ${machine}`,
      profile: device.profile,
      transport: device.transport,
      settings: {
        ...settingsOf(device),
        memory: formatBytes(memoryBytes),
        ...(append !== "" && { append }),
      },
      scenarios,
      shard: options.shard,
      signal,
      onScenario: (...progress) => options.onScenario?.(...progress),
      run: async (scenario) => {
        const result = await runScenario(platform, scenario, signal);
        return modules.length === 0 ? withoutModules(result, kernel) : result;
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await platform.end();
  }
}

function checkDevice(transport: string, memoryBytes: number): void {
  if (transport.includes("mmio")) {
    throw new FailureError({
      kind: "usage",
      what: "transport",
      seen: `${transport}, with a kernel`,
      todo: "choose modern, transitional or legacy: the device is a PCI function there",
    });
  }
  if (memoryBytes >= MEMORY_BYTES_MIN && memoryBytes <= MEMORY_BYTES_MAX) return;
  throw new FailureError({
    kind: "usage",
    what: "memory",
    seen: `${memoryBytes / MIB} MiB`,
    todo: `give ${MEMORY_BYTES_MIN / MIB}M to ${MEMORY_BYTES_MAX / MIB}M`,
  });
}

async function modulesOf(
  kernel: Kernel,
  folder: string | undefined,
): Promise<readonly KernelModule[]> {
  const found = folder ?? modulesFolder(kernel);
  return found === undefined ? [] : readModules(found);
}

/** A driver that never came, of a kernel without modules, most often is one of them. */
function withoutModules(result: ScenarioResult, { version }: Kernel): ScenarioResult {
  if (result.outcome !== "never came") return result;
  const where = `beside the kernel or in /lib/modules/${version}`;
  return { ...result, note: `${result.note}; no modules were found ${where}: name their folder` };
}

async function findQemu(chosen: string | undefined, signal: AbortSignal): Promise<string> {
  const fetched = join(packageFolder(), FETCHED_QEMU);
  const binary = chosen ?? (existsSync(fetched) ? fetched : undefined);
  const { path, version } = await qemuVersion({
    arch: "x86_64",
    ...(binary !== undefined && { binary }),
    signal,
  });
  const [major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  const [sinceMajor, sinceMinor] = QEMU_SINCE;
  if (major > sinceMajor || (major === sinceMajor && minor >= sinceMinor)) return path;
  throw new FailureError({
    kind: "missing",
    what: `QEMU ${sinceMajor}.${sinceMinor} or newer`,
    seen: `${path}, which is ${major}.${minor}`,
    todo: isCheckout()
      ? "run `npm run setup` in ballonet's folder, which fetches one, or name one with --qemu"
      : "name a newer one with --qemu, or judge a kernel for i386 with --on v86",
  });
}
