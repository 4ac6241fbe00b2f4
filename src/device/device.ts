/** The balloon device alone, without a bus: for a machine that has its own. */

import { BalloonHost } from "./balloon-host.ts";
import type { DeviceInterrupts, DeviceOptions } from "./device-options.ts";
import { MachineOptionError } from "./errors.ts";
import type { Profile } from "./host/profile.ts";
import { withOptions } from "./host-options.ts";
import { judgeDeviceOptions } from "./known-options.ts";
import { makeRegisters } from "./mmio/make-registers.ts";
import { MmioSlot } from "./mmio/mmio-slot.ts";
import { type MmioDevice, MmioWindow } from "./mmio/mmio-window.ts";
import { type PciDevice, PciWindow } from "./pci/pci-window.ts";
import { makeFunction } from "./pci/virtio-pci.ts";
import type { Parts } from "./snapshot/part.ts";
import { MMIO_VERSION } from "./spec/numbers.ts";
import { type AbsentMemory, type BusParts, isMmio } from "./virtio/bus.ts";

/**
 * Makes a balloon device for a machine of your own: an emulator, or a server of a device protocol.
 * There is no host bridge, no other device and no address: the caller decodes addresses and says
 * which BAR and which offset the guest accesses.
 *
 * The device acts inside the guest's accesses and inside `advance` and `run`, and never besides.
 * Its clock stands still until `advance` moves it.
 *
 * @throws MachineOptionError when an option makes no sense.
 * @throws IncomingStreamError when the device cannot take the guest in `incoming`.
 */
export function createDevice(options: DeviceOptions): Device {
  judgeDeviceOptions(options);
  return new Device(options);
}

/** A balloon device without a bus, and a host that judges its driver. */
export class Device extends BalloonHost {
  private readonly interrupts: DeviceInterrupts;
  private readonly parts: BusParts;
  private readonly pciWindow: PciWindow;
  private readonly mmioWindow: MmioWindow;
  private bare: Parts = {};
  private lineIsUp = false;

  constructor(options: DeviceOptions) {
    super(options, alone(options));
    const { context, profile, virtio, faults, signal } = this;
    const { interrupts = {}, onMapping } = options;
    this.interrupts = interrupts;
    const messages = { deliver: this.deliver.bind(this), ...this.vectors() };
    this.parts = { context, profile, virtio, messages, faults, signal };
    const around = { before: () => this.access(), after: () => this.settleLine() };
    this.pciWindow = new PciWindow(context, { ...around, mapped: () => onMapping?.() });
    this.mmioWindow = new MmioWindow(around, profile.mmio.bytes);
    if (interrupts.onLine !== undefined) signal.listener = () => this.settleLine();
    this.joinBus();
    this.complete(options);
    this.settleLine();
  }

  /**
   * The PCI function.
   *
   * @throws MachineOptionError when the device's transport is not PCI.
   */
  get pci(): PciDevice {
    if (!isMmio(this.transport)) return this.pciWindow;
    throw new MachineOptionError("transport", this.transport, "use `mmio` of this device");
  }

  /**
   * The memory-mapped registers.
   *
   * @throws MachineOptionError when the device is on PCI.
   */
  get mmio(): MmioDevice {
    if (isMmio(this.transport)) return this.mmioWindow;
    throw new MachineOptionError("transport", this.transport, "use `pci` of this device");
  }

  override reset(): void {
    super.reset();
    this.settleLine();
  }

  protected get busParts(): Parts {
    return this.bare;
  }

  protected joinBus(): void {
    if (isMmio(this.transport)) {
      const { modern, legacy } = MMIO_VERSION;
      const mmio = makeRegisters(this.parts, this.transport === "mmio" ? modern : legacy);
      const slot = new MmioSlot(this.context, 0, mmio);
      this.bare = { slot, mmio };
      this.mmioWindow.show(slot);
      return;
    }
    const { made, parts } = makeFunction(this.parts);
    this.bare = { function: made, ...parts };
    this.pciWindow.show(made);
  }

  protected leaveBus(absentMemory: AbsentMemory): void {
    this.bare = {};
    this.mmioWindow.hide(absentMemory);
    this.pciWindow.hide(absentMemory);
    this.settleLine();
  }

  private deliver({ address, data }: { readonly address: number; readonly data: number }): boolean {
    const what = `message 0x${data.toString(16)} to 0x${address.toString(16)}`;
    this.trace.add("interrupt", what);
    this.interrupts.onMessage?.(address, data);
    return this.interrupts.onMessage !== undefined;
  }

  private vectors(): Pick<BusParts["messages"], "vector"> {
    const { onVector } = this.interrupts;
    if (onVector === undefined) return {};
    return {
      vector: (vector) => {
        this.trace.add("interrupt", "vector", { vector });
        this.interrupts.onVector?.(vector);
      },
    };
  }

  /** Tells the caller of the line, when its level changed. */
  private settleLine(): void {
    const up = this.virtio.interruptPending;
    if (up === this.lineIsUp) return;
    this.lineIsUp = up;
    this.interrupts.onLine?.(up);
  }
}

/** A device alone is a function by itself, which no firmware has seen. */
function alone(options: DeviceOptions): Profile {
  const profile = withOptions(options);
  const { pci, mmio } = profile;
  const bars = options.pci?.bars ?? pci.bars.map((bar) => ({ ...bar, base: 0 }));
  const command = options.pci?.command ?? 0;
  const place = { bus: 0, device: 0, function: 0 } as const;
  return {
    ...profile,
    pci: { ...pci, ...place, bars, command, decoys: false },
    mmio: { ...mmio, decoys: false },
  };
}
