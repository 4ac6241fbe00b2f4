/**
 * The legacy interface of a transitional device over PCI: one header in the ports of BAR 0
 * (virtio 1.3, 4.1.4.10). It has the names of the modern registers where it has the register.
 */
import { readBars, sizeBar } from "../pci/bars.ts";
import { type Field, LEGACY, LEGACY_CONFIG } from "../virtio/constants.ts";
import type { FeatureSet } from "../virtio/features.ts";
import { Region } from "../virtio/region.ts";
import { type Bench, expect, need, PAGE_BYTES } from "./bench.ts";
import { Life } from "./life.ts";
import {
  DEVICE_ID,
  type DeviceRegisters,
  MODERN_IDS,
  type PciRegisters,
  type RegisterName,
} from "./registers.ts";
import { SplitRing } from "./ring.ts";

const CONFIG_BYTES = 8;

/** @throws LeftOut unless the device is a transitional one. */
export function transitional({ device }: Bench): PciRegisters {
  const { pci } = device;
  const id = pci?.config.read(pci.address, DEVICE_ID, 2) ?? MODERN_IDS;
  need(id < MODERN_IDS, "a transitional device");
  return pci as PciRegisters;
}

/** Returns the header. @throws Broken for a transitional device without one. */
export function legacyHeader(bench: Bench): Region {
  const { config, address } = transitional(bench);
  const [bar] = readBars(config, address);
  expect(bar?.kind === "io", `BAR 0 is of ${bar?.kind === "memory" ? "memory" : "no use"}`);
  const start = bar?.kind === "io" ? bar.base : 0;
  const length = sizeBar(config, address, 0);
  const needed = LEGACY_CONFIG.withoutMsix + CONFIG_BYTES;
  expect(length >= needed, `BAR 0 has ${length} of ${needed} ports`);
  return new Region({ hal: bench.hal, kind: "io", start, length, name: "legacy header" });
}

/** The registers that can be read, and where the header has them. */
const READ: Partial<Record<RegisterName, Field>> = {
  deviceFeature: LEGACY.deviceFeatures,
  deviceStatus: LEGACY.deviceStatus,
  queueSelect: LEGACY.queueSelect,
  queueSize: LEGACY.queueSize,
};

class LegacyDevice implements DeviceRegisters {
  readonly name = "virtio over legacy PCI";
  readonly pci: PciRegisters;
  readonly mmio = undefined;
  readonly configLength = CONFIG_BYTES;
  private readonly header: Region;
  private featureWord = 0;
  private queueAddress = 0;

  constructor(pci: PciRegisters, header: Region) {
    this.pci = pci;
    this.header = header;
  }

  read(name: RegisterName): number {
    const hasNone = name === "deviceFeature" && this.featureWord !== 0;
    const field = hasNone ? undefined : READ[name];
    return field === undefined ? 0 : this.header.read(field);
  }

  /** A queue begins with its descriptors; to enable it is to tell their page. */
  write(name: RegisterName, value: number): void {
    const { header } = this;
    if (name === "deviceFeatureSelect" || name === "driverFeatureSelect") this.featureWord = value;
    else if (name === "driverFeature" && this.featureWord === 0) {
      header.write(LEGACY.driverFeatures, value);
    } else if (name === "queueDescLow") this.queueAddress = value;
    else if (name === "queueEnable") {
      header.write(LEGACY.queueAddress, this.queueAddress / PAGE_BYTES);
    } else if (name === "deviceStatus" || name === "queueSelect") {
      header.write(LEGACY[name], value);
    }
  }

  readConfig({ offset, width }: Field): number {
    return this.header.read({ offset: LEGACY_CONFIG.withoutMsix + offset, width });
  }

  writeConfig({ offset, width }: Field, value: number): void {
    this.header.write({ offset: LEGACY_CONFIG.withoutMsix + offset, width }, value);
  }

  queueMaxSize(): number {
    return this.header.read(LEGACY.queueSize);
  }

  notify(index: number): void {
    this.header.write(LEGACY.queueNotify, index);
  }

  takeEvents(): number {
    return this.header.read(LEGACY.isrStatus);
  }
}

/**
 * A life of the device over its legacy interface. The step FEATURES_OK does not exist
 * (virtio 1.3, 3.1.2).
 */
export class LegacyLife extends Life {
  constructor(bench: Bench) {
    const header = legacyHeader(bench);
    super(bench.through(new LegacyDevice(transitional(bench), header)));
  }

  /** A device with its inflate queue, to which nothing but a reset was said before. */
  static override start(bench: Bench): { life: LegacyLife; ring: SplitRing } {
    const life = new LegacyLife(bench);
    life.begin();
    const ring = life.legacyQueue(0);
    life.driverOk();
    return { life, ring };
  }

  /** The driver says that it is there, and accepts these features alone. */
  begin(features: FeatureSet = 0n): void {
    this.addStatus(1);
    this.addStatus(3);
    this.writeFeatures(features);
  }

  /** Sets a queue up in the one layout that the interface has (virtio 1.3, 2.7.2). */
  legacyQueue(index: number): SplitRing {
    const size = this.select(index);
    need(size > 0, `queue ${index}`);
    const descriptors = this.bench.take(3 * PAGE_BYTES + 26 * size, PAGE_BYTES);
    const driver = descriptors + 16 * size;
    const end = driver + 6 + 2 * size;
    const device = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
    const ring = new SplitRing(this.bench, index, size, [descriptors, driver, device]);
    this.place(ring);
    return ring;
  }
}
