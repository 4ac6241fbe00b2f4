/**
 * A machine of QEMU that nobody chose: all of it follows from a seed.
 *
 * Only what QEMU itself takes is drawn, so each machine runs. What keeps the guest from working is
 * drawn, too, and then the machine says so in `lacks`.
 */
import { Random } from "../../../src/device/sim/random.ts";
import { GIB, MIB } from "../../support/guests.ts";

/** Which QEMU: the one that the system has, or a newer one of the setup. */
export type QemuVersion = "installed" | "10" | "11";

export interface RandomMachine {
  readonly image: "i386" | "x86_64";
  readonly qemu: QemuVersion;
  /** Whose program: qemu-system-i386 also runs the i386 image alone. */
  readonly system: "i386" | "x86_64";
  readonly machine: "pc" | "q35" | "microvm";
  readonly memoryBytes: number;
  /** The balloon stands in here, too. */
  readonly args: readonly string[];
  /**
   * Who starts the image where it is not QEMU's own loader of ELF files: a BIOS by the bzImage, or
   * UEFI by GRUB from a disk, where UEFI cannot load what QEMU gives it.
   */
  readonly firmware?: Firmware;
  /** What the guest may end for. Undefined: it has all that it needs. */
  readonly lacks?: "memory" | "balloon" | "processor";
}

export type Firmware = "bzImage" | "UEFI";

const TYPES: Readonly<Record<QemuVersion, Readonly<Record<"pc" | "q35", readonly string[]>>>> = {
  installed: {
    pc: ["2.0", "2.4", "2.8", "2.12", "3.1", "4.0", "4.2", "5.1", "6.0", "6.2", "7.1", "7.2"],
    q35: ["2.4", "2.9", "2.12", "3.1", "4.0.1", "4.2", "5.2", "6.0", "6.2", "7.0", "7.2"],
  },
  "10": { pc: ["7.1", "8.0", "8.2", "9.1", "10.0"], q35: ["7.2", "8.1", "9.0", "9.2", "10.0"] },
  "11": { pc: ["8.2", "9.2", "10.2", "11.1"], q35: ["8.2", "9.1", "10.1", "11.0", "11.1"] },
};
/** An ELF of 64 bits is loaded by PVH, which machines of older types do not have. */
const PVH_SINCE = 4;
const CPUS_64 = [
  "qemu64 kvm64 max Conroe Penryn core2duo phenom Nehalem Westmere SandyBridge IvyBridge Haswell",
  "Broadwell Skylake-Client Skylake-Server Cascadelake-Server Icelake-Server Denverton Snowridge",
  "Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 Opteron_G5 EPYC EPYC-Rome EPYC-Milan Dhyana",
].flatMap((line) => line.split(" "));
const CPUS_I386 = [...CPUS_64, "qemu32", "kvm32", "coreduo", "n270", "athlon"];
/** What processors of 32 bits take. */
const NARROW_BYTES_MAX = 2 * GIB;
/** Without SSE2. */
const CPUS_OLD = ["486", "pentium", "pentium2", "pentium3"];
const CPU_FLAGS = ["+x2apic", "-x2apic", "-hypervisor", "-rdtscp", "+invtsc", "-tsc-deadline"];
const MEMORY_MIB = [
  [8, 12, 16, 20, 24, 31],
  [32, 48, 63, 64, 65, 100, 128],
  [200, 256, 511, 512, 1000, 1024, 2048],
  [3000, 3071, 3072, 3584, 4095, 4096, 5000, 6144, 9000],
].flat();
/** Less than this may be too little. */
const NEEDED_BYTES = 32 * MIB;
/** UEFI's own need. */
const UEFI_BYTES_MIN = 200 * MIB;
/** Seeds of firmware begin here. */
const FIRMWARE_SEEDS = 1_000_000;
const ON_PC = ["vmport=off", "smm=off", "usb=on", "hpet=off", "acpi=off", "graphics=off"];
const ON_Q35 = [...ON_PC, "sata=off", "smbus=off"];
const ON_NEWER = ["pit=off", "pic=off", "i8042=off"];
const ON_MICROVM = ["pit=off", "pic=off", "rtc=off", "acpi=off", "ioapic2=off"];
const LOW_MEMORY_ENDS = ["1G", "2G", "3G", "3584M"];
const NEIGHBOURS = [
  "e1000,romfile= rtl8139,romfile= virtio-net-pci,romfile= vmxnet3,romfile= pcnet,romfile=",
  "virtio-rng-pci virtio-serial-pci virtio-scsi-pci virtio-keyboard-pci pci-testdev",
  "pci-testdev,membar=64M pci-testdev,membar=1G pci-testdev,membar=8G pci-serial sdhci-pci",
  "qemu-xhci usb-ehci piix3-usb-uhci ich9-ahci intel-hda pvpanic-pci i6300esb lsi53c895a",
  "megasas mptsas1068 tpci200 bochs-display,romfile= VGA,romfile= secondary-vga,romfile=",
].flatMap((line) => line.split(" "));
const NEIGHBOURS_MAX = 6;
const BALLOON_OPTIONS = [
  "packed=on deflate-on-oom=on free-page-reporting=on page-poison=on event_idx=off",
  "indirect_desc=off iommu_platform=off any_layout=off",
].flatMap((line) => line.split(" "));
const BALLOON_PCI_OPTIONS = ["disable-modern=on", "disable-legacy=on,disable-modern=off", "ats=on"];
const BALLOON_NEWER_OPTIONS = ["vectors=0", "vectors=1", "vectors=3"];

/** Where devices can be attached. */
interface Place {
  readonly bus: string;
  readonly kind: "express" | "conventional" | "bridged" | "port" | "host";
}
/** Buses that bridges of each kind may be on. */
const EXPRESS: readonly Place["kind"][] = ["express", "port", "host"];
const CONVENTIONAL: readonly Place["kind"][] = ["conventional", "bridged"];

class Draw {
  private readonly random: Random;
  readonly args: string[] = [];
  private ids = 0;
  private readonly slots = new Map<string, number>();

  constructor(seed: number) {
    this.random = new Random(seed);
    // Seeds that follow one another start alike otherwise.
    for (let round = 0; round < 8; round++) this.random.next();
  }

  one<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)] as T;
  }

  /** True once in so many times. */
  chance(oneIn: number): boolean {
    return this.random.below(oneIn) === 0;
  }

  some<T>(list: readonly T[], oneIn: number): T[] {
    return list.filter(() => this.chance(oneIn));
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  id(): string {
    this.ids += 1;
    return `d${this.ids}`;
  }

  /** The number of an identifier that nothing else has. */
  get count(): number {
    return this.ids;
  }

  /** The words that put a device there. The first slot of some bridges is their own. */
  at({ bus, kind }: Place): string[] {
    const slot = (this.slots.get(bus) ?? 0) + 1;
    this.slots.set(bus, slot);
    return [`bus=${bus}`, ...(kind === "bridged" ? [`addr=${slot}`] : [])];
  }

  add(flag: string, value: string): void {
    this.args.push(flag, value);
  }

  device(words: readonly (string | undefined)[]): void {
    this.add("-device", words.filter(Boolean).join(","));
  }
}

/** Returns the machine of this seed. */
export function randomMachine(seed: number): RandomMachine {
  const draw = new Draw(seed);
  const qemu = draw.one(["installed", "installed", "10", "11"] as const);
  const image = draw.one(["i386", "x86_64"] as const);
  const machine = draw.one(["pc", "pc", "q35", "q35", "q35", "microvm"] as const);
  const system =
    image === "i386" && qemu !== "11" ? draw.one(["i386", "x86_64"] as const) : "x86_64";
  const isBare = machine !== "microvm" && draw.chance(25);
  const memoryBytes = draw.one(MEMORY_MIB) * MIB;
  const isNarrow = memoryBytes <= NARROW_BYTES_MAX;
  const isOld = isNarrow && draw.chance(20);
  drawMachine(draw, { qemu, machine, image, isBare });
  const models = isOld ? CPUS_OLD : image === "i386" && isNarrow ? CPUS_I386 : CPUS_64;
  drawProcessor(draw, { system, machine, models });
  if (memoryBytes > GIB && draw.chance(3)) drawNodes(draw, memoryBytes);
  const places = isBare ? [] : drawBuses(draw, { machine, qemu });
  const balloonAt = draw.below(NEIGHBOURS_MAX);
  for (let at = 0; at < NEIGHBOURS_MAX; at++) {
    if (at === balloonAt && !isBare) drawBalloon(draw, { machine, qemu, places });
    else if (draw.chance(2)) drawNeighbour(draw, places);
  }
  const lacks = isOld
    ? "processor"
    : isBare
      ? "balloon"
      : memoryBytes < NEEDED_BYTES
        ? "memory"
        : undefined;
  const { args } = draw;
  const firmware = drawFirmware(seed, { system, machine, memoryBytes, args, isOld });
  const parts = { image, qemu, system, machine, memoryBytes, args };
  return { ...parts, ...(firmware && { firmware }), ...(lacks && { lacks }) };
}

/** Of draws of its own: with and without it a seed gives the same machine. */
function drawFirmware(
  seed: number,
  parts: {
    system: string;
    machine: string;
    memoryBytes: number;
    args: readonly string[];
    isOld: boolean;
  },
): Firmware | undefined {
  const { system, machine, memoryBytes, args, isOld } = parts;
  const draw = new Draw(seed + FIRMWARE_SEEDS);
  if (!draw.chance(3)) return undefined;
  const isPc = machine !== "microvm" && !args.includes("isapc") && !isOld;
  const model = args[args.indexOf("-cpu") + 1] ?? "";
  const isWide = system === "x86_64" && CPUS_64.includes(model.split(",")[0] ?? "");
  // The firmware itself needs these.
  const isWhole = !args.some((it) => /pit=off|pic=off|i8042=off|acpi=off|-apic|below-4g/.test(it));
  const canUefi = isPc && isWide && isWhole && memoryBytes >= UEFI_BYTES_MIN;
  return canUefi && draw.chance(2) ? "UEFI" : "bzImage";
}

function drawMachine(
  draw: Draw,
  parts: { qemu: QemuVersion; machine: string; image: string; isBare: boolean },
): void {
  const { qemu, machine, image, isBare } = parts;
  if (isBare) {
    draw.add("-M", "isapc");
    return;
  }
  if (machine === "microvm") {
    const properties = draw.some(ON_MICROVM, 4);
    // Without ACPI it has no PCI, whatever is asked for.
    if (draw.chance(3) && !properties.includes("acpi=off")) properties.push("pcie=on");
    for (const property of properties) draw.add("-M", property);
    return;
  }
  const types = TYPES[qemu][machine as "pc" | "q35"];
  const usable = types.filter((it) => image === "i386" || Number.parseFloat(it) >= PVH_SINCE);
  const type = draw.one(usable);
  if (draw.chance(2)) draw.add("-M", `pc-${machine === "pc" ? "i440fx" : "q35"}-${type}`);
  const properties = draw.some(machine === "pc" ? ON_PC : ON_Q35, 8);
  if (qemu !== "installed") properties.push(...draw.some(ON_NEWER, 6));
  if (draw.chance(4)) properties.push(`max-ram-below-4g=${draw.one(LOW_MEMORY_ENDS)}`);
  for (const property of properties) draw.add("-M", property);
}

function drawProcessor(
  draw: Draw,
  parts: { system: string; machine: string; models: readonly string[] },
): void {
  const { system, machine, models } = parts;
  const model = draw.one(models);
  const flags = draw.some(CPU_FLAGS, 8);
  if (machine === "pc" && draw.chance(12)) flags.push("-apic");
  const isWide = system === "x86_64" && CPUS_64.includes(model);
  if (isWide && draw.chance(6)) flags.push(`phys-bits=${36 + draw.below(13)}`);
  draw.add("-cpu", [model, ...flags].join(","));
  const isAlone = flags.includes("-apic") || draw.args.includes("isapc");
  if (draw.chance(4) && !isAlone) draw.add("-smp", String(2 + draw.below(3)));
}

/** Memory in some pieces, as a host with several sockets has it. */
function drawNodes(draw: Draw, memoryBytes: number): void {
  const count = 2 + draw.below(3);
  const part = Math.floor(memoryBytes / count / (2 * MIB)) * 2 * MIB;
  for (let node = 0; node < count; node++) {
    const bytes = node === count - 1 ? memoryBytes - part * (count - 1) : part;
    draw.add("-object", `memory-backend-ram,id=m${node},size=${bytes}`);
    draw.add("-numa", `node,nodeid=${node},memdev=m${node}`);
  }
}

function drawBuses(draw: Draw, { machine, qemu }: { machine: string; qemu: QemuVersion }): Place[] {
  if (machine === "microvm") {
    const hasPci = draw.args.includes("pcie=on");
    return hasPci ? drawExpress(draw, [{ bus: "pcie.0", kind: "express" }]) : [];
  }
  const isExpress = machine === "q35";
  const places: Place[] = [
    isExpress ? { bus: "pcie.0", kind: "express" } : { bus: "pci.0", kind: "conventional" },
  ];
  // QEMU has no port for PCI Express on a processor without a local APIC.
  if (isExpress && draw.args.some((it) => /^486\b/.test(it))) return places;
  if (draw.chance(4)) {
    const id = draw.id();
    const bus = isExpress ? "pcie.0" : "pci.0";
    const number = `bus_nr=${32 + draw.below(160)}`;
    draw.device([isExpress ? "pxb-pcie" : "pxb", `id=${id}`, `bus=${bus}`, number]);
    places.push({ bus: id, kind: isExpress ? "host" : "conventional" });
  }
  if (isExpress && draw.chance(8) && qemu !== "installed") draw.device(["intel-iommu"]);
  return isExpress ? drawExpress(draw, places) : drawBridges(draw, places);
}

function drawBridges(draw: Draw, places: Place[]): Place[] {
  while (draw.chance(2) && places.length < 8) {
    const where = draw.at(draw.one(places.filter(({ kind }) => CONVENTIONAL.includes(kind))));
    const id = draw.id();
    const shpc = draw.one(["shpc=on", "shpc=off", undefined]);
    draw.device(["pci-bridge", `id=${id}`, `chassis_nr=${draw.count}`, ...where, shpc]);
    places.push({ bus: id, kind: "bridged" });
  }
  return places;
}

function drawExpress(draw: Draw, places: Place[]): Place[] {
  while (!draw.chance(3) && places.length < 10) {
    const place = draw.one(places.filter(({ kind }) => EXPRESS.includes(kind)));
    const where = draw.at(place);
    const id = draw.id();
    const slot = [`chassis=${draw.count}`, `slot=${draw.count}`];
    if (place.kind !== "port") {
      const kind = draw.one(["pcie-root-port", "pcie-root-port", "ioh3420"]);
      draw.device([kind, `id=${id}`, ...where, ...slot]);
      places.push({ bus: id, kind: "port" });
      continue;
    }
    places.splice(places.indexOf(place), 1);
    if (draw.chance(2)) {
      draw.device(["pcie-pci-bridge", `id=${id}`, ...where]);
      places.push({ bus: id, kind: "bridged" });
      continue;
    }
    draw.device(["x3130-upstream", `id=${id}`, ...where]);
    const port = draw.id();
    draw.device(["xio3130-downstream", `id=${port}`, `bus=${id}`, ...slot, "addr=3"]);
    places.push({ bus: port, kind: "port" });
  }
  return places;
}

/** Takes a place; a port is then taken. */
function take(draw: Draw, places: Place[]): Place {
  const place = draw.one(places.filter(({ kind }) => kind !== "host"));
  if (place.kind === "port") places.splice(places.indexOf(place), 1);
  return place;
}

function drawNeighbour(draw: Draw, places: Place[]): void {
  // One place is left for the balloon.
  if (places.filter(({ kind }) => kind !== "host").length < 2) return;
  const where = draw.at(take(draw, places));
  draw.device([draw.one(NEIGHBOURS), ...where]);
}

function drawBalloon(
  draw: Draw,
  parts: { machine: string; qemu: QemuVersion; places: Place[] },
): void {
  const { machine, qemu, places } = parts;
  const options = draw.some(BALLOON_OPTIONS, 5);
  if (machine === "microvm" && (places.length === 0 || draw.chance(2))) {
    if (draw.chance(2)) draw.add("-global", "virtio-mmio.force-legacy=false");
    draw.device(["virtio-balloon-device", ...options]);
    return;
  }
  const place = take(draw, places);
  const isPort = place.kind === "port";
  const model = isPort
    ? "virtio-balloon-pci"
    : draw.one([
        "virtio-balloon-pci",
        "virtio-balloon-pci-transitional",
        "virtio-balloon-pci-non-transitional",
      ]);
  if (model === "virtio-balloon-pci" && draw.chance(3)) {
    const allowed = isPort ? BALLOON_PCI_OPTIONS.slice(1) : BALLOON_PCI_OPTIONS;
    options.push(draw.one(allowed));
  }
  if (qemu !== "installed" && draw.chance(4)) options.push(draw.one(BALLOON_NEWER_OPTIONS));
  draw.device([model, ...draw.at(place), ...options]);
}
