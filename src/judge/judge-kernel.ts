/** Judges the driver of a Linux, as it is, or of an image that boots, in QEMU or in v86. */
import { readFile } from "node:fs/promises";
import { FailureError } from "../failure.ts";
import { formatBytes } from "../text/units.ts";
import { type Vmm, VmmError } from "../vmm/index.ts";
import { vfioUserQemu } from "../vmm/qemu/vfio-user-qemu.ts";
import type { KernelModule } from "./agent/initramfs.ts";
import { type Kernel, readKernel } from "./agent/kernel.ts";
import { modulesFolder, readModules } from "./agent/modules.ts";
import { linuxAgent } from "./agent/program.ts";
import { type BootImage, readBootImage } from "./boot-file.ts";
import { type DeviceChoice, settingsOf } from "./device-options.ts";
import { imageActions } from "./image-system.ts";
import { judge, runScenario } from "./judge.ts";
import type { JudgeReport, ScenarioResult } from "./judge-report.ts";
import { expectMachine } from "./machine-limits.ts";
import type { Platform } from "./platform.ts";
import { type Disk, readDisk } from "./qemu/disk.ts";
import { LinuxInQemu } from "./qemu/linux.ts";
import { inQemu } from "./qemu/platform.ts";
import type { Shard } from "./shard.ts";
import { linuxInV86 } from "./v86/linux.ts";
import { linuxImage } from "./v86/linux-image.ts";
import { inV86 } from "./v86/platform.ts";

/** What `judgeKernel` is asked for. */
export interface JudgeKernelOptions {
  /**
   * Path of a bzImage, for x86_64 or i386; or of an image that an emulator boots by itself: an ELF
   * file with a Multiboot header or a PVH note, such as this package builds. An image is booted
   * anew for each scenario. Not needed where a disk has a system on it that a PC's firmware boots.
   */
  readonly kernel?: string | undefined;
  /** Path of a disk of the machine, raw or qcow2, on QEMU; what is written there is not kept. */
  readonly disk?: string | undefined;
  /**
   * The folder of its modules, packed or not, at any depth. Default: `modules` beside the kernel,
   * lib/modules/VERSION beside its folder, or /lib/modules/VERSION; where there is none of them,
   * the driver has to be in the kernel itself.
   */
  readonly modules?: string | undefined;
  /** Where it runs: QEMU, or v86 in this process for what is for i386. Default `qemu`. */
  readonly on?: "qemu" | "v86" | undefined;
  /** The program qemu-system-x86_64, 10.1 or newer. Default: what the setup fetched, or PATH's. */
  readonly qemu?: string | undefined;
  /** Default `pc`. */
  readonly machine?: "pc" | "q35" | undefined;
  /**
   * Up to 2 GiB; with less than 512 MiB Linux reports no free pages. Default 512 MiB; on v86, and
   * for an image, 128 MiB.
   */
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
const SMALL_MEMORY_BYTES = 128 * MIB;
const TIMEOUT_MS = 60_000;

/** What is judged, and where it runs. */
interface Subject {
  /** Its name in the report. */
  readonly driver: string;
  readonly platform: Platform & { end?(): Promise<void> };
  /** Says what a result most likely means here. */
  explained?(result: ScenarioResult): ScenarioResult;
}

/**
 * Judges the virtio balloon driver of a Linux, or of an image.
 *
 * @throws FailureError `missing` for a kernel, image or module that cannot be used, `usage` for an
 *   unknown scenario; VmmError `qemu-not-found` for a QEMU that cannot be used; ImageError where
 *   there is no C compiler; the signal's reason. Nothing is left running.
 */
export async function judgeKernel(options: JudgeKernelOptions): Promise<JudgeReport> {
  const { device, scenarios, signal = new AbortController().signal } = options;
  const { machine = "pc", on = "qemu", append = "" } = options;
  checkSubject({ ...options, on });
  const disk = options.disk === undefined ? undefined : await readDisk(options.disk);
  const image = await readBootImage(options.kernel);
  const isSmall = on === "v86" || image !== undefined;
  const { memoryBytes = isSmall ? SMALL_MEMORY_BYTES : MEMORY_BYTES } = options;
  expectMachine(device.transport, memoryBytes);
  const choice = { ...options, machine, on, memoryBytes, signal, disk };
  const subject = await subjectOf(image, choice);
  const { driver, platform, explained = (result) => result } = subject;
  try {
    return await judge({
      driver,
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
      run: async (scenario) => explained(await runScenario(platform, scenario, signal)),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw image === undefined ? error : unbootable(error, image);
  } finally {
    await platform.end?.();
  }
}

/** The options, with the defaults in their places. */
type Choice = Omit<JudgeKernelOptions, "disk" | "machine" | "memoryBytes" | "on" | "signal"> & {
  readonly disk: Disk | undefined;
  readonly machine: "pc" | "q35";
  readonly memoryBytes: number;
  readonly on: "qemu" | "v86";
  readonly signal: AbortSignal;
};

/** @throws FailureError `usage` for options that make no sense together. */
function checkSubject(
  options: Pick<JudgeKernelOptions, "append" | "disk" | "kernel" | "on">,
): void {
  const { kernel, disk, on, append } = options;
  const seen =
    kernel === undefined && disk === undefined
      ? "neither a kernel nor a disk"
      : disk !== undefined && on === "v86"
        ? "a disk on v86"
        : kernel === undefined && append
          ? "words for the command line of a system on a disk"
          : undefined;
  if (seen === undefined) return;
  const todo = "give a kernel; or a disk, on QEMU, with the words in its boot loader";
  throw new FailureError({ kind: "usage", what: "what to boot", seen, todo });
}

async function subjectOf(image: BootImage | undefined, choice: Choice): Promise<Subject> {
  const { kernel, disk } = choice;
  if (image !== undefined) return imageSubject(image, choice);
  if (kernel !== undefined) return linuxSubject({ ...choice, kernel });
  const { path: qemu } = await vfioUserQemu({ binary: choice.qemu, signal: choice.signal });
  return { driver: disk?.name ?? "", platform: inQemu({ ...choice, append: "", qemu }) };
}

async function linuxSubject(choice: Choice & { readonly kernel: string }): Promise<Subject> {
  const { memoryBytes, append = "", device, timeoutMs, on, machine, signal } = choice;
  const kernel = await readKernel(choice.kernel);
  const modules = await modulesOf(kernel, choice.modules);
  const timed = timeoutMs === undefined ? {} : { timeoutMs };
  const parts = { memoryBytes, device, ...timed };
  const driver = `Linux ${kernel.version}`;
  const explained = (result: ScenarioResult) =>
    modules.length === 0 ? withoutModules(result, kernel) : result;
  if (on === "v86") {
    const files = { kernel: await readFile(kernel.path), modules, append, memoryBytes };
    const image = linuxImage({ ...files, agent: await linuxAgent({ arch: "i386", signal }) });
    return { driver, platform: linuxInV86({ ...parts, image }), explained };
  }
  const { path: qemu } = await vfioUserQemu({ binary: choice.qemu, signal });
  const { disk } = choice;
  const linux = { ...parts, kernel, modules, append, qemu, machine, disk };
  return { driver, platform: new LinuxInQemu(linux), explained };
}

async function imageSubject(image: BootImage, choice: Choice): Promise<Subject> {
  const { memoryBytes, append, device, timeoutMs, on, machine, signal } = choice;
  const limits = { signal, timeoutMs: timeoutMs ?? TIMEOUT_MS };
  const parts = {
    image: image.path,
    memoryBytes,
    device,
    timeoutMs,
    ...(append !== undefined && { append }),
    ...(image.isOurs && { system: ({ control }: Vmm) => imageActions(control, limits) }),
  };
  const driver = image.name;
  if (on === "qemu") {
    const { path: qemu } = await vfioUserQemu({ binary: choice.qemu, signal });
    return { driver, platform: inQemu({ ...parts, qemu, machine, disk: choice.disk }) };
  }
  if (image.arch === "i386") return { driver, platform: inV86(parts) };
  throw new FailureError({
    kind: "missing",
    what: `image ${image.name}`,
    seen: "an image for x86_64, and v86 has no 64-bit mode",
    todo: "judge it on qemu, or give one for i386",
  });
}

/** What QEMU says of itself when it ends, without its warnings. */
const COMPLAINT = /qemu-system-\w+: (?!-)([^\\"]+)/;

/** Returns the failure of an image that no emulator can start; any other error as it is. */
function unbootable(error: unknown, { name }: BootImage): unknown {
  const isRefused = error instanceof VmmError && ["exited-early", "image"].includes(error.code);
  if (!isRefused) return error;
  return new FailureError({
    kind: "missing",
    what: `image ${name}`,
    seen: COMPLAINT.exec(error.seen)?.[1] ?? error.seen,
    todo: "give a bzImage of Linux, or an ELF file that a PC's emulator starts by itself",
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
