/**
 * The balloon device of a machine, as long as there is one: finds it, listens to it, and sees it
 * taken out and another put in.
 *
 * It must not know what the driver does with it. Invariant: a device that the host wants back is at
 * rest before its slot is ejected, so that nothing is pulled from under the driver.
 */
import { BALLOON_PCI_IDS } from "../balloon/constants.ts";
import { type DiscoveredBalloon, discoverBalloon } from "../balloon/discover.ts";
import type { BalloonDriver } from "../balloon/driver.ts";
import { BallonetError } from "../errors.ts";
import type { Hal } from "../hal.ts";
import { assignPci } from "../pci/assign.ts";
import { portConfigAccess } from "../pci/config.ts";
import { enumeratePci, isPresent, type PciFunction } from "../pci/enumerate.ts";
import { interruptLineOf } from "../pci/intx-routing.ts";
import { type AcpiEvents, findAcpiEvents, SCI_LINE } from "../pci/qemu-acpi-events.ts";
import { QEMU_PCI_WINDOWS, type Slot } from "../pci/qemu-hotplug.ts";
import { VIRTIO_PCI_VENDOR } from "../virtio/constants.ts";
import type { Transport } from "../virtio/transport.ts";
import type { GuestOptions } from "./command-line.ts";
import type { Machine } from "./machine.ts";

/** Lines of the two interrupt controllers that this kernel drives. */
const LINES = 16;
/** Events taken up at once: a chipset that never has enough must not keep the guest for ever. */
const EVENTS_MAX = 16;

export interface PluggingOptions {
  readonly machine: Machine;
  readonly options: GuestOptions;
  /** Each has its messages to itself, from the first one on. */
  hal(): Hal;
}

export class Plugging {
  /** The line by which the device asks, if it has one that can be known. */
  deviceLine: number | undefined;
  private readonly parts: PluggingOptions;
  private readonly events: AcpiEvents | undefined;
  private found: DiscoveredBalloon | undefined;

  constructor(parts: PluggingOptions) {
    const hal = parts.hal();
    const config = portConfigAccess(hal);
    this.parts = parts;
    this.events = findAcpiEvents({ hal, config, functions: enumeratePci({ config }) });
  }

  /** Whether a device can come that is not there yet. */
  get canPlug(): boolean {
    return this.events?.slots !== undefined;
  }

  /** No interrupt of the device's can reach this guest, so it has to look. */
  get isDeaf(): boolean {
    const kind = this.found?.transport.interruptMode.kind;
    return kind === "polling" || (kind === "line" && this.deviceLine === undefined);
  }

  /**
   * The way to the device that there is.
   * @throws BallonetError `no-device`, or what keeps it from being used.
   */
  find(): Transport {
    const { machine, options } = this.parts;
    const { prefer, interrupts } = options;
    const hal = this.parts.hal();
    const commandLine = machine.commandLine();
    const found = discoverBalloon({ hal, prefer, interrupts, commandLine, probe: true });
    const { pci, mmio } = found;
    const line = pci ? interruptLineOf({ hal, ...pci }) : mmio?.interruptLine;
    this.deviceLine = line !== undefined && line < LINES ? line : undefined;
    this.found = found;
    return found.transport;
  }

  /** From now on the device and the chipset are heard. */
  listen(): void {
    const { machine } = this.parts;
    if (this.deviceLine !== undefined) machine.listen(this.deviceLine);
    if (this.events === undefined) return;
    machine.listen(SCI_LINE);
    this.events.listen();
  }

  /** The chipset asked, on SCI_LINE. Answers whether it was to switch the machine off. */
  serve(driver: BalloonDriver): boolean {
    // Until nothing is asserted: the line tells only of what comes after that.
    for (let round = 0; round < EVENTS_MAX; round++) {
      const event = this.events?.take();
      if (event?.powerButton) return true;
      if (!event?.plugging) return false;
      for (const slot of this.events?.slots?.leaving() ?? []) this.empty(slot, driver);
      if (driver.stateName === "gone") this.fill(driver);
    }
    return false;
  }

  /** The bus of a slot has no name that is known here, so the device in it may be another. */
  private empty(slot: Slot, driver: BalloonDriver): void {
    const pci = this.found?.pci;
    const isOurs = pci?.address.device === slot.device && isPresent(pci.config, pci.address);
    const isUp = driver.stateName === "running" || driver.stateName === "starting";
    if (isOurs && isUp) this.rest(driver, () => driver.suspend());
    this.events?.slots?.eject(slot);
    if (!isOurs) return;
    if (!isPresent(pci.config, pci.address)) driver.detach();
    else if (isUp) driver.resume();
  }

  private fill(driver: BalloonDriver): void {
    const hal = this.parts.hal();
    const config = portConfigAccess(hal);
    const { unplaced } = assignPci({ config, windows: QEMU_PCI_WINDOWS, wants: isBalloon });
    for (const line of unplaced) hal.log("warn", line);
    try {
      const transport = this.find();
      this.listen();
      driver.attach(transport);
    } catch (error) {
      if (!(error instanceof BallonetError)) throw error;
      if (error.code !== "no-device") hal.log("error", error.message);
    }
  }

  /** Brings the driver to rest and waits for the end of the device's reset, which it bounds. */
  rest(driver: BalloonDriver, halt: () => void): void {
    const { machine } = this.parts;
    halt();
    for (let next = driver.step(); driver.stateName === "stopping"; next = driver.step()) {
      machine.waitForInterrupt(next ?? machine.now());
    }
  }
}

function isBalloon({ vendorId, deviceId }: PciFunction): boolean {
  return vendorId === VIRTIO_PCI_VENDOR && BALLOON_PCI_IDS.includes(deviceId);
}
