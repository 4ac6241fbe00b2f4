/**
 * Runs a Linux for i386 in v86. It boots once, without a balloon; each scenario goes on from the
 * state that was saved then, and finds a new device.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FailureError } from "../../failure.ts";
import { type Board, launchV86, NO_FUNCTION, type V86Vmm, VmmError } from "../../vmm/index.ts";
import { Agent } from "../agent/agent.ts";
import { writeInitramfs } from "../agent/initramfs.ts";
import type { Kernel } from "../agent/kernel.ts";
import type { KernelModule } from "../agent/modules.ts";
import type { DeviceChoice } from "../device-options.ts";
import type { Platform } from "../platform.ts";
import { V86Guest } from "./guest.ts";
import { linuxImage } from "./linux-image.ts";
import { plugIn } from "./plugged.ts";

/** What the platform boots. */
export interface LinuxInV86Options {
  /** A bzImage for i386. */
  readonly kernel: Kernel;
  readonly modules: readonly KernelModule[];
  readonly memoryBytes: number;
  /** More words for the kernel's command line. */
  readonly append?: string;
  readonly device: DeviceChoice;
  /** Milliseconds in which a guest must come to rest or answer. Default 60,000. */
  readonly timeoutMs?: number | undefined;
}

const APPEND = "console=ttyS0 loglevel=5 panic=-1 mitigations=off tsc=reliable";
const READY = /agent: ready/;
const BOOT_MS = 180_000;

/** A driver that has not found its device by then waits for what never comes. */
const FIND_MS = 10_000;

/** Returns the platform, and what ends its machine. */
export function linuxInV86(options: LinuxInV86Options): Platform & { end(): Promise<void> } {
  let booted: Promise<Booted> | undefined;
  return {
    name: "v86",
    async start({ device: own, signal }) {
      booted ??= boot(options, signal);
      const { vmm, board, state } = await booted;
      board.replace(NO_FUNCTION);
      board.line(false);
      await vmm.snapshots.restore({ state, signal });
      const plug = plugIn(board, options.device);
      const device = plug(own);
      const { timeoutMs } = options;
      const agent = new Agent(vmm.control, {
        signal,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      const system = agent.actions();
      const parts = { vmm, board, device, renew: plug, system, signal, timeoutMs, goesOn: true };
      const guest = new V86Guest(parts);
      const finder = new Agent(vmm.control, { signal, timeoutMs: timeoutMs ?? FIND_MS });
      return guest.begin(() => finder.rescan());
    },
    async end() {
      const found = await booted?.catch(() => undefined);
      booted = undefined;
      await found?.vmm.kill();
    },
  };
}

interface Booted {
  readonly vmm: V86Vmm;
  readonly board: Board;
  readonly state: ArrayBuffer;
}

async function boot(options: LinuxInV86Options, signal: AbortSignal): Promise<Booted> {
  const { kernel, modules, memoryBytes, append = "" } = options;
  if (kernel.arch !== "i386") {
    throw new FailureError({
      kind: "missing",
      what: `kernel ${kernel.version}`,
      seen: "a kernel for x86_64, and v86 has no 64-bit mode",
      todo: "judge it on qemu, or give one for i386",
    });
  }
  const image = linuxImage({
    kernel: await readFile(kernel.path),
    initramfs: await initramfsOf(modules, signal),
    append: `${APPEND} ${append}`.trim(),
    memoryBytes,
  });
  let board: Board | undefined;
  const plug = (one: Board) => {
    board = one;
    return NO_FUNCTION;
  };
  const vmm = await launchV86({ image, memoryBytes, balloon: false, plug, signal });
  try {
    if (board === undefined) throw new Error("v86 made no machine");
    await vmm.log.waitForLine({ pattern: READY, timeoutMs: BOOT_MS, signal });
    return { vmm, board, state: await vmm.snapshots.save({ signal }) };
  } catch (error) {
    await vmm.kill();
    if (!(error instanceof VmmError)) throw error;
    throw new FailureError({
      kind: "guest",
      what: `kernel ${kernel.version}`,
      seen: error.message,
      todo: "boot it by itself, to see why it does not come up",
    });
  }
}

async function initramfsOf(
  modules: readonly KernelModule[],
  signal: AbortSignal,
): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "ballonet-judge-"));
  try {
    const path = join(folder, "initramfs");
    await writeInitramfs({ path, arch: "i386", modules, signal });
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
