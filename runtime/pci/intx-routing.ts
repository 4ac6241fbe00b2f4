/**
 * The interrupt line of a PCI function's INTx pin, without the firmware's ACPI tables.
 *
 * What firmware has routed stays; only a machine that booted without firmware gets a route here.
 *
 * Behind a bridge, a pin becomes pin (pin + device number) mod 4 of the bridge's own device
 * (PCI-to-PCI Bridge 1.2, 9.1), where firmware may have routed another function with the same pin.
 *
 * The chipset is the PIIX3 or PIIX4 of every `pc`: four inputs, each with a routing register. A
 * device's pin is wired to input (pin + device number) mod 4 (82371SB datasheet, 4.1.10).
 */
import type { Hal } from "../hal.ts";
import type { PciAddress, PciConfigAccess } from "./config.ts";
import { matchPci, type PciFunction } from "./enumerate.ts";

export interface IntxOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  /** All functions of the machine; the chipset and bridges are among them. */
  readonly functions: readonly PciFunction[];
  readonly address: PciAddress;
}

const INTERRUPT_LINE = 0x3c;
const INTERRUPT_PIN = 0x3d;
/** Lines of the two interrupt controllers. Line 0 is the timer's, so 0 means "none". */
const LINES = 16;

const INTEL = 0x8086;
const PIIX_ISA_BRIDGES = [0x7000, 0x7110];
const PIIX_ROUTE_A = 0x60;
/** Free for PCI on every PC. */
const LINE_FOR_PCI = 11;
/** Edge or level of lines 8 to 15, a bit each. PCI's are level-triggered: devices share them. */
const LEVEL_CONTROL_HIGH = 0x4d1;

/** Returns the line, 1 to 15; undefined: the function has none, or it cannot be known. */
export function intxLineOf(options: IntxOptions): number | undefined {
  const { hal, config, functions, address } = options;
  const pin = config.read(address, INTERRUPT_PIN, 1);
  if (pin < 1 || pin > 4) return undefined;
  const line = lineAt(config, address);
  if (line !== undefined) return line;
  const root = rootPin(functions, { ...address, pin });
  const twin = functions.find(
    (it) =>
      it.address.bus === root?.bus &&
      it.address.device === root.device &&
      config.read(it.address, INTERRUPT_PIN, 1) === root.pin &&
      lineAt(config, it.address) !== undefined,
  );
  if (twin !== undefined) return lineAt(config, twin.address);
  const [bridge] = matchPci(functions, INTEL, PIIX_ISA_BRIDGES);
  if (bridge === undefined || root?.bus !== bridge.address.bus) return undefined;
  const register = PIIX_ROUTE_A + ((root.pin - 1 + root.device - 1) & 3);
  const routed = config.read(bridge.address, register, 1);
  if (routed > 0 && routed < LINES) return routed;
  const level = hal.portRead(LEVEL_CONTROL_HIGH, 1) | (1 << (LINE_FOR_PCI - 8));
  hal.portWrite(LEVEL_CONTROL_HIGH, 1, level);
  config.write(bridge.address, register, 1, LINE_FOR_PCI);
  config.write(address, INTERRUPT_LINE, 1, LINE_FOR_PCI);
  return LINE_FOR_PCI;
}

/** The line that firmware noted for this function. */
function lineAt(config: PciConfigAccess, address: PciAddress): number | undefined {
  const line = config.read(address, INTERRUPT_LINE, 1);
  return line > 0 && line < LINES ? line : undefined;
}

/** A device's pin on a bus. */
export interface PinPlace {
  readonly bus: number;
  readonly device: number;
  /** 1 to 4. */
  readonly pin: number;
}

/** The device and pin on a root bus that a pin is wired to; undefined: a bridge is not known. */
export function rootPin(
  functions: readonly PciFunction[],
  { bus, device, pin }: PinPlace,
  rootBuses: readonly number[] = [0],
): PinPlace | undefined {
  if (rootBuses.includes(bus)) return { bus, device, pin };
  const bridge = functions.find((it) => it.secondaryBus === bus);
  // Ends, since a bridge's own bus has a lower number than the bus behind it.
  if (bridge === undefined || bridge.address.bus >= bus) return undefined;
  const above = { ...bridge.address, pin: ((pin - 1 + device) & 3) + 1 };
  return rootPin(functions, above, rootBuses);
}
