/**
 * A machine of QEMU; its balloon is a device of this process.
 *
 *   guest: driver    agent                       this process: scenario
 *            |         | COM2                                     |
 *          QEMU -------+---------- control channel ---------------+
 *            |                                                    |
 *            +--- vfio-user --- relay --- server --- device ------'
 *            '--- memory: a shared file ---------------'
 *
 * The guest runs only inside `run`: outside of it, the device is at a standstill. Socket, memory
 * and file system of the guest are files whose names are gone once QEMU has opened them. What a
 * process leaves that is killed before that, the next one takes away.
 */
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDevice, type Device, type DeviceInterrupts } from "../../device/index.ts";
import { launchQemu, type QemuVmm, VmmError } from "../../vmm/index.ts";
import { type DeviceChoice, deviceOptions } from "../device-options.ts";
import type { RenewDevice } from "../movable-guest.ts";
import { GuestLost, type ScenarioDevice } from "../platform.ts";
import { DeviceSocket } from "../vfio-user/device-socket.ts";
import { FileMemory } from "../vfio-user/file-memory.ts";
import { type Disk, diskArguments } from "./disk.ts";
import { launchFolder } from "./launch-folder.ts";

/** What a machine is made of. */
export interface HostParts {
  /** The program qemu-system-x86_64. */
  readonly qemu: string;
  readonly machine: "pc" | "q35";
  /** Path of a kernel or an image that QEMU can start. Without one its firmware boots the disk. */
  readonly image?: string | undefined;
  /** A disk of the machine, which keeps none of what is written to it. Default: there is none. */
  readonly disk?: Disk | undefined;
  readonly memoryBytes: number;
  /** Entries of the device's MSI-X table. */
  readonly vectors: number;
  /** The command line. */
  readonly append: string;
  /** The guest's first file system. Default: it has none. */
  readonly initramfs?: Uint8Array;
  readonly signal: AbortSignal;
}

/** Makes a device of this memory. */
export type MakeDevice = (memory: FileMemory, interrupts: DeviceInterrupts) => Device;

/** Where the device sits on the guest's bus. */
export const DEVICE_ADDRESS = "0000:00:05.0";
const DEVICE_SLOT = "05.0";

/** Name of the first file system beside the memory's file. */
const INITRAMFS = "initramfs";

const LAUNCH_MS = 120_000;

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
   * Starts the machine and leaves it at a standstill before the guest's first instruction.
   *
   * @throws FailureError, VmmError or ImageError when it cannot be started, and the signal's
   *   reason; nothing is left running then.
   */
  static async start(parts: HostParts, make: MakeDevice): Promise<QemuHost> {
    const folder = launchFolder(roomFor(parts.memoryBytes), LAUNCH_MS);
    const memory = new FileMemory(join(folder, "memory"), parts.memoryBytes);
    let socket: DeviceSocket | undefined;
    let vmm: QemuVmm | undefined;
    try {
      const { vectors, signal } = parts;
      const path = join(folder, "device");
      socket = await DeviceSocket.open({
        path,
        vectors,
        make: (interrupts) => make(memory, interrupts),
        signal,
      });
      if (parts.initramfs) {
        writeFileSync(join(folder, INITRAMFS), parts.initramfs, { mode: 0o600 });
      }
      vmm = await launchQemu(launchOptions(parts, folder));
      rmSync(folder, { recursive: true });
      socket.start();
      return new QemuHost(vmm, socket, memory);
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

  /** Turns the guest's end, and the connection's, into what they mean here. */
  private async telling<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isEnd = error instanceof VmmError && ["exited", "closed"].includes(error.code);
      if (!isEnd) throw error;
      const { lines } = this.vmm.log;
      const panic = lines.find((line) => line.includes("Kernel panic"));
      throw new GuestLost("crashed", panic ?? (lines.slice(-2).join("; ") || error.seen));
    }
  }
}

/** Returns what makes the device of one scenario. */
export function servedDevice(
  choice: DeviceChoice,
  own: ScenarioDevice,
  incoming?: Uint8Array,
): MakeDevice {
  const { vectors = 0 } = choice;
  return (memory, interrupts) =>
    createDevice({
      ...deviceOptions(choice, own),
      ...(incoming && { incoming }),
      memory,
      subject: "system",
      interrupts: vectors > 0 ? interrupts : { onLine: (up) => interrupts.onLine?.(up) },
    });
}

/** Returns what moves a host's guest to devices of other hosts. */
export function renewing(host: QemuHost, choice: DeviceChoice): RenewDevice {
  return (own, incoming) => host.renewDevice(servedDevice(choice, own, incoming));
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
  const { qemu, machine, image, disk, memoryBytes, append, signal } = parts;
  const initramfs = parts.initramfs ? ["-initrd", join(folder, INITRAMFS)] : [];
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
    ...(image !== undefined && { image }),
    memoryBytes,
    balloon: false,
    paused: true,
    exitOnReboot: true,
    append,
    extraArgs: [
      ...initramfs,
      ...(disk === undefined ? [] : diskArguments(disk)),
      ...["-object", `${memory},mem-path=${join(folder, "memory")}`],
      ...["-machine", "memory-backend=ram0"],
      ...["-device", JSON.stringify(device)],
    ],
    signal,
    timeoutMs: LAUNCH_MS,
  } as const;
}
