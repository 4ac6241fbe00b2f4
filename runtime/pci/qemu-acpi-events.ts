/**
 * ACPI events of QEMU's own chipsets: the power button and PCI hot-plug, which raise the system
 * control interrupt.
 *
 *               `pc`: PIIX4 (8086:7113)   `q35`: ICH9 (8086:2918)
 *   PM1 events  PMBASE                    PMBASE                    status u16, enable u16
 *   GPE block   0xafe0, enable at +2      PMBASE + 0x20, +0x28      bit 1: hot-plug
 *   slots       0xae00                    0x0cc0                    see qemu-hotplug.ts
 *
 * Only QEMU has these addresses; its ACPI tables give them in a byte code that nothing here reads
 * (ACPI 6.4, 4.8; QEMU, docs/specs/acpi_pci_hotplug). So no port is accessed unless the ids of the
 * chipset and its subsystem are QEMU's.
 */
import type { Hal } from "../hal.ts";
import { type PciAddress, type PciConfigAccess, QEMU_SUBSYSTEM } from "./config.ts";
import { matchPci, type PciFunction } from "./enumerate.ts";
import { QemuHotplug } from "./qemu-hotplug.ts";

/** The line of the system control interrupt on both machines. */
export const SCI_LINE = 9;

const INTEL = 0x8086;
const PIIX4 = 0x7113;
const ICH9 = 0x2918;
const SUBSYSTEM = 0x2c;
const PM_BASE = 0x40;
const PM_BASE_MASK = 0xff80;

const PM1_ENABLE = 2;
const PM1_POWER_BUTTON = 0x100;
const PM1_ABSENT = 0xffff;
const GPE_HOTPLUG = 2;

export interface QemuAcpiEventsOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  /** All functions of the machine; the chipset is one of them. */
  readonly functions: readonly PciFunction[];
}

/** What happened since the last `take`. */
export interface QemuAcpiEvent {
  /** The power button was pressed. */
  readonly powerButton: boolean;
  /** A device was plugged in, or the host wants a slot back. */
  readonly hotplug: boolean;
}

export class QemuAcpiEvents {
  /** Undefined on a machine without hot-plug. */
  readonly hotplug: QemuHotplug | undefined;
  private readonly hal: Hal;
  private readonly pm1: number;
  private readonly gpe: number;
  private readonly gpeEnable: number;

  constructor(hal: Hal, pmBase: number, isPiix: boolean) {
    this.hal = hal;
    this.pm1 = pmBase;
    this.gpe = isPiix ? 0xafe0 : pmBase + 0x20;
    this.gpeEnable = this.gpe + (isPiix ? 2 : 8);
    const slots = new QemuHotplug(hal, isPiix ? 0xae00 : 0x0cc0);
    this.hotplug = slots.isPresent ? slots : undefined;
  }

  /** From now on both events raise SCI_LINE. */
  listen(): void {
    const { hal, pm1, gpeEnable } = this;
    const enable = pm1 + PM1_ENABLE;
    hal.portWrite(enable, 2, hal.portRead(enable, 2) | PM1_POWER_BUTTON);
    hal.portWrite(gpeEnable, 1, hal.portRead(gpeEnable, 1) | GPE_HOTPLUG);
  }

  /** Returns and clears what happened; writing a status bit clears it (ACPI 6.4, 4.8.3). */
  take(): QemuAcpiEvent {
    const { hal, pm1, gpe } = this;
    const powerButton = (hal.portRead(pm1, 2) & PM1_POWER_BUTTON) !== 0;
    if (powerButton) hal.portWrite(pm1, 2, PM1_POWER_BUTTON);
    const hotplug = (hal.portRead(gpe, 1) & GPE_HOTPLUG) !== 0;
    if (hotplug) hal.portWrite(gpe, 1, GPE_HOTPLUG);
    return { powerButton, hotplug };
  }
}

/** Returns undefined unless the machine is QEMU's `pc` or `q35`. */
export function findQemuAcpiEvents(options: QemuAcpiEventsOptions): QemuAcpiEvents | undefined {
  const { hal, config, functions } = options;
  for (const { address, deviceId } of matchPci(functions, INTEL, [PIIX4, ICH9])) {
    const pmBase = qemuPmBase(config, address);
    if (pmBase === 0 || hal.portRead(pmBase, 2) === PM1_ABSENT) continue;
    return new QemuAcpiEvents(hal, pmBase, deviceId === PIIX4);
  }
  return undefined;
}

function qemuPmBase(config: PciConfigAccess, address: PciAddress): number {
  if (config.read(address, SUBSYSTEM, 4) !== QEMU_SUBSYSTEM) return 0;
  return config.read(address, PM_BASE, 4) & PM_BASE_MASK;
}
