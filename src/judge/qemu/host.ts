/**
 * A machine of QEMU that runs a Linux with the agent; its balloon is a device of this process.
 *
 *   Linux: driver    agent                       this process: scenario
 *            |         | COM2                                     |
 *          QEMU -------+---------- control channel ---------------+
 *            |                                                    |
 *            +--- vfio-user --- relay --- server --- device ------'
 *            '--- memory: a shared file ---------------'
 *
 * The guest runs only inside `run`: outside of it, the device is at a standstill. Socket, memory
 * and file system of the guest are files whose names are gone once QEMU has opened them, so nothing
 * stays behind however this process ends.
 */
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device, DeviceInterrupts } from "../../device/index.ts";
import { FailureError } from "../../failure.ts";
import { launchQemu, type QemuVmm, VmmError } from "../../vmm/index.ts";
import { writeInitramfs } from "../agent/initramfs.ts";
import type { Kernel } from "../agent/kernel.ts";
import type { KernelModule } from "../agent/modules.ts";
import { GuestLost } from "../platform.ts";
import { DeviceSocket } from "../vfio-user/device-socket.ts";
import { FileMemory } from "../vfio-user/file-memory.ts";

/** What a machine is made of. */
export interface HostParts {
  /** The program qemu-system-x86_64. */
  readonly qemu: string;
  readonly machine: "pc" | "q35";
  readonly kernel: Kernel;
  readonly modules: readonly KernelModule[];
  readonly memoryBytes: number;
  /** Entries of the device's MSI-X table. */
  readonly vectors: number;
  /** More words for the kernel's command line. */
  readonly append: string;
  readonly signal: AbortSignal;
}

/** Makes a device of this memory. */
export type MakeDevice = (memory: FileMemory, interrupts: DeviceInterrupts) => Device;

/** Where the device sits on the guest's bus. */
export const DEVICE_ADDRESS = "0000:00:05.0";
const DEVICE_SLOT = "05.0";

/** Output for the log, an end at a panic, and no doubts about clocks on a busy host. */
const APPEND = "console=ttyS0 loglevel=5 panic=-1 no_timer_check tsc=reliable mitigations=off";
const READY = /agent: (?:ready|no second serial port)/;
const BOOT_MS = 120_000;

/** The device's clock is moved this often while the guest runs. */
const TICK_MS = 5;

/** QEMU waits this long for the device, which may fill thousands of pages meanwhile. */
const MESSAGE_MS = 120_000;

/** The files need a little more room than the memory alone. */
const ROOM_FACTOR = 1.1;

export class QemuHost {
  readonly vmm: QemuVmm;
  private readonly socket: DeviceSocket;
  private readonly memory: FileMemory;

  private constructor(vmm: QemuVmm, socket: DeviceSocket, memory: FileMemory) {
    this.vmm = vmm;
    this.socket = socket;
    this.memory = memory;
  }

  /**
   * Boots the guest and leaves it at a standstill, when its agent is ready.
   *
   * @throws FailureError, VmmError or ImageError when it cannot be started or does not come up, and
   *   the signal's reason; nothing is left running then.
   */
  static async boot(parts: HostParts, make: MakeDevice): Promise<QemuHost> {
    const folder = mkdtempSync(join(roomFor(parts.memoryBytes), "ballonet-judge-"));
    const memory = new FileMemory(join(folder, "memory"), parts.memoryBytes);
    let socket: DeviceSocket | undefined;
    let vmm: QemuVmm | undefined;
    try {
      const { kernel, modules, vectors, signal } = parts;
      const path = join(folder, "device");
      socket = await DeviceSocket.open({
        path,
        vectors,
        make: (interrupts) => make(memory, interrupts),
        signal,
      });
      const initramfs = join(folder, "initramfs");
      await writeInitramfs({ path: initramfs, arch: kernel.arch, modules, signal });
      vmm = await launchQemu(launchOptions(parts, folder));
      rmSync(folder, { recursive: true });
      const host = new QemuHost(vmm, socket, memory);
      await host.comeUp(signal);
      return host;
    } catch (error) {
      await vmm?.kill();
      await socket?.close();
      memory.close();
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** The device that the guest has now. */
  get device(): Device {
    return this.socket.device;
  }

  /** Accesses to the device so far. */
  get accesses(): number {
    return this.socket.accesses;
  }

  /** Puts another device in the place of the present one, which the guest must not use now. */
  renewDevice(make: MakeDevice): Device {
    this.socket.renew((interrupts) => make(this.memory, interrupts));
    return this.socket.device;
  }

  /**
   * Lets the guest run, and the device's clock with it, until `work` is done.
   *
   * @throws GuestLost when the guest ends meanwhile.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    let lastMs = performance.now();
    const tick = () => {
      const nowMs = performance.now();
      this.device.advance(nowMs - lastMs);
      lastMs = nowMs;
    };
    await this.telling(() => this.vmm.resume());
    const ticks = setInterval(tick, TICK_MS);
    try {
      return await this.telling(work);
    } finally {
      clearInterval(ticks);
      tick();
      await this.vmm.pause().catch(() => {});
    }
  }

  /** Whether the guest's processor waits for an interrupt. */
  async isHalted(): Promise<boolean> {
    const args = { "command-line": "info registers" };
    const command = { command: "human-monitor-command", args };
    return /\bHLT=1\b/.test(String(await this.telling(() => this.vmm.execute(command))));
  }

  /** Ends the guest. */
  async end(): Promise<void> {
    await this.vmm.kill();
    await this.socket.close();
    this.memory.close();
  }

  private async comeUp(signal: AbortSignal): Promise<void> {
    this.socket.start();
    const { log } = this.vmm;
    const { text } = await this.run(() =>
      log.waitForLine({ pattern: READY, timeoutMs: BOOT_MS, signal }),
    ).catch((error: unknown) => {
      const isLate = error instanceof VmmError && error.code === "timeout";
      if (!isLate && !(error instanceof GuestLost)) throw error;
      throw new FailureError({
        kind: "missing",
        what: "the kernel",
        seen: isLate ? error.seen : `${(error as Error).message}`,
        todo: "give a kernel that boots in QEMU with a first program in its initramfs",
      });
    });
    if (text.includes("ready")) return;
    throw new FailureError({
      kind: "missing",
      what: "the kernel",
      seen: "no second serial port in the guest",
      todo: "give a kernel with the driver 8250 for serial ports",
    });
  }

  /** Turns the guest's end, and the connection's, into what they mean here. */
  private async telling<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isEnd = error instanceof VmmError && ["exited", "closed"].includes(error.code);
      if (!isEnd) throw error;
      const panic = this.vmm.log.lines.find((line) => line.includes("Kernel panic"));
      throw new GuestLost("crashed", panic ?? error.seen);
    }
  }
}

/** Memory that is not on a disk, where there is enough of it. */
function roomFor(bytes: number): string {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    if (bavail * bsize > bytes * ROOM_FACTOR) return "/dev/shm";
  } catch {
    // Not Linux, or a container without it.
  }
  return tmpdir();
}

function launchOptions(parts: HostParts, folder: string) {
  const { qemu, machine, kernel, memoryBytes, append, signal } = parts;
  const device = {
    driver: "vfio-user-pci",
    socket: { type: "unix", path: join(folder, "device") },
    addr: DEVICE_SLOT,
    // A write that is posted reaches the device after the guest has gone on.
    "x-no-posted-writes": true,
    "x-msg-timeout": MESSAGE_MS,
  };
  const memory = `memory-backend-file,id=ram0,size=${memoryBytes}B,share=on`;
  return {
    arch: "x86_64",
    binary: qemu,
    machine,
    image: kernel.path,
    memoryBytes,
    balloon: false,
    paused: true,
    exitOnReboot: true,
    append: `${APPEND} ${append}`.trim(),
    extraArgs: [
      ...["-initrd", join(folder, "initramfs")],
      ...["-object", `${memory},mem-path=${join(folder, "memory")}`],
      ...["-machine", "memory-backend=ram0"],
      ...["-device", JSON.stringify(device)],
    ],
    signal,
    timeoutMs: BOOT_MS,
  } as const;
}
