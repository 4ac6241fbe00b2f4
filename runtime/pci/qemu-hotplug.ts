/**
 * The slots of QEMU's machines that devices are plugged into and taken out of while a guest runs
 * (QEMU, docs/specs/acpi_pci_hotplug).
 *
 *   +0x00 filled, a bit each   +0x04 to be emptied, a bit each   +0x08 write: eject these slots
 *   +0x10 which bus the other registers show, by a number that only QEMU's tables give a meaning
 *
 * A device that the host takes out stays until the guest ejects its slot. One that it puts in
 * answers at once, with BARs that nobody has assigned.
 *
 * It must not know what is in a slot. Invariant: only slots that the host wants back are ejected.
 */
import type { Hal } from "../hal.ts";
import type { PciWindows } from "./assign.ts";

const TO_BE_EMPTIED = 4;
const EJECT = 8;
const BUS_SELECT = 0x10;
/** More than QEMU numbers. A number that belongs to no bus has no slots. */
const BUSES = 256;
const SLOTS = 32;
const ABSENT = 0xffff_ffff;

/** One slot; `bus` is not the bus's PCI number. */
export interface Slot {
  readonly bus: number;
  /** The PCI device number, 0 to 31. */
  readonly device: number;
}

/**
 * Address space that neither machine gives to anything else; what its firmware gave to devices is
 * left out by whoever takes from it.
 */
export const QEMU_PCI_WINDOWS: PciWindows = {
  io: { start: 0xc000, end: 0x1_0000 },
  memory: { start: 0xe000_0000, end: 0xfec0_0000 },
};

export class HotplugSlots {
  private readonly hal: Hal;
  private readonly port: number;

  constructor(hal: Hal, port: number) {
    this.hal = hal;
    this.port = port;
  }

  /** Whether the registers are there: read, the third one has no bits yet. */
  get isThere(): boolean {
    return this.hal.portRead(this.port + EJECT, 4) !== ABSENT;
  }

  /** The slots that the host wants back. */
  leaving(): Slot[] {
    const found: Slot[] = [];
    for (let bus = 0; bus < BUSES; bus++) {
      this.hal.portWrite(this.port + BUS_SELECT, 4, bus);
      const slots = this.hal.portRead(this.port + TO_BE_EMPTIED, 4);
      for (let device = 0; slots !== 0 && device < SLOTS; device++) {
        if ((slots & (1 << device)) !== 0) found.push({ bus, device });
      }
    }
    return found;
  }

  /** Lets the host have it: what was in it is gone when this returns. */
  eject({ bus, device }: Slot): void {
    this.hal.portWrite(this.port + BUS_SELECT, 4, bus);
    this.hal.portWrite(this.port + EJECT, 4, 2 ** device);
  }
}
