/**
 * The guests that are compared, and how each is started on the same machine.
 *
 * QEMU, machine type, processor, devices and memory are the same for all of them; only image and
 * command line differ, and page reporting where a name says so.
 */
import { buildImage } from "../../../src/image/build-image.ts";
import { launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { LINUX_READY, linuxGuest } from "./linux.ts";

export const GUEST_NAMES = [
  "ballonet",
  "reporting",
  "linux",
  "linux-tuned",
  "linux-reporting",
] as const;
export type GuestName = (typeof GUEST_NAMES)[number];

export interface Contender {
  readonly name: GuestName;
  readonly title: string;
  readonly image: string;
  readonly imageBytes: number;
  readonly ready: RegExp;
  readonly append: string;
  readonly arguments: readonly string[];
  readonly freePageReporting: boolean;
}

/** A guest may be slow to start where the machine is busy. */
const READY_MS = 120_000;
const OURS = /^ballonet: ready/;
/** So slowly that memory is still the guest's when the request comes. */
const NEXT_TO_NO_REPORTS = "ballonet.report-rate=512";

export interface Preparation {
  readonly only: readonly GuestName[];
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

/** Builds and fetches what is asked for. @throws MissingError, ImageError. */
export async function contenders(options: Preparation): Promise<Contender[]> {
  const { only } = options;
  const all: Contender[] = [];
  if (only.some((name) => !name.startsWith("linux"))) {
    options.progress("building the image");
    const { path, bytes } = await buildImage({ arch: "x86_64", signal: options.signal });
    const ours = { image: path, imageBytes: bytes, ready: OURS, arguments: [] };
    all.push(
      { name: "ballonet", title: "ballonet", append: "", freePageReporting: false, ...ours },
      {
        name: "reporting",
        title: "ballonet, with page reporting",
        append: NEXT_TO_NO_REPORTS,
        freePageReporting: true,
        ...ours,
      },
    );
  }
  if (only.some((name) => name.startsWith("linux"))) {
    const { kernel: image, initrd, version, imageBytes } = await linuxGuest(options);
    const linux = { image, imageBytes, ready: LINUX_READY, arguments: ["-initrd", initrd] };
    // On a busy machine Linux takes a late timer for a broken one, unless told not to look.
    const append = "console=ttyS0 quiet panic=-1 no_timer_check";
    const tuned = `${append} init_on_alloc=0`;
    const title = `Linux ${version}`;
    all.push(
      { name: "linux", title, append, freePageReporting: false, ...linux },
      {
        name: "linux-tuned",
        title: `${title}, tuned`,
        append: tuned,
        freePageReporting: false,
        ...linux,
      },
      {
        name: "linux-reporting",
        title: `${title}, tuned, with page reporting`,
        append: tuned,
        freePageReporting: true,
        ...linux,
      },
    );
  }
  return all.filter(({ name }) => only.includes(name));
}

export interface Start {
  readonly contender: Contender;
  readonly memoryBytes: number;
  /** Default: QEMU's own memory, touched at the start; "sparse": none of it is touched. */
  readonly memory?: "populated" | "untouched" | "sparse";
  readonly qemu: string | undefined;
  readonly signal: AbortSignal;
  /** Further arguments of QEMU. */
  readonly arguments?: readonly string[];
}

export interface Running {
  readonly vm: QemuVmm;
  /** From before QEMU was started until its guest's driver was at work. */
  readonly readyMs: number;
}

/** Memory larger than the host's: nothing is set aside for it. */
function sparse(memoryBytes: number): string[] {
  const backend = `memory-backend-ram,id=ram0,size=${memoryBytes}B,reserve=off`;
  return ["-object", backend, "-machine", "memory-backend=ram0"];
}

/** Starts the guest and waits for its driver. The caller ends it. */
export async function start(options: Start): Promise<Running> {
  const { contender, memoryBytes, memory = "populated", qemu, signal } = options;
  const startMs = performance.now();
  const vm = await launchQemu({
    arch: "x86_64",
    machine: "q35",
    image: contender.image,
    memoryBytes,
    preallocate: memory === "populated",
    append: contender.append,
    balloon: { freePageReporting: contender.freePageReporting },
    exitOnReboot: true,
    extraArgs: [
      ...contender.arguments,
      ...(memory === "sparse" ? sparse(memoryBytes) : []),
      ...(options.arguments ?? []),
    ],
    ...(qemu !== undefined && { binary: qemu }),
    signal,
    timeoutMs: READY_MS,
  });
  try {
    await vm.log.waitForLine({ pattern: contender.ready, timeoutMs: READY_MS, signal });
    return { vm, readyMs: performance.now() - startMs };
  } catch (error) {
    await vm.kill();
    throw error;
  }
}
