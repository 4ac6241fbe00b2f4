/**
 * Finds every function on the PCI buses, bridges followed.
 *
 * Devices are matched by vendor and device id, never by class: the specification does not fix the
 * class of a virtio device, and hosts disagree about it.
 *
 * Two decisions, and why:
 *
 * - Functions 1 to 7 are looked at when function 0 says "multi-function". Without that bit some
 *   devices answer to every function number, so one balloon would be found eight times; and a host
 *   that forgets the bit is invisible to the operating systems it was tested with, so none does.
 * - A bridge without a secondary bus number is listed but not entered. Numbering it would not be
 *   enough: firmware that left it unnumbered left its windows shut and the BARs behind it empty.
 *
 * A bridge is entered only towards a higher bus number, each bus once: so the search ends.
 */
import { BallonetError } from "../errors.ts";
import { formatPciAddress, type PciAddress, type PciConfigAccess } from "./config.ts";

/** One function that answered. */
export interface PciFunction {
  readonly address: PciAddress;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  /** 0: an ordinary device, 1: a bridge to another PCI bus, 2: a CardBus bridge. */
  readonly headerLayout: number;
  /** For a bridge, the bus behind it; 0 when firmware gave it no number. Otherwise absent. */
  readonly secondaryBus?: number;
}

/** Where `enumeratePci` looks for functions. */
export interface EnumerateOptions {
  readonly config: PciConfigAccess;
  /** Buses to start from. Only ACPI knows host bridges beyond the first. Default [0]. */
  readonly rootBuses?: readonly number[];
}

const VENDOR_ID = 0x00;
const DEVICE_ID = 0x02;
const REVISION_ID = 0x08;
const HEADER_TYPE = 0x0e;
const SECONDARY_BUS = 0x19;
const HEADER_MULTI_FUNCTION = 0x80;
const HEADER_LAYOUT_MASK = 0x7f;
const LAYOUT_PCI_BRIDGE = 1;

const DEVICES_PER_BUS = 32;
const FUNCTIONS_PER_DEVICE = 8;

/** Numbers of buses. */
export const PCI_BUSES = 256;
/** Functions of a machine, at most. More: configuration space answers at every address. */
export const PCI_FUNCTIONS_MAX = 1024;

/**
 * Returns every function that is reachable from the root buses, in bus order.
 * @throws BallonetError `no-device` when more than PCI_FUNCTIONS_MAX functions answer.
 */
export function enumeratePci({ config, rootBuses = [0] }: EnumerateOptions): PciFunction[] {
  const found: PciFunction[] = [];
  const queued = [...rootBuses];
  for (let next = 0; next < queued.length; next++) {
    const bus = queued[next] as number;
    for (const pciFunction of scanBus(config, bus)) {
      found.push(pciFunction);
      if (found.length > PCI_FUNCTIONS_MAX) throw answersEverywhere(pciFunction.address);
      const behind = pciFunction.secondaryBus ?? 0;
      if (behind > bus && !queued.includes(behind)) queued.push(behind);
    }
  }
  return found;
}

/** Returns the functions with this vendor id and one of these device ids. */
export function matchPci(
  functions: readonly PciFunction[],
  vendorId: number,
  deviceIds: readonly number[],
): PciFunction[] {
  return functions.filter((it) => it.vendorId === vendorId && deviceIds.includes(it.deviceId));
}

/** Whether a function answers at this address. */
export function isPresent(config: PciConfigAccess, address: PciAddress): boolean {
  return isVendor(config.read(address, VENDOR_ID, 2));
}

/** An absent function reads as ones, or on some hosts as zero. */
function isVendor(id: number): boolean {
  return id !== 0xffff && id !== 0;
}

function* scanBus(config: PciConfigAccess, bus: number): Generator<PciFunction> {
  for (let device = 0; device < DEVICES_PER_BUS; device++) {
    const first = probe(config, { bus, device, function: 0 });
    if (!first) continue;
    yield first;
    const headerType = config.read(first.address, HEADER_TYPE, 1);
    if ((headerType & HEADER_MULTI_FUNCTION) === 0) continue;
    for (let number = 1; number < FUNCTIONS_PER_DEVICE; number++) {
      const other = probe(config, { bus, device, function: number });
      if (other) yield other;
    }
  }
}

function probe(config: PciConfigAccess, address: PciAddress): PciFunction | undefined {
  const vendorId = config.read(address, VENDOR_ID, 2);
  if (!isVendor(vendorId)) return undefined;
  const headerLayout = config.read(address, HEADER_TYPE, 1) & HEADER_LAYOUT_MASK;
  const seen = {
    address,
    vendorId,
    deviceId: config.read(address, DEVICE_ID, 2),
    revision: config.read(address, REVISION_ID, 1),
    headerLayout,
  };
  if (headerLayout !== LAYOUT_PCI_BRIDGE) return seen;
  return { ...seen, secondaryBus: config.read(address, SECONDARY_BUS, 1) };
}

function answersEverywhere(last: PciAddress): BallonetError {
  return new BallonetError({
    code: "no-device",
    what: "PCI enumeration",
    seen: `more than ${PCI_FUNCTIONS_MAX} functions, the last at ${formatPciAddress(last)}`,
    todo: "check that configuration space is really there: it answers to every address",
  });
}
