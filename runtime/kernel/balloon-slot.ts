/**
 * The slot of the machine's balloon device: finds the device, listens to it, and follows hot-plug.
 *
 * When the host wants the device back, the driver suspends it before its slot is ejected.
 */
import type { AddressRange } from "../acpi/resources.ts";
import { BALLOON_PCI_IDS } from "../balloon/constants.ts";
import { type DiscoveredBalloon, discoverBalloon } from "../balloon/discover.ts";
import type { BalloonDriver } from "../balloon/driver.ts";
import { BallonetError } from "../errors.ts";
import type { Hal } from "../hal.ts";
import { portConfigAccess } from "../pci/config.ts";
import { assignDescribed } from "../pci/described.ts";
import { enumeratePci, isPresent, type PciFunction } from "../pci/enumerate.ts";
import { intxLineOf } from "../pci/intx-routing.ts";
import { findQemuAcpiEvents, type QemuAcpiEvents, SCI_LINE } from "../pci/qemu-acpi-events.ts";
import { QEMU_HOST_BRIDGE } from "../pci/qemu-host-bridge.ts";
import type { HotplugSlot } from "../pci/qemu-hotplug.ts";
import { VIRTIO_PCI_VENDOR } from "../virtio/constants.ts";
import type { Transport } from "../virtio/transport.ts";
import type { GuestOptions } from "./command-line.ts";
import { INPUT_LINE, type Machine } from "./machine.ts";

/** Lines of the old PC, which every machine has. */
const LINES = 16;
/** Events served in one go: a chipset that always reports one more must not hold the guest. */
const EVENTS_MAX = 16;

export interface BalloonSlotOptions {
  readonly machine: Machine;
  readonly options: GuestOptions;
  /** A Hal for one device: it hands out interrupt messages from the first one on. */
  hal(): Hal;
}

export class BalloonSlot {
  /** The device's interrupt line, if it has one that can be known. */
  deviceLine: number | undefined;
  private readonly parts: BalloonSlotOptions;
  private readonly events: QemuAcpiEvents | undefined;
  private found: DiscoveredBalloon | undefined;

  constructor(parts: BalloonSlotOptions) {
    const hal = parts.hal();
    const config = portConfigAccess(hal);
    this.parts = parts;
    this.events = findQemuAcpiEvents({ hal, config, functions: enumeratePci({ config }) });
  }

  /** Whether the chipset is one of QEMU's, which tells of its power button. */
  get hasChipset(): boolean {
    return this.events !== undefined;
  }

  /** Whether a device can be plugged in. */
  get canPlug(): boolean {
    return this.events?.hotplug !== undefined;
  }

  /** True when the device cannot interrupt this guest: it must be polled. */
  get needsPolling(): boolean {
    const kind = this.found?.transport.interruptMode.kind;
    return kind === "polling" || (kind === "line" && this.deviceLine === undefined);
  }

  /**
   * Finds the device and returns its transport.
   * @throws BallonetError `no-device`, or the reason why the device cannot be used.
   */
  find(): Transport {
    const { machine, options } = this.parts;
    const { prefer, interrupts } = options;
    const hal = this.parts.hal();
    const commandLine = machine.commandLine();
    const found = discoverBalloon({
      hal,
      prefer,
      interrupts,
      commandLine,
      probe: true,
      acpiRoot: machine.acpiRoot(),
      ...this.memory,
    });
    this.found = found;
    this.deviceLine = this.lineOf(found);
    return found.transport;
  }

  /** Where devices can have addresses, and where not. */
  private get memory(): { readonly memoryEnd: number; readonly ram: readonly AddressRange[] } {
    const { machine } = this.parts;
    const ram = machine.memoryMap().map(({ base, size }) => ({ start: base, end: base + size }));
    return { memoryEnd: machine.memoryEnd(), ram };
  }

  private lineOf({ pci, mmio }: DiscoveredBalloon): number | undefined {
    const { machine } = this.parts;
    const told = pci?.input ?? mmio?.input;
    const line =
      told?.number ?? (pci ? intxLineOf({ hal: this.parts.hal(), ...pci }) : mmio?.interruptLine);
    if (line === undefined) return undefined;
    // Without a word of ACPI, what is no PCI is edge-triggered.
    const { isLevel, isActiveLow } = told ?? { isLevel: false, isActiveLow: false };
    const isInput = told !== undefined || line >= LINES;
    if (isInput && machine.connect(line, isLevel, isActiveLow) === 1) return INPUT_LINE;
    return line < LINES ? line : undefined;
  }

  /** From now on interrupts of the device and the chipset end waits. */
  listen(): void {
    const { machine } = this.parts;
    const { deviceLine } = this;
    // An input is listened to since it was connected.
    if (deviceLine !== undefined && deviceLine !== INPUT_LINE) machine.listen(deviceLine);
    if (this.events === undefined) return;
    machine.listen(SCI_LINE);
    this.events.listen();
  }

  /** Serves the chipset's events, which raise SCI_LINE. True: the power button was pressed. */
  serve(driver: BalloonDriver): boolean {
    // Until no event is left: the line rises again only after that.
    for (let round = 0; round < EVENTS_MAX; round++) {
      const event = this.events?.take();
      if (event?.powerButton) return true;
      if (!event?.hotplug) return false;
      for (const slot of this.events?.hotplug?.ejectRequests() ?? []) this.empty(slot, driver);
      if (driver.stateName === "gone") this.fill(driver);
    }
    return false;
  }

  /** The bus of a slot is not known here, so the device in it may be another one. */
  private empty(slot: HotplugSlot, driver: BalloonDriver): void {
    const pci = this.found?.pci;
    const isOurs = pci?.address.device === slot.device && isPresent(pci.config, pci.address);
    const isUp = driver.stateName === "running" || driver.stateName === "starting";
    if (isOurs && isUp) this.rest(driver, () => driver.suspend());
    this.events?.hotplug?.eject(slot);
    if (!isOurs) return;
    if (!isPresent(pci.config, pci.address)) driver.detach();
    else if (isUp) driver.resume();
  }

  private fill(driver: BalloonDriver): void {
    const hal = this.parts.hal();
    const config = portConfigAccess(hal);
    const bridges = [QEMU_HOST_BRIDGE];
    const unplaced = assignDescribed({ config, bridges, ...this.memory, wants: isBalloon });
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

  /** Halts the driver and waits for the end of the device's reset; the driver bounds that time. */
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
