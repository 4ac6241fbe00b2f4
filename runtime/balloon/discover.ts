/**
 * Finding the balloon: on PCI, or in the MMIO slots of a machine that has none.
 *
 * A device is matched by vendor and device id alone, for class and subsystem differ from host to
 * host (virtio 1.3, 4.1.2). MMIO slots are looked into only where the command line or ACPI names
 * them, or where there is no PCI: elsewhere the addresses may belong to another device.
 */
import { type DescribedHostBridge, readDsdt } from "../acpi/dsdt.ts";
import type { AddressRange, InterruptInput } from "../acpi/resources.ts";
import type { AcpiOptions } from "../acpi/tables.ts";
import { BallonetError } from "../errors.ts";
import { openPciConfig } from "../pci/acpi-mcfg.ts";
import { barsWithoutPlace } from "../pci/assign.ts";
import { MEMORY_SPACE_END } from "../pci/bars.ts";
import { type PciAddress, type PciConfigAccess, portConfigAccess } from "../pci/config.ts";
import {
  assignDescribed,
  type DescribedPci,
  describedConfig,
  describedFunctions,
  describedInput,
} from "../pci/described.ts";
import { enumeratePci, matchPci, PCI_BUSES, type PciFunction } from "../pci/enumerate.ts";
import { hasQemuHostBridge, QEMU_HOST_BRIDGE } from "../pci/qemu-host-bridge.ts";
import { VIRTIO_PCI_VENDOR } from "../virtio/constants.ts";
import {
  findMmio,
  MICROVM_FIRST_LINES,
  microvmSlots,
  mmioSlotsOf,
  type WiredMmioSlot,
} from "../virtio/mmio/find.ts";
import { openMmio } from "../virtio/mmio/mmio.ts";
import { type OpenPciOptions, openPci } from "../virtio/pci/open.ts";
import type { Transport } from "../virtio/transport.ts";
import { BALLOON_CONFIG_LENGTH, BALLOON_PCI_IDS, DEVICE_ID_BALLOON } from "./constants.ts";

/** Where and how to look for a balloon. */
export interface DiscoverOptions
  extends Pick<OpenPciOptions, "hal" | "memoryEnd" | "prefer" | "interrupts">,
    Pick<AcpiOptions, "acpiRoot"> {
  /** Words like `virtio_mmio.device=512@0xfeb00000:5` name MMIO slots. */
  readonly commandLine?: string;
  /**
   * Whether this guest may probe for machines without PCI, and give a balloon the addresses that
   * firmware did not. Default no: a VM's author knows.
   */
  readonly probe?: boolean;
  /** RAM, where a probing guest gives no address to a device. */
  readonly ram?: readonly AddressRange[];
}

/** A balloon that was found, in `pci` or in `mmio`. */
export interface DiscoveredBalloon {
  /** The way to it, for `BalloonDriver`. */
  readonly transport: Transport;
  /** Where it sits on PCI, and among what: what routing its interrupt line takes. */
  readonly pci?: {
    readonly config: PciConfigAccess;
    readonly address: PciAddress;
    readonly functions: readonly PciFunction[];
    /** Where its interrupt pin arrives, if ACPI says it. */
    readonly input?: InterruptInput;
  };
  /** Its MMIO slot. */
  readonly mmio?: WiredMmioSlot;
}

/**
 * Returns the first balloon there is, with a way to it. Its status is not touched.
 * @throws BallonetError `no-device`, or what keeps its transport from being used.
 */
export function discoverBalloon(options: DiscoverOptions): DiscoveredBalloon {
  const { hal, commandLine = "", probe = false } = options;
  const named = discoverMmio(options, mmioSlotsOf(commandLine));
  if (named !== undefined) return named;
  const config = portConfigAccess(hal);
  const pci = { config, functions: enumeratePci({ config }) };
  const found = discoverPci(options, pci) ?? (probe ? discoverDescribed(options, pci) : undefined);
  if (found !== undefined) return found;
  throw new BallonetError({
    code: "no-device",
    what: "a virtio balloon (1af4:1045 or 1af4:1002)",
    seen: `${pci.functions.length} other PCI functions`,
    todo: "give the machine a balloon device",
  });
}

/**
 * Looks where ACPI says that there is more, and last into the slots of QEMU's microvm. `seen` is
 * what the ports show; a machine without them has its configuration space in memory.
 */
function discoverDescribed(
  options: DiscoverOptions,
  seen: DescribedPci,
): DiscoveredBalloon | undefined {
  const machine = readDsdt(options);
  const bridges = machine?.hostBridges ?? [];
  if (seen.functions.length > 0) {
    const described = assigned(options, seen, bridges);
    return discoverPci(options, described, bridges) ?? discoverPci(options, onEachBus(seen));
  }
  const first = machine === undefined ? MICROVM_FIRST_LINES.plain : MICROVM_FIRST_LINES.acpi;
  return (
    discoverPci(options, openDescribed(options, bridges), bridges) ??
    discoverMmio(options, machine?.mmio ?? []) ??
    discoverMmio(options, microvmSlots(first))
  );
}

/** Without a host's own ACPI nothing names a root bus beyond the first: each number may be one. */
function onEachBus({ config }: DescribedPci): DescribedPci {
  const rootBuses = Array.from({ length: PCI_BUSES }, (_, bus) => bus);
  return { config, functions: enumeratePci({ config, rootBuses }) };
}

/** Opens configuration space in memory. */
function openDescribed(
  options: DiscoverOptions,
  bridges: readonly DescribedHostBridge[],
): DescribedPci {
  const byTable = openPciConfig(options);
  const pci = { config: byTable, functions: enumeratePci({ config: byTable }) };
  if (pci.functions.length > 0) return pci;
  const config = describedConfig(options.hal, bridges, memoryEndOf(options));
  return config === undefined ? pci : assigned(options, { config, functions: [] }, bridges);
}

/** The same with all root buses, and with what firmware left undone for a balloon. */
function assigned(
  options: DiscoverOptions,
  { config }: DescribedPci,
  bridges: readonly DescribedHostBridge[],
): DescribedPci {
  const { ram = [] } = options;
  const wants = (it: PciFunction) => matchBalloons([it]).length > 0;
  // What finds no place is told by who needs it: a device's ports may not be needed at all.
  assignDescribed({ config, bridges, memoryEnd: memoryEndOf(options), ram, wants });
  return { config, functions: describedFunctions(config, bridges) };
}

function discoverPci(
  options: DiscoverOptions,
  pci: DescribedPci,
  bridges: readonly DescribedHostBridge[] = [],
): DiscoveredBalloon | undefined {
  const [balloon] = matchBalloons(pci.functions);
  if (balloon === undefined) return undefined;
  const { address } = balloon;
  const { config } = pci;
  if (options.probe && barsWithoutPlace(config, balloon, memoryEndOf(options)).length > 0) {
    assigned(options, pci, bridges.length > 0 ? bridges : hostBridgesOf(options, config));
  }
  const transport = openPci({ ...options, config, address, configLength: BALLOON_CONFIG_LENGTH });
  const input = describedInput(pci, bridges, address);
  return { transport, pci: { ...pci, address, ...(input && { input }) } };
}

/** Whose address space is known. */
function hostBridgesOf(
  options: DiscoverOptions,
  config: PciConfigAccess,
): readonly DescribedHostBridge[] {
  // Older firmware computes its windows, which is not followed.
  const described = readDsdt(options)?.hostBridges.filter(({ memory }) => memory.length > 0) ?? [];
  if (described.length > 0) return described;
  return hasQemuHostBridge(config) ? [QEMU_HOST_BRIDGE] : [];
}

function memoryEndOf({ memoryEnd = MEMORY_SPACE_END }: DiscoverOptions): number {
  return memoryEnd;
}

function matchBalloons(functions: readonly PciFunction[]): PciFunction[] {
  return matchPci(functions, VIRTIO_PCI_VENDOR, BALLOON_PCI_IDS);
}

function discoverMmio(
  options: DiscoverOptions,
  slots: readonly WiredMmioSlot[],
): DiscoveredBalloon | undefined {
  const [slot] = findMmio(options.hal, slots, DEVICE_ID_BALLOON);
  if (slot === undefined) return undefined;
  const transport = openMmio({ ...options, slot, configLength: BALLOON_CONFIG_LENGTH });
  return { transport, mmio: slot };
}
