/**
 * What the chipset of QEMU's `pc` and `q35` has to say by its system control interrupt: that the
 * power button was pressed, and that something was or is to be plugged.
 *
 *               `pc`: PIIX4 (8086:7113)   `q35`: ICH9 (8086:2918)
 *   PM1 events  PMBASE                    PMBASE                    status u16, enable u16
 *   GPE block   0xafe0, enable at +2      PMBASE + 0x20, +0x28      bit 1: plugging
 *   slots       0xae00                    0x0cc0                    see hotplug.ts
 *
 * Only QEMU has these places; its own tables say so in a byte code (ACPI 6.4, 4.8; QEMU,
 * docs/specs/acpi_pci_hotplug). This file must not know what is plugged. Invariant: no port is
 * touched unless the chipset's ids and QEMU's own subsystem ids say whose it is.
 */
import type { Hal } from "../hal.ts";
import type { PciAddress, PciConfigAccess } from "./config.ts";
import { matchPci, type PciFunction } from "./enumerate.ts";
import { HotplugSlots } from "./qemu-hotplug.ts";

/** The interrupt line of the system control interrupt on both. */
export const SCI_LINE = 9;

const INTEL = 0x8086;
const PIIX4 = 0x7113;
const ICH9 = 0x2918;
const SUBSYSTEM = 0x2c;
/** 1af4:1100, which real chipsets and other emulators do not have. */
const QEMU = 0x1100_1af4;
const PM_BASE = 0x40;
const PM_BASE_MASK = 0xff80;

const PM1_ENABLE = 2;
const PM1_POWER_BUTTON = 0x100;
const PM1_ABSENT = 0xffff;
const GPE_PLUGGING = 2;

export interface AcpiEventsOptions {
  readonly hal: Hal;
  readonly config: PciConfigAccess;
  /** All functions of the machine, to find the chipset among. */
  readonly functions: readonly PciFunction[];
}

/** What has happened since the last look. */
export interface AcpiEvent {
  readonly powerButton: boolean;
  readonly plugging: boolean;
}

export class AcpiEvents {
  /** Absent where nothing can be plugged. */
  readonly slots: HotplugSlots | undefined;
  private readonly hal: Hal;
  private readonly pm1: number;
  private readonly gpe: number;
  private readonly gpeEnable: number;

  constructor(hal: Hal, pmBase: number, isPiix: boolean) {
    this.hal = hal;
    this.pm1 = pmBase;
    this.gpe = isPiix ? 0xafe0 : pmBase + 0x20;
    this.gpeEnable = this.gpe + (isPiix ? 2 : 8);
    const slots = new HotplugSlots(hal, isPiix ? 0xae00 : 0x0cc0);
    this.slots = slots.isThere ? slots : undefined;
  }

  /** From now on both ask on SCI_LINE. */
  listen(): void {
    const { hal, pm1, gpeEnable } = this;
    const enable = pm1 + PM1_ENABLE;
    hal.portWrite(enable, 2, hal.portRead(enable, 2) | PM1_POWER_BUTTON);
    hal.portWrite(gpeEnable, 1, hal.portRead(gpeEnable, 1) | GPE_PLUGGING);
  }

  /** Takes back what is asserted; a status bit is cleared by writing it (ACPI 6.4, 4.8.3). */
  take(): AcpiEvent {
    const { hal, pm1, gpe } = this;
    const powerButton = (hal.portRead(pm1, 2) & PM1_POWER_BUTTON) !== 0;
    if (powerButton) hal.portWrite(pm1, 2, PM1_POWER_BUTTON);
    const plugging = (hal.portRead(gpe, 1) & GPE_PLUGGING) !== 0;
    if (plugging) hal.portWrite(gpe, 1, GPE_PLUGGING);
    return { powerButton, plugging };
  }
}

/** Undefined on every other machine. */
export function findAcpiEvents(options: AcpiEventsOptions): AcpiEvents | undefined {
  const { hal, config, functions } = options;
  for (const { address, deviceId } of matchPci(functions, INTEL, [PIIX4, ICH9])) {
    const pmBase = qemuPmBase(config, address);
    if (pmBase === 0 || hal.portRead(pmBase, 2) === PM1_ABSENT) continue;
    return new AcpiEvents(hal, pmBase, deviceId === PIIX4);
  }
  return undefined;
}

function qemuPmBase(config: PciConfigAccess, address: PciAddress): number {
  if (config.read(address, SUBSYSTEM, 4) !== QEMU) return 0;
  return config.read(address, PM_BASE, 4) & PM_BASE_MASK;
}
