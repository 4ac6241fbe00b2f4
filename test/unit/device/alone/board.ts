/** A machine around a device alone: a host bridge and a firmware, of the test's own. */
import {
  createDevice,
  type Device,
  type DeviceOptions,
  type MachineHal,
} from "../../../../src/device/index.ts";
import { FRAMES, RawDriver } from "../drivers/raw-driver.ts";

type Width = 1 | 2 | 4;

/** Where the firmware puts the first BAR of each kind; each BAR gets a 64 KiB of its own. */
const IO_BASE = 0xc000;
const MEMORY_BASE = 0xe000_0000;

/** Ports and memory as a processor sees them. The device is 0:3.0. */
export function halOf(device: Device): MachineHal {
  const { pci } = device;
  let address = 0;
  const here = () => Math.floor(address / 256) === 0x80_0018;
  const hit = (kind: "io" | "memory", at: number) => {
    const bars = pci.bars.filter((bar) => bar.kind === kind && bar.decoded);
    return bars.find((bar) => at >= bar.address && at < bar.address + bar.bytes);
  };
  const read = (kind: "io" | "memory", at: number, width: Width) => {
    const bar = hit(kind, at);
    return bar ? pci.read(bar.index, at - bar.address, width) : 256 ** width - 1;
  };
  const write = (kind: "io" | "memory", at: number, width: Width, value: number) => {
    const bar = hit(kind, at);
    if (bar) pci.write(bar.index, at - bar.address, width, value);
  };
  const isConfig = (port: number) => port >= 0xcfc && port < 0xd00;
  return {
    portRead: (port, width) => {
      if (!isConfig(port)) return read("io", port, width);
      return here() ? pci.config.read((address & 0xfc) + port - 0xcfc, width) : 256 ** width - 1;
    },
    portWrite: (port, width, value) => {
      if (port === 0xcf8) address = value;
      else if (!isConfig(port)) write("io", port, width, value);
      else if (here()) pci.config.write((address & 0xfc) + port - 0xcfc, width, value);
    },
    mmioRead: (at, width) => read("memory", at, width),
    mmioWrite: (at, width, value) => write("memory", at, width, value),
    now: () => device.nowMs,
    log: () => {},
  };
}

/** Gives every BAR an address, as firmware does before a driver comes. */
export function placeBars({ pci }: Device): void {
  for (const { index, kind } of pci.bars) {
    const base = kind === "io" ? IO_BASE + index * 0x400 : MEMORY_BASE + index * 0x1_0000;
    pci.config.write(0x10 + index * 4, 4, base);
  }
}

/** A device of 4 MiB whose BARs are placed, and a driver for it that has done nothing yet. */
export function aloneRig(
  options: Partial<DeviceOptions> = {},
): RawDriver<Device & { readonly hal: MachineHal }> {
  const memory = new WebAssembly.Memory({ initial: (FRAMES * 4096) / 65536 });
  const device = createDevice({ memory, ...options });
  if (!options.transport?.includes("mmio")) placeBars(device);
  const hal = options.transport?.includes("mmio") ? undefined : halOf(device);
  return new RawDriver(Object.assign(device, { hal: hal as MachineHal }), memory);
}
