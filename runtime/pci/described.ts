/**
 * PCI as ACPI's DSDT describes it, where nothing else does: configuration space in memory without
 * an MCFG, root buses beyond the first, BARs that no firmware has assigned, wires of interrupts.
 *
 * QEMU's microvm has its PCI in no other way.
 */
import type { DescribedHostBridge } from "../acpi/dsdt.ts";
import type { InterruptInput } from "../acpi/resources.ts";
import type { Hal } from "../hal.ts";
import { isReachable } from "./acpi-mcfg.ts";
import type { AddressRange, AddressWindows } from "./address-windows.ts";
import { assignPci } from "./assign.ts";
import type { PciAddress, PciConfigAccess } from "./config.ts";
import { type EcamAllocation, ecamConfigAccess } from "./ecam.ts";
import { enumeratePci, isPresent, type PciFunction } from "./enumerate.ts";
import { rootPin } from "./intx-routing.ts";

const INTERRUPT_PIN = 0x3d;
const MEMORY_32_END = 0x1_0000_0000;
const IO_END = 0x1_0000;

/** Configuration space and the functions in it. */
export interface DescribedPci {
  readonly config: PciConfigAccess;
  readonly functions: readonly PciFunction[];
}

export interface DescribedPciOptions {
  readonly hal: Hal;
  readonly bridges: readonly DescribedHostBridge[];
  /** The guest cannot reach memory at or above this address. */
  readonly memoryEnd: number;
  /** Which functions get addresses, where they have none. */
  wants(pciFunction: PciFunction): boolean;
}

/** Opens configuration space where the bridges say it is, and assigns what is missing. */
export function openDescribedPci(options: DescribedPciOptions): DescribedPci | undefined {
  const { hal, bridges, memoryEnd, wants } = options;
  const allocations = bridges.flatMap(({ ecamBase: base, firstBus, lastBus }): EcamAllocation[] =>
    base === undefined ? [] : [{ base, firstBus, lastBus }],
  );
  const reachable = allocations.filter((it) => isReachable(it, memoryEnd));
  const config = ecamConfigAccess(hal, reachable);
  for (const { firstBus } of reachable) {
    const windows = windowsOf(bridges.find((it) => it.firstBus === firstBus));
    // What finds no place is told by who needs it: a device's ports may not be needed at all.
    assignPci({ config, windows, rootBuses: [firstBus], wants });
  }
  const functions = rootFunctions(config, bridges);
  return functions.length === 0 ? undefined : { config, functions };
}

/** The functions below all root buses that answer. */
export function rootFunctions(
  config: PciConfigAccess,
  bridges: readonly DescribedHostBridge[],
): PciFunction[] {
  const rootBuses = [...new Set(bridges.map(({ firstBus }) => firstBus))];
  return enumeratePci({ config, rootBuses });
}

/** Where the interrupt pin of a function arrives; undefined: the bridges do not say it. */
export function describedInput(
  { config, functions }: DescribedPci,
  bridges: readonly DescribedHostBridge[],
  address: PciAddress,
): InterruptInput | undefined {
  const pin = isPresent(config, address) ? config.read(address, INTERRUPT_PIN, 1) : 0;
  if (pin < 1 || pin > 4) return undefined;
  const rootBuses = bridges.map(({ firstBus }) => firstBus);
  const root = rootPin(functions, { ...address, pin }, rootBuses);
  const bridge = bridges.find(({ firstBus }) => firstBus === root?.bus);
  return bridge?.routes.find((it) => it.device === root?.device && it.pin === root.pin)?.input;
}

function windowsOf(bridge: DescribedHostBridge | undefined): AddressWindows {
  const io = largest(bridge?.io.filter(({ end }) => end <= IO_END));
  const memory = largest(bridge?.memory.filter(({ end }) => end <= MEMORY_32_END));
  const memoryHigh = largest(bridge?.memory.filter(({ start }) => start >= MEMORY_32_END));
  return { ...(io && { io }), ...(memory && { memory }), ...(memoryHigh && { memoryHigh }) };
}

function largest(ranges: readonly AddressRange[] = []): AddressRange | undefined {
  const bytes = ({ start, end }: AddressRange) => end - start;
  return ranges.reduce<AddressRange | undefined>(
    (best, it) => (best === undefined || bytes(it) > bytes(best) ? it : best),
    undefined,
  );
}
