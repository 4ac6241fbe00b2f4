/**
 * Finding the balloon: on PCI, or in the MMIO slots of a machine that has none.
 *
 * A device is matched by vendor and device id alone, for class and subsystem differ from host to
 * host (virtio 1.3, 4.1.2). MMIO slots are looked into only where the command line or ACPI names
 * them, or where there is no PCI: elsewhere the addresses may belong to another device.
 */
import { type DescribedHostBridge, readDsdt } from "../acpi/dsdt.ts";
import type { InterruptInput } from "../acpi/resources.ts";
import type { AcpiOptions } from "../acpi/tables.ts";
import { BallonetError } from "../errors.ts";
import { openPciConfig } from "../pci/acpi-mcfg.ts";
import { MEMORY_SPACE_END } from "../pci/bars.ts";
import { type PciAddress, type PciConfigAccess, portConfigAccess } from "../pci/config.ts";
import {
  type DescribedPci,
  describedInput,
  openDescribedPci,
  rootFunctions,
} from "../pci/described.ts";
import { enumeratePci, matchPci, type PciFunction } from "../pci/enumerate.ts";
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
  /** Whether this guest may probe for machines without PCI. Default no: a VM's author knows. */
  readonly probe?: boolean;
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
  const functions = enumeratePci({ config });
  const found =
    discoverPci(options, { config, functions }) ??
    (probe ? discoverDescribed(options, functions.length === 0) : undefined);
  if (found !== undefined) return found;
  throw new BallonetError({
    code: "no-device",
    what: "a virtio balloon (1af4:1045 or 1af4:1002)",
    seen: `${functions.length} other PCI functions`,
    todo: "give the machine a balloon device",
  });
}

/** Looks where ACPI says that there is more, and last into the slots of QEMU's microvm. */
function discoverDescribed(
  options: DiscoverOptions,
  isWithoutPorts: boolean,
): DiscoveredBalloon | undefined {
  const { hal, memoryEnd = MEMORY_SPACE_END } = options;
  const machine = readDsdt(options);
  const bridges = machine?.hostBridges ?? [];
  if (!isWithoutPorts) {
    const config = portConfigAccess(hal);
    return discoverPci(options, { config, functions: rootFunctions(config, bridges) }, bridges);
  }
  const config = openPciConfig(options);
  const functions = enumeratePci({ config });
  const wants = (it: PciFunction) => matchBalloons([it]).length > 0;
  const pci =
    functions.length > 0
      ? { config, functions }
      : openDescribedPci({ hal, bridges, memoryEnd, wants });
  const first = machine === undefined ? MICROVM_FIRST_LINES.plain : MICROVM_FIRST_LINES.acpi;
  return (
    discoverPci(options, pci, bridges) ??
    discoverMmio(options, machine?.mmio ?? []) ??
    discoverMmio(options, microvmSlots(first))
  );
}

function discoverPci(
  options: DiscoverOptions,
  pci: DescribedPci | undefined,
  bridges: readonly DescribedHostBridge[] = [],
): DiscoveredBalloon | undefined {
  const [balloon] = matchBalloons(pci?.functions ?? []);
  if (pci === undefined || balloon === undefined) return undefined;
  const { address } = balloon;
  const { config } = pci;
  const transport = openPci({ ...options, config, address, configLength: BALLOON_CONFIG_LENGTH });
  const input = describedInput(pci, bridges, address);
  return { transport, pci: { ...pci, address, ...(input && { input }) } };
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
