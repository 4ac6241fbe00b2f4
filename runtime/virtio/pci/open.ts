/**
 * The way to a virtio PCI function: modern, legacy, or for a transitional device the better of
 * both.
 *
 * It must not touch the device's status, nor ask what kind of device it is. Invariant: an interface
 * that the device cannot have is never tried; one that turns out unusable gives way to the other.
 */
import { BallonetError } from "../../errors.ts";
import { VIRTIO_PCI_MODERN_BASE, VIRTIO_PCI_TRANSITIONAL_BASE } from "../constants.ts";
import type { Transport } from "../transport.ts";
import { openLegacyPci } from "./legacy.ts";
import { openModernPci, type PciTransportOptions } from "./modern.ts";

/** Which interface to use of a device that has both. */
export const PCI_INTERFACES = ["modern", "legacy"] as const;
export type PciInterface = (typeof PCI_INTERFACES)[number];

export interface OpenPciOptions extends PciTransportOptions {
  /** Default "modern" (virtio 1.3, 4.1.3). */
  readonly prefer?: PciInterface;
}

const DEVICE_ID = 0x02;
const OPEN = { modern: openModernPci, legacy: openLegacyPci } as const;

/** @throws BallonetError `pci-capability` or `pci-bar`, of the preferred interface. */
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

/** What was wrong with the first is what a reader must know if the second fails too. */
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
