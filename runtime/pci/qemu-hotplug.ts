/**
 * QEMU's own PCI hot-plug controller, which its machines `pc` and `q35` have (QEMU,
 * docs/specs/acpi_pci_hotplug).
 *
 *   +0x00 plugged in, a bit a slot   +0x04 eject requested, a bit a slot   +0x08 write: eject slots
 *   +0x10 the bus that the other registers show, by a number that only QEMU's ACPI tables explain
 *
 * A device that the host takes out stays until the guest ejects its slot. A new one answers at
 * once, but its BARs have no addresses.
 */
import type { Hal } from "../hal.ts";

const EJECT_REQUESTS = 4;
const EJECT = 8;
const BUS_SELECT = 0x10;
/** More than QEMU has. A number without a bus has no slots. */
const BUSES = 256;
const SLOTS = 32;
const ABSENT = 0xffff_ffff;

/** One slot. `bus` is QEMU's number, not the PCI bus number. */
export interface HotplugSlot {
  readonly bus: number;
  /** The PCI device number, 0 to 31. */
  readonly device: number;
}

export class QemuHotplug {
  private readonly hal: Hal;
  private readonly port: number;

  constructor(hal: Hal, port: number) {
    this.hal = hal;
    this.port = port;
  }

  /** Whether this machine has the controller: its eject register never reads as ones. */
  get isPresent(): boolean {
    return this.hal.portRead(this.port + EJECT, 4) !== ABSENT;
  }

  /** Returns the slots that the host wants back. */
  ejectRequests(): HotplugSlot[] {
    const found: HotplugSlot[] = [];
    for (let bus = 0; bus < BUSES; bus++) {
      this.hal.portWrite(this.port + BUS_SELECT, 4, bus);
      const slots = this.hal.portRead(this.port + EJECT_REQUESTS, 4);
      for (let device = 0; slots !== 0 && device < SLOTS; device++) {
        if ((slots & (1 << device)) !== 0) found.push({ bus, device });
      }
    }
    return found;
  }

  /** Gives a slot back: its device is gone when this returns. Only for `ejectRequests`. */
  eject({ bus, device }: HotplugSlot): void {
    this.hal.portWrite(this.port + BUS_SELECT, 4, bus);
    this.hal.portWrite(this.port + EJECT, 4, 2 ** device);
  }
}
