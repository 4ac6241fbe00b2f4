/**
 * What ACPI's DSDT describes: virtio devices on MMIO, and PCI host bridges (ACPI 6.4, 5.2.11.1).
 *
 * Only what is written as a constant is seen, which is how hosts write these devices. Who uses an
 * address from here still looks whether the device is there.
 */
import { type AmlDevice, type AmlTable, type AmlValue, readAml } from "./aml.ts";
import { type AddressRange, type InterruptInput, readResources } from "./resources.ts";
import { AcpiMemory, type AcpiOptions, findTable, isTable, TABLE_HEADER_LENGTH } from "./tables.ts";

/** A virtio device on MMIO. */
export interface DescribedMmio {
  readonly base: number;
  readonly size: number;
  readonly input?: InterruptInput;
}

/** Where the pin of a device on a root bus is wired to. */
export interface DescribedRoute {
  readonly device: number;
  /** 1 to 4. */
  readonly pin: number;
  readonly input: InterruptInput;
}

/** A PCI host bridge. */
export interface DescribedHostBridge {
  readonly firstBus: number;
  readonly lastBus: number;
  /** Where the configuration space of bus 0 lies in memory. */
  readonly ecamBase?: number;
  /** Address space for its devices. */
  readonly io: readonly AddressRange[];
  readonly memory: readonly AddressRange[];
  readonly routes: readonly DescribedRoute[];
}

export interface DescribedMachine {
  readonly mmio: readonly DescribedMmio[];
  readonly hostBridges: readonly DescribedHostBridge[];
}

/** Byte offsets in the FADT. */
const FADT = { dsdt: 40, wideDsdt: 140 } as const;
const VIRTIO_MMIO = "LNRO0005";
const HOST_BRIDGES = ["PNP0A03", "PNP0A08"];
const LAST_BUS = 255;
const DEVICES_MAX = 32;

/** Undefined: there is no DSDT. */
export function readDsdt(options: AcpiOptions): DescribedMachine | undefined {
  const memory = new AcpiMemory(options);
  const fadt = findTable(memory, "FACP");
  const table = fadt === undefined ? undefined : dsdtOf(memory, fadt);
  if (table === undefined) return undefined;
  const { devices } = table;
  return {
    mmio: devices.filter((it) => idOf(it) === VIRTIO_MMIO).flatMap(mmioOf),
    hostBridges: devices
      .filter((it) => HOST_BRIDGES.includes(idOf(it)) && isInFirstSegment(it))
      .map((it) => hostBridgeOf(it, devices)),
  };
}

/** Reads the DSDT that a FADT names; undefined: it names none. */
export function dsdtOf(memory: AcpiMemory, fadt: number): AmlTable | undefined {
  const isLong = memory.u32(fadt + 4) >= FADT.wideDsdt + 8;
  const dsdt = (isLong && memory.u64(fadt + FADT.wideDsdt)) || memory.u32(fadt + FADT.dsdt);
  if (!isTable(memory, dsdt) || memory.text(dsdt, 4) !== "DSDT") return undefined;
  const bytes = memory.bytes(dsdt, memory.u32(dsdt + 4));
  return readAml(bytes.subarray(TABLE_HEADER_LENGTH));
}

function mmioOf(device: AmlDevice): DescribedMmio[] {
  const { memory, interrupts } = resourcesOf(device);
  const [range] = memory;
  const [input] = interrupts;
  if (range === undefined) return [];
  return [{ base: range.start, size: range.end - range.start, ...(input && { input }) }];
}

/** Buses of other segments have the same numbers, and are reached in no other way than by ECAM. */
function isInFirstSegment({ values }: AmlDevice): boolean {
  return (values.get("_SEG") ?? 0) === 0;
}

function hostBridgeOf(device: AmlDevice, devices: readonly AmlDevice[]): DescribedHostBridge {
  const { memory, io, buses } = resourcesOf(device);
  const ecamBase = numberOf(device.values.get("_CBA"));
  const firstBus = numberOf(device.values.get("_BBN")) ?? 0;
  const range = buses.find(({ start }) => start === firstBus);
  return {
    firstBus,
    lastBus: Math.min((range?.end ?? LAST_BUS + 1) - 1, LAST_BUS),
    ...(ecamBase !== undefined && { ecamBase }),
    io,
    memory,
    routes: routesOf(device.values.get("_PRT"), devices),
  };
}

/**
 * Each entry is { device << 16 | 0xffff, pin from 0, link, index }: the link names a device whose
 * interrupt it is, or is 0, and then the index is the interrupt (ACPI 6.4, 6.2.13).
 */
function routesOf(table: AmlValue | undefined, devices: readonly AmlDevice[]): DescribedRoute[] {
  if (!Array.isArray(table)) return [];
  const inputs = new Map<string, InterruptInput | undefined>();
  const inputOf = (link: string): InterruptInput | undefined => {
    const device = inputs.has(link) ? undefined : devices.find(({ name }) => name === link);
    if (device !== undefined) inputs.set(link, resourcesOf(device).interrupts[0]);
    return inputs.get(link);
  };
  return table.flatMap((entry: AmlValue): DescribedRoute[] => {
    if (!Array.isArray(entry)) return [];
    const [address, pin, link, index] = entry as (AmlValue | undefined)[];
    const where = numberOf(address) ?? Number.NaN;
    const device = Math.floor(where / 0x1_0000);
    const isNamed = typeof link === "object" && "refersTo" in link;
    const number = numberOf(index);
    const input = isNamed
      ? inputOf(link.refersTo)
      : number === undefined || link !== 0
        ? undefined
        : { number, isLevel: true, isActiveLow: true };
    const pinNumber = numberOf(pin) ?? Number.NaN;
    const isValid = device < DEVICES_MAX && pinNumber < 4 && input !== undefined;
    return isValid ? [{ device, pin: pinNumber + 1, input }] : [];
  });
}

/** What a device's `_CRS` says, where that is a constant. */
export function resourcesOf({ values }: AmlDevice) {
  const template = values.get("_CRS");
  return readResources(template instanceof Uint8Array ? template : new Uint8Array());
}

function numberOf(value: AmlValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** A hardware id as text: it may be written as one, or packed into a number (ACPI 6.4, 6.1.5). */
export function idOf({ values }: AmlDevice): string {
  const id = values.get("_HID");
  if (typeof id === "string") return id;
  if (typeof id !== "number" || id > 0xffff_ffff) return "";
  const [a = 0, b = 0, c = 0, d = 0] = [0, 8, 16, 24].map((shift) => (id >>> shift) & 0xff);
  const letters = [(a >>> 2) & 31, ((a & 3) << 3) | (b >>> 5), b & 31];
  const digits = [c, d].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
  return letters.map((letter) => String.fromCharCode(64 + letter)).join("") + digits.join("");
}
