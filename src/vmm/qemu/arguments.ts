/**
 * QEMU's command line, as a pure function of the options.
 *
 * The machine is bare: no default devices, no network, no display. COM1 is the log, COM2 the
 * control channel unless COM1 is both, and a write to port 0x501 ends the machine with the guest's
 * exit code. All channels are file descriptors inherited from the starter, so a machine leaves
 * nothing in any directory. It runs only when it is told to over QMP (-S).
 */

import type { ControlPort } from "../../../runtime/abi.ts";
import { checkAppend, checkMemory, EXIT_PORT, EXIT_PORT_BYTES } from "../machine.ts";

/** The processor of the machine: which qemu-system-ARCH runs it. */
export type QemuArch = "i386" | "x86_64";
/** The newest of a kind, or one version of it: `pc-i440fx-7.2`, `pc-q35-10.0`. */
export type QemuMachine = "pc" | "q35" | "microvm" | `pc-i440fx-${string}` | `pc-q35-${string}`;

/** The balloon device. An option that is not given has QEMU's default. */
export interface QemuBalloonOptions {
  /** Default: `virtio-balloon-device` on microvm, `virtio-balloon-pci` elsewhere. */
  readonly model?:
    | "virtio-balloon-pci"
    | "virtio-balloon-pci-non-transitional"
    | "virtio-balloon-pci-transitional"
    | "virtio-balloon-device";
  readonly deflateOnOom?: boolean;
  readonly freePageReporting?: boolean;
  /** Adds the thread in QEMU that it needs. QEMU asks for hints only during a migration. */
  readonly freePageHint?: boolean;
  readonly pagePoison?: boolean;
  readonly eventIdx?: boolean;
  readonly indirectDesc?: boolean;
  readonly packed?: boolean;
  readonly iommuPlatform?: boolean;
  /** Default: QEMU's on PCI (off, but on behind a PCIe port); true on MMIO. */
  readonly disableLegacy?: boolean;
  /** On PCI only. */
  readonly disableModern?: boolean;
  /** Any other property of the device, by QEMU's own name. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
}

/** A machine for QEMU to run. */
export interface QemuMachineOptions {
  readonly arch: QemuArch;
  /** Default: `pc`. */
  readonly machine?: QemuMachine;
  /**
   * Path of the guest image: a Multiboot ELF32, or an ELF with a PVH note. Without one the
   * machine's firmware boots from a disk, which `extraArgs` give it.
   */
  readonly image?: string;
  /** A multiple of 8 KiB from 1 MiB up. */
  readonly memoryBytes: number;
  /** The guest's command line. */
  readonly append?: string;
  /** False: a machine without a balloon. Default: a balloon with QEMU's defaults. */
  readonly balloon?: QemuBalloonOptions | boolean;
  /**
   * Ids of PCIe root ports of `q35`, behind which devices can be plugged while the guest runs: the
   * balloon with the property `bus`, or later by `plugBalloon`.
   */
  readonly rootPorts?: readonly string[];
  /** Touch all of the guest's memory at the start, so that giving it back can be measured. */
  readonly preallocate?: boolean;
  /** The machine waits for a guest to arrive by `migrate` or `loadState`. */
  readonly incoming?: boolean;
  /**
   * `com1`: the machine has one serial port, for log and control channel; the guest then takes it
   * by itself. Default: `com2`, a second port for the control channel.
   */
  readonly control?: ControlPort;
  /** A guest that reboots ends the machine (reason `shutdown`). Default: it reboots. */
  readonly exitOnReboot?: boolean;
  /** Further arguments, at the end, as they are. */
  readonly extraArgs?: readonly string[];
}

/** The inherited file descriptors of the machine's channels; see qemu.ts. */
export const QMP_FD = 4;
export const COM1_FD = 5;
export const COM2_FD = 6;
/** The balloon's id, under which QMP finds it. */
export const BALLOON_ID = "balloon0";
/** The id of the thread in QEMU that works on hints. */
export const IO_THREAD_ID = "iothread0";

const MEMORY_GRANULE_BYTES = 8_192;
const PROPERTY_OF_OPTION = {
  deflateOnOom: "deflate-on-oom",
  freePageReporting: "free-page-reporting",
  freePageHint: "free-page-hint",
  pagePoison: "page-poison",
  eventIdx: "event_idx",
  indirectDesc: "indirect_desc",
  packed: "packed",
  iommuPlatform: "iommu_platform",
  disableLegacy: "disable-legacy",
  disableModern: "disable-modern",
} as const;

const MMIO_MODEL = "virtio-balloon-device";
const PCI_ONLY: ReadonlySet<string> = new Set(["disableLegacy", "disableModern"]);

/**
 * Returns the arguments after the program's name.
 * @throws VmmError `option` for memory or a command line that no machine can have.
 */
export function qemuArguments(options: QemuMachineOptions): string[] {
  const { machine = "pc", image, memoryBytes, append = "", balloon = true } = options;
  checkMemory({ memoryBytes, granuleBytes: MEMORY_GRANULE_BYTES });
  checkAppend(append);
  const args = ["-nodefaults", "-no-user-config", "-S"];
  const add = (flag: string, value: string): unknown => args.push(flag, value);
  add("-display", "none");
  add("-nic", "none");
  add("-M", `${machine},accel=tcg${options.preallocate ? ",memory-backend=ram0" : ""}`);
  add("-m", `${memoryBytes}B`);
  if (options.preallocate) {
    add("-object", `memory-backend-ram,id=ram0,size=${memoryBytes}B,prealloc=on`);
  }
  if (image !== undefined) {
    add("-kernel", image);
    add("-append", append);
  }
  add("-chardev", `socket,id=qmp,fd=${QMP_FD}`);
  add("-mon", "chardev=qmp,mode=control");
  add("-chardev", `socket,id=com1,fd=${COM1_FD}`);
  add("-serial", "chardev:com1");
  if (options.control !== "com1") {
    add("-chardev", `socket,id=com2,fd=${COM2_FD}`);
    // microvm creates only the first serial port by itself.
    if (machine === "microvm") add("-device", "isa-serial,chardev=com2,index=1");
    else add("-serial", "chardev:com2");
  }
  add("-device", `isa-debug-exit,iobase=${EXIT_PORT},iosize=${EXIT_PORT_BYTES}`);
  for (const [at, id] of (options.rootPorts ?? []).entries()) {
    // No two ports may have the same chassis and slot number.
    add("-device", `pcie-root-port,id=${id},chassis=${at + 1}`);
  }
  args.push(...balloonArguments({ machine, balloon }));
  if (options.incoming) add("-incoming", "defer");
  if (options.exitOnReboot) args.push("-no-reboot");
  return [...args, ...(options.extraArgs ?? [])];
}

/** Returns a balloon's driver and properties, by QEMU's names, for `-device` and `device_add`. */
export function balloonDevice(
  balloon: QemuBalloonOptions,
  machine: QemuMachine,
): { readonly driver: string; readonly [property: string]: string | number | boolean } {
  const driver =
    balloon.model ?? (machine === "microvm" ? "virtio-balloon-device" : "virtio-balloon-pci");
  const properties: Record<string, string | number | boolean> = { id: BALLOON_ID };
  for (const [option, property] of Object.entries(PROPERTY_OF_OPTION)) {
    if (driver === MMIO_MODEL && PCI_ONLY.has(option)) continue;
    const value = balloon[option as keyof typeof PROPERTY_OF_OPTION];
    if (value !== undefined) properties[property] = value;
  }
  if (balloon.freePageHint) properties.iothread = IO_THREAD_ID;
  return { ...properties, ...balloon.properties, driver };
}

function balloonArguments(parts: {
  machine: QemuMachine;
  balloon: QemuBalloonOptions | boolean;
}): string[] {
  const { machine, balloon } = parts;
  if (balloon === false) return [];
  const wanted = balloon === true ? {} : balloon;
  const { driver, ...properties } = balloonDevice(wanted, machine);
  const device = Object.entries(properties).map(
    ([name, value]) => `${name}=${propertyText(value)}`,
  );
  const args: string[] = [];
  if (wanted.freePageHint) args.push("-object", `iothread,id=${IO_THREAD_ID}`);
  // QEMU's MMIO transport is a legacy one by default. The choice is for all devices at once.
  if (driver === MMIO_MODEL && wanted.disableLegacy !== false) {
    args.push("-global", "virtio-mmio.force-legacy=false");
  }
  args.push("-device", [driver, ...device].join(","));
  return args;
}

/** QEMU's option syntax: on and off, and a comma inside a value is doubled. */
function propertyText(value: string | number | boolean): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value).replaceAll(",", ",,");
}
