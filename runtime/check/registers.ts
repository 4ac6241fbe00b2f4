/**
 * The registers of a device over PCI and over MMIO, under the names of virtio 1.3, 4.1.4.3. Nothing
 * here is a driver's: any value may be written at any time.
 */
import { BALLOON_PCI_IDS, DEVICE_ID_BALLOON } from "../balloon/constants.ts";
import { discoverBalloon } from "../balloon/discover.ts";
import { BallonetError } from "../errors.ts";
import type { Hal, Width } from "../hal.ts";
import { enableFunction, readBars } from "../pci/bars.ts";
import { readCapabilities } from "../pci/capabilities.ts";
import { type PciAddress, type PciConfigAccess, portConfigAccess } from "../pci/config.ts";
import { enumeratePci, matchPci } from "../pci/enumerate.ts";
import { type Msix, openMsix } from "../pci/msix.ts";
import {
  CFG_TYPE,
  COMMON,
  type Field,
  MMIO,
  MMIO_CONFIG,
  VIRTIO_PCI_VENDOR,
} from "../virtio/constants.ts";
import { identifyMmio, type MmioSlot } from "../virtio/mmio/mmio.ts";
import {
  COMMON_NEED,
  ISR_NEED,
  locateStructure,
  NOTIFY_NEED,
  readVirtioCapabilities,
  type VirtioCapability,
} from "../virtio/pci/capability-regions.ts";
import { Region } from "../virtio/region.ts";

/** Where a function has its id. */
export const DEVICE_ID = 0x02;
/** Only transitional and legacy devices have ids below this one (virtio 1.3, 4.1.2). */
export const MODERN_IDS = 0x1040;

/** A register that both transports have. */
export type RegisterName = Exclude<
  keyof typeof COMMON,
  "configMsixVector" | "numQueues" | "queueMsixVector" | "queueNotifyOff" | "queueNotifConfigData"
>;

/** The same registers of MMIO. `queueSize` is read from one and written into another one. */
const MMIO_NAMES: Readonly<Record<RegisterName, Field>> = {
  deviceFeatureSelect: MMIO.deviceFeaturesSel,
  deviceFeature: MMIO.deviceFeatures,
  driverFeatureSelect: MMIO.driverFeaturesSel,
  driverFeature: MMIO.driverFeatures,
  deviceStatus: MMIO.status,
  configGeneration: MMIO.configGeneration,
  queueSelect: MMIO.queueSel,
  queueSize: MMIO.queueNum,
  queueEnable: MMIO.queueReady,
  queueReset: MMIO.queueReset,
  queueDescLow: MMIO.queueDescLow,
  queueDescHigh: MMIO.queueDescHigh,
  queueDriverLow: MMIO.queueDriverLow,
  queueDriverHigh: MMIO.queueDriverHigh,
  queueDeviceLow: MMIO.queueDeviceLow,
  queueDeviceHigh: MMIO.queueDeviceHigh,
};

/** A device as its registers show it. */
export interface DeviceRegisters {
  /** For people. */
  readonly name: string;
  readonly pci: PciRegisters | undefined;
  readonly mmio: Region | undefined;
  read(name: RegisterName): number;
  write(name: RegisterName, value: number): void;
  /** The device configuration. */
  readConfig(field: Field): number;
  writeConfig(field: Field, value: number): void;
  /** Bytes of device configuration that may be read. */
  readonly configLength: number;
  /** The largest size of the queue that is selected. */
  queueMaxSize(): number;
  /** Notifies a queue. `next` is what comes with NOTIFICATION_DATA. */
  notify(index: number, next?: number): void;
  /** The bits of the ISR status or of InterruptStatus; they are acknowledged. */
  takeEvents(): number;
}

/** What only PCI has. */
export interface PciRegisters {
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
  readonly capabilities: readonly VirtioCapability[];
  readonly common: Region;
  readonly notifyOffMultiplier: number;
  readonly notifyLength: number;
  readonly msix: Msix | undefined;
}

/** How a device is looked for. */
export interface OpenOptions {
  readonly hal: Hal;
  /** Names MMIO slots, as `virtio_mmio.device=512@0xfeb00000:5`. */
  readonly commandLine?: string;
  /** Whether machines without PCI are probed for, too. */
  readonly probe?: boolean;
}

/** A function of PCI that is a balloon by its ids. */
export interface FoundFunction {
  readonly config: PciConfigAccess;
  readonly address: PciAddress;
}

/** Returns the function of the balloon; undefined: there is none on PCI. */
export function findFunction(hal: Hal): FoundFunction | undefined {
  const config = portConfigAccess(hal);
  const [found] = matchPci(enumeratePci({ config }), VIRTIO_PCI_VENDOR, BALLOON_PCI_IDS);
  return found && { config, address: found.address };
}

/**
 * Opens a device that was found, by its modern interface.
 * @throws BallonetError `no-device`, `pci-capability` or `pci-bar`.
 */
export function openRegisters(hal: Hal, { mmio, pci }: FoundDevice): DeviceRegisters {
  if (pci !== undefined) return new PciDevice(hal, pci);
  if (mmio !== undefined && identifyMmio(hal, mmio)?.deviceId === DEVICE_ID_BALLOON) {
    return new MmioDevice(hal, mmio);
  }
  const what = "a virtio balloon";
  throw new BallonetError({ code: "no-device", what, seen: "none", todo: "give the machine one" });
}

/** Where a balloon is: in a slot of MMIO, at a function of PCI, or nowhere. */
export interface FoundDevice {
  readonly mmio?: MmioSlot;
  readonly pci?: FoundFunction;
}

/** Looks for the first balloon of the machine. */
export function findDevice(options: OpenOptions): FoundDevice {
  const { hal, commandLine = "", probe = false } = options;
  const pci = commandLine.includes("virtio_mmio.device=") ? undefined : findFunction(hal);
  return pci ? { pci } : discoverBalloon({ hal, commandLine, probe });
}

/** Whether a device has its legacy interface alone: virtio 1.3 demands nothing of it. */
export function isLegacy({ pci }: FoundDevice): boolean {
  if (pci === undefined) return false;
  const { config, address } = pci;
  const id = config.read(address, DEVICE_ID, 2);
  return id < MODERN_IDS && readVirtioCapabilities(config, address).length === 0;
}

const DEVICE_NEED = {
  cfgType: CFG_TYPE.DEVICE,
  name: "device configuration",
  length: 8,
  alignment: 4,
};

class PciDevice implements DeviceRegisters {
  readonly name: string;
  readonly pci: PciRegisters;
  readonly mmio = undefined;
  readonly configLength: number;
  private readonly notifyRegion: Region;
  private readonly isr: Region;
  private readonly device: Region;

  constructor(hal: Hal, { config, address }: FoundFunction) {
    const bars = readBars(config, address);
    const capabilities = readVirtioCapabilities(config, address);
    const memoryEnd = Number.MAX_SAFE_INTEGER;
    const locate = (need: typeof DEVICE_NEED | typeof COMMON_NEED) =>
      locateStructure({ hal, address, bars, capabilities, need, memoryEnd });
    const notify = locate(NOTIFY_NEED);
    const common = locate(COMMON_NEED).region;
    this.notifyRegion = notify.region;
    this.isr = locate(ISR_NEED).region;
    this.device = locate(DEVICE_NEED).region;
    this.configLength = this.device.length;
    this.name = "virtio over PCI";
    enableFunction(config, address, { io: true, memory: true });
    this.pci = {
      config,
      address,
      capabilities,
      common,
      notifyOffMultiplier: notify.capability.notifyOffMultiplier,
      notifyLength: notify.capability.length,
      msix: openMsix({ hal, config, address, bars, memoryEnd }),
    };
  }

  read(name: RegisterName): number {
    return this.pci.common.read(COMMON[name]);
  }

  write(name: RegisterName, value: number): void {
    this.pci.common.write(COMMON[name], value);
  }

  readConfig(field: Field): number {
    return this.device.read(field);
  }

  writeConfig(field: Field, value: number): void {
    this.device.write(field, value);
  }

  queueMaxSize(): number {
    return this.read("queueSize");
  }

  notify(index: number, next?: number): void {
    this.write("queueSelect", index);
    const { common, notifyOffMultiplier } = this.pci;
    const offset = common.read(COMMON.queueNotifyOff) * notifyOffMultiplier;
    const width: Width = next === undefined ? 2 : 4;
    const value = next === undefined ? index : next * 0x1_0000 + index;
    this.notifyRegion.write({ offset, width }, value);
  }

  takeEvents(): number {
    return this.isr.read({ offset: 0, width: 1 });
  }
}

class MmioDevice implements DeviceRegisters {
  readonly name = "virtio over MMIO";
  readonly pci = undefined;
  readonly mmio: Region;
  readonly configLength: number;

  constructor(hal: Hal, { base, size }: MmioSlot) {
    this.mmio = new Region({ hal, kind: "memory", start: base, length: size, name: this.name });
    this.configLength = size - MMIO_CONFIG;
  }

  read(name: RegisterName): number {
    return this.mmio.read(MMIO_NAMES[name]);
  }

  write(name: RegisterName, value: number): void {
    this.mmio.write(MMIO_NAMES[name], value);
  }

  readConfig({ offset, width }: Field): number {
    return this.mmio.read({ offset: MMIO_CONFIG + offset, width });
  }

  writeConfig({ offset, width }: Field, value: number): void {
    this.mmio.write({ offset: MMIO_CONFIG + offset, width }, value);
  }

  queueMaxSize(): number {
    return this.mmio.read(MMIO.queueNumMax);
  }

  notify(index: number, next?: number): void {
    this.mmio.write(MMIO.queueNotify, next === undefined ? index : next * 0x1_0000 + index);
  }

  takeEvents(): number {
    const events = this.mmio.read(MMIO.interruptStatus);
    if (events !== 0) this.mmio.write(MMIO.interruptAck, events);
    return events;
  }
}

/** Offsets in configuration space of all capabilities with this id. */
export function capabilityOffsets({ config, address }: FoundFunction, id: number): number[] {
  return readCapabilities(config, address)
    .filter((one) => one.id === id)
    .map(({ offset }) => offset);
}
