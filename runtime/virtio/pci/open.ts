/**
 * Opens a virtio PCI function by its modern or legacy interface. A transitional device has both:
 * the preferred one is tried first. An interface that a device cannot have is never tried.
 */
import { BallonetError } from "../../errors.ts";
import { VIRTIO_PCI_MODERN_BASE, VIRTIO_PCI_TRANSITIONAL_BASE } from "../constants.ts";
import type { Transport } from "../transport.ts";
import { openLegacyPci } from "./legacy.ts";
import { openModernPci } from "./modern.ts";
import type { PciTransportOptions } from "./transport.ts";

/** The interfaces of a transitional device. */
export const PCI_INTERFACES = ["modern", "legacy"] as const;
/** See PCI_INTERFACES. */
export type PciInterface = (typeof PCI_INTERFACES)[number];

export interface OpenPciOptions extends PciTransportOptions {
  /** The interface to use of a transitional device. Default "modern" (virtio 1.3, 4.1.3). */
  readonly prefer?: PciInterface;
}

const DEVICE_ID = 0x02;
const OPEN = { modern: openModernPci, legacy: openLegacyPci } as const;

/**
 * Returns the function's transport, and leaves the device's status as it is.
 * @throws BallonetError `pci-capability` or `pci-bar`, of the preferred interface.
 */
export function openPci({ prefer = "modern", ...options }: OpenPciOptions): Transport {
  const deviceId = options.config.read(options.address, DEVICE_ID, 2);
  const isTransitional =
    deviceId >= VIRTIO_PCI_TRANSITIONAL_BASE && deviceId < VIRTIO_PCI_MODERN_BASE;
  if (!isTransitional) return openModernPci(options);
  const other = prefer === "modern" ? "legacy" : "modern";
  try {
    return OPEN[prefer](options);
  } catch (error) {
    if (!(error instanceof BallonetError)) throw error;
    return openOther(other, options, error);
  }
}

/** @throws `first` when the second interface fails as well: it says more. */
function openOther(
  other: PciInterface,
  options: PciTransportOptions,
  first: BallonetError,
): Transport {
  try {
    const transport = OPEN[other](options);
    options.hal.log("info", `${transport.name}: ${first.message}`);
    return transport;
  } catch (error) {
    throw error instanceof BallonetError ? first : error;
  }
}
