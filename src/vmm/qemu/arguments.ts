/**
 * QEMU's command line for a guest of ours, as a pure function of the options.
 *
 * It starts nothing and looks at no file. The machine is bare: no default devices, no network, no
 * display; COM1 is the log, COM2 the control channel, and a write to port 0x501 ends the machine
 * with the guest's exit code. All channels are file descriptors inherited from the starter, so
 * that a machine leaves nothing in any directory.
 *
 * Invariant: the machine does not run before it is told to over QMP (-S).
 */

import { VmmError } from "../errors.ts";

export type QemuArch = "i386" | "x86_64";
/** The newest of a kind, or one version of it: `pc-i440fx-7.2`, `pc-q35-10.0`. */
export type QemuMachine = "pc" | "q35" | "microvm" | `pc-i440fx-${string}` | `pc-q35-${string}`;

/** What the balloon device offers. An option that is not given is left to QEMU's default. */
export interface QemuBalloonOptions {
  /** Default: `virtio-balloon-device` on microvm, `virtio-balloon-pci` elsewhere. */
  readonly model?:
    | "virtio-balloon-pci"
    | "virtio-balloon-pci-non-transitional"
    | "virtio-balloon-pci-transitional"
    | "virtio-balloon-device";
  readonly deflateOnOom?: boolean;
  readonly freePageReporting?: boolean;
  /** Needs a thread of its own in QEMU, which is added. QEMU runs it only during a migration. */
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

export interface QemuMachineOptions {
  readonly arch: QemuArch;
  /** Default: `pc`. */
  readonly machine?: QemuMachine;
  /** Path of the guest image: a Multiboot ELF32, or an ELF with a PVH note. */
  readonly image: string;
  /** A multiple of 8 KiB from 1 MiB up. */
  readonly memoryBytes: number;
  /** The guest's command line. */
  readonly append?: string;
  /** False: a machine without a balloon. Default: a balloon with QEMU's defaults. */
  readonly balloon?: QemuBalloonOptions | boolean;
  /**
   * Ids of PCIe root ports of `q35`, behind which devices can be plugged while the guest runs: the
   * balloon with the property `bus`, or later by `plugBalloon` (qemu-hotplug.ts).
   */
  readonly rootPorts?: readonly string[];
  /** Touch all of the guest's memory at the start, so that giving it back can be measured. */
  readonly preallocate?: boolean;
  /** A machine that waits for a guest to arrive: by `migrate` or `loadState` (migration.ts). */
  readonly incoming?: boolean;
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
/** Of the thread in QEMU that works on hints. */
export const IO_THREAD_ID = "iothread0";
/** Where the guest writes its exit code; v86 claims QEMU's customary 0xf4 for itself. */
export const EXIT_PORT = 0x501;
export const EXIT_PORT_BYTES = 4;

const MEMORY_GRANULE_BYTES = 8_192;
const MIN_MEMORY_BYTES = 1024 * 1024;
/** QEMU quietly cuts nothing, but a guest's command line has to fit into a boot page or two. */
export const MAX_APPEND_BYTES = 4_096;

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

/** The arguments after the program's name. Throws VmmError with code `option`. */
export function qemuArguments(options: QemuMachineOptions): string[] {
  const { machine = "pc", image, memoryBytes, append = "", balloon = true } = options;
  checkMemory(memoryBytes);
  checkAppend(append);
  const backend = options.preallocate ? ",memory-backend=ram0" : "";
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-S"],
    ...["-M", `${machine},accel=tcg${backend}`, "-m", `${memoryBytes}B`],
    ...(options.preallocate
      ? ["-object", `memory-backend-ram,id=ram0,size=${memoryBytes}B,prealloc=on`]
      : []),
    ...["-kernel", image, "-append", append],
    ...["-chardev", `socket,id=qmp,fd=${QMP_FD}`, "-mon", "chardev=qmp,mode=control"],
    ...["-chardev", `socket,id=com1,fd=${COM1_FD}`, "-serial", "chardev:com1"],
    ...["-chardev", `socket,id=com2,fd=${COM2_FD}`, ...secondSerial(machine)],
    ...["-device", `isa-debug-exit,iobase=${EXIT_PORT},iosize=${EXIT_PORT_BYTES}`],
    ...rootPortArguments(options.rootPorts ?? []),
    ...balloonArguments({ machine, balloon }),
    ...(options.incoming ? ["-incoming", "defer"] : []),
    ...(options.exitOnReboot ? ["-no-reboot"] : []),
    ...(options.extraArgs ?? []),
  ];
}

/** microvm creates only the first serial port by itself. */
function secondSerial(machine: QemuMachine): string[] {
  return machine === "microvm"
    ? ["-device", "isa-serial,chardev=com2,index=1"]
    : ["-serial", "chardev:com2"];
}

function rootPortArguments(ids: readonly string[]): string[] {
  // A port's chassis and slot number must be no other port's.
  return ids.flatMap((id, at) => ["-device", `pcie-root-port,id=${id},chassis=${at + 1}`]);
}

/** A balloon's driver and properties, by QEMU's names, as `-device` and `device_add` want them. */
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
  return [
    ...(wanted.freePageHint ? ["-object", `iothread,id=${IO_THREAD_ID}`] : []),
    // QEMU's MMIO transport is a legacy one unless told otherwise, for all devices at once.
    ...(driver !== MMIO_MODEL || wanted.disableLegacy === false
      ? []
      : ["-global", "virtio-mmio.force-legacy=false"]),
    ...["-device", [driver, ...device].join(",")],
  ];
}

/** QEMU's option syntax: on and off, and a comma inside a value is doubled. */
function propertyText(value: string | number | boolean): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value).replaceAll(",", ",,");
}

function checkMemory(memoryBytes: number): void {
  const fits =
    Number.isSafeInteger(memoryBytes) &&
    memoryBytes >= MIN_MEMORY_BYTES &&
    memoryBytes % MEMORY_GRANULE_BYTES === 0;
  if (fits) return;
  throw new VmmError({
    code: "option",
    what: "memoryBytes",
    seen: String(memoryBytes),
    todo: `give a multiple of ${MEMORY_GRANULE_BYTES}, at least ${MIN_MEMORY_BYTES}`,
  });
}

/** Shared with the launcher of v86. Throws VmmError with code `option`. */
export function checkAppend(append: string): void {
  const bytes = new TextEncoder().encode(append).length;
  if (bytes <= MAX_APPEND_BYTES && !append.includes("\0")) return;
  throw new VmmError({
    code: "option",
    what: "the guest's command line",
    seen: append.includes("\0") ? "a NUL character" : `${bytes} bytes`,
    todo: `stay within ${MAX_APPEND_BYTES} bytes without NUL`,
  });
}
