/**
 * PCI as ACPI's DSDT describes it, where nothing else does: configuration space in memory without
 * an MCFG, root buses beyond the first, windows for what firmware left without an address, wires of
 * interrupts.
 *
 * QEMU's microvm has its PCI in no other way.
 */
import type { DescribedHostBridge } from "../acpi/dsdt.ts";
import type { AddressRange, InterruptInput } from "../acpi/resources.ts";
import type { Hal } from "../hal.ts";
import { isReachable } from "./acpi-mcfg.ts";
import type { AddressWindows } from "./address-windows.ts";
import { assignPci } from "./assign.ts";
import type { PciAddress, PciConfigAccess } from "./config.ts";
import { type EcamAllocation, ecamBytes, ecamConfigAccess } from "./ecam.ts";
import { enumeratePci, isPresent, type PciFunction } from "./enumerate.ts";
import { rootPin } from "./intx-routing.ts";

const INTERRUPT_PIN = 0x3d;
/** Below are a display's memory and firmware, which some tables call a window, too. */
const WINDOWS_START = 0x10_0000;
const MEMORY_32_END = 0x1_0000_0000;
const IO_END = 0x1_0000;
/** The controllers of interrupts, and firmware: on every PC, whatever its tables call a window. */
const INTERRUPTS_AND_FIRMWARE: AddressRange = { start: 0xfec0_0000, end: MEMORY_32_END };

/** Configuration space and the functions in it. */
export interface DescribedPci {
  readonly config: PciConfigAccess;
  readonly functions: readonly PciFunction[];
}

/** Opens configuration space where the bridges say that it is; undefined: they do not. */
export function describedConfig(
  hal: Hal,
  bridges: readonly DescribedHostBridge[],
  memoryEnd: number,
): PciConfigAccess | undefined {
  const allocations = bridges.flatMap(({ ecamBase: base, firstBus, lastBus }): EcamAllocation[] =>
    base === undefined ? [] : [{ base, firstBus, lastBus }],
  );
  const reachable = allocations.filter((it) => isReachable(it, memoryEnd));
  return reachable.length === 0 ? undefined : ecamConfigAccess(hal, reachable);
}

export interface AssignDescribedOptions {
  readonly config: PciConfigAccess;
  readonly bridges: readonly DescribedHostBridge[];
  /** The guest cannot reach memory at or above this address. */
  readonly memoryEnd: number;
  /** No device gets an address in it. */
  readonly ram: readonly AddressRange[];
  /** Which functions get addresses, where they have none that the guest can reach. */
  wants(pciFunction: PciFunction): boolean;
}

/** Assigns what is missing below the bridges, and says what could not be done. */
export function assignDescribed(options: AssignDescribedOptions): string[] {
  const { config, bridges, memoryEnd, ram, wants } = options;
  return bridges.flatMap((bridge) => {
    const { firstBus, lastBus } = bridge;
    const rootBuses = [firstBus];
    const windows = windowsOf(bridge, ram);
    return assignPci({ config, windows, rootBuses, lastBus, memoryEnd, wants }).unplaced;
  });
}

/** The functions below all root buses. */
export function describedFunctions(
  config: PciConfigAccess,
  bridges: readonly DescribedHostBridge[],
): PciFunction[] {
  return enumeratePci({ config, rootBuses: rootBusesOf(bridges) });
}

/** Where the interrupt pin of a function arrives; undefined: the bridges do not say it. */
export function describedInput(
  { config, functions }: DescribedPci,
  bridges: readonly DescribedHostBridge[],
  address: PciAddress,
): InterruptInput | undefined {
  const pin = isPresent(config, address) ? config.read(address, INTERRUPT_PIN, 1) : 0;
  if (pin < 1 || pin > 4) return undefined;
  const root = rootPin(functions, { ...address, pin }, rootBusesOf(bridges));
  const bridge = bridges.find(({ firstBus }) => firstBus === root?.bus);
  return bridge?.routes.find((it) => it.device === root?.device && it.pin === root.pin)?.input;
}

function rootBusesOf(bridges: readonly DescribedHostBridge[]): number[] {
  return [...new Set(bridges.map(({ firstBus }) => firstBus))];
}

function windowsOf(bridge: DescribedHostBridge, ram: readonly AddressRange[]): AddressWindows {
  const memory = bridge.memory.filter(({ start }) => start >= WINDOWS_START);
  const io = largest(bridge.io.filter(({ end }) => end <= IO_END));
  const low = around(memory.filter(({ end }) => end <= MEMORY_32_END));
  const high = around(memory.filter(({ start }) => start >= MEMORY_32_END));
  return {
    ...(io && { io }),
    ...(low && { memory: low }),
    ...(high && { memoryHigh: high }),
    closed: [...ram, ...gapsOf(memory), ...ecamOf(bridge), INTERRUPTS_AND_FIRMWARE],
  };
}

function ecamOf({ ecamBase: base, firstBus, lastBus }: DescribedHostBridge): AddressRange[] {
  if (base === undefined) return [];
  const end = base + ecamBytes({ base, firstBus: 0, lastBus });
  return [{ start: end - ecamBytes({ base, firstBus, lastBus }), end }];
}

/** From the first to the last of them. */
function around(ranges: readonly AddressRange[]): AddressRange | undefined {
  if (ranges.length === 0) return undefined;
  const start = Math.min(...ranges.map((it) => it.start));
  return { start, end: Math.max(...ranges.map((it) => it.end)) };
}

/** What lies between ranges. */
function gapsOf(ranges: readonly AddressRange[]): AddressRange[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  let end = sorted[0]?.start ?? 0;
  return sorted.flatMap((range): AddressRange[] => {
    const gap = { start: end, end: range.start };
    end = Math.max(end, range.end);
    return gap.start < gap.end ? [gap] : [];
  });
}

function largest(ranges: readonly AddressRange[]): AddressRange | undefined {
  const bytes = ({ start, end }: AddressRange) => end - start;
  return ranges.reduce<AddressRange | undefined>(
    (best, it) => (best === undefined || bytes(it) > bytes(best) ? it : best),
    undefined,
  );
}
