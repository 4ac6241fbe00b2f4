/**
 * Finding the balloon on the PCI bus.
 *
 * It must not start it. Invariant: a device is matched by vendor and device id alone; class and
 * subsystem differ from host to host (virtio 1.3, 4.1.2).
 */
import { BallonetError } from "../errors.ts";
import type { Hal } from "../hal.ts";
import { type PciAddress, type PciConfigAccess, portConfigAccess } from "../pci/config.ts";
import { enumeratePci, matchPci, type PciFunction } from "../pci/enumerate.ts";
import { BALLOON_CONFIG_LENGTH, BALLOON_PCI_IDS, VIRTIO_PCI_VENDOR } from "../virtio/constants.ts";
import { openModernPci } from "../virtio/modern-pci.ts";
import type { Transport } from "../virtio/transport.ts";

export interface DiscoverOptions {
  readonly hal: Hal;
  /** Memory at or above this cannot be reached by this guest. Default 2^53. */
  readonly memoryEnd?: number;
}

export interface DiscoveredBalloon {
  readonly transport: Transport;
  /** Where it sits, and among what, for those who route interrupts. */
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  readonly functions: readonly PciFunction[];
}

/**
 * The first balloon on the bus, with a way to it. Its status is not touched.
 * @throws BallonetError `no-device`, or what keeps its transport from being used.
 */
export function discoverBalloon(options: DiscoverOptions): DiscoveredBalloon {
  const { hal, memoryEnd } = options;
  const config = portConfigAccess(hal);
  const functions = enumeratePci({ config });
  const [balloon] = matchPci(functions, VIRTIO_PCI_VENDOR, BALLOON_PCI_IDS);
  if (balloon === undefined) {
    throw new BallonetError({
      code: "no-device",
      what: "a virtio balloon (1af4:1045 or 1af4:1002)",
      seen: `${functions.length} other PCI functions`,
      todo: "give the machine a balloon device",
    });
  }
  const { address } = balloon;
  const transport = openModernPci({
    hal,
    config,
    address,
    configLength: BALLOON_CONFIG_LENGTH,
    ...(memoryEnd !== undefined && { memoryEnd }),
  });
  return { transport, config, address, functions };
}
